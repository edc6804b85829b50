"""Which header of which mail server tells the envelope of a copy.

Rule: a preset is believed only for the lines our own server wrote (``trace``),
and only in a mailbox that is configured to be filled by that server.

Sources: Postfix postconf and pipe/local manuals; Exim specification
(envelope_to_add); Dovecot lmtp_hdr_delivery_address; hMailServer source
(MirrorMessage); Zimbra ParsedMessage; Kerio's administrator's guide; MDaemon,
Mercury, qpsmtpd and Sendmail milters as seen in mail.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Preset:
    """The fields of one kind of server, in the order they are asked.

    Attributes:
        recipients, senders: field names.
        cut_chars: recipients are cut off at this length.
        relays: the fields are written one server earlier, by a host of these
            names; believed when our own server says that it handed over.
    """

    recipients: tuple[str, ...]
    senders: tuple[str, ...] = ()
    cut_chars: int = 0
    relays: tuple[str, ...] = ()


PRESETS: dict[str, Preset] = {
    "postfix": Preset(("X-Original-To", "Delivered-To")),
    "exim": Preset(("Envelope-to",)),
    "dovecot": Preset(("Delivered-To",)),
    "hmailserver": Preset(("Delivered-To",), cut_chars=255),
    "mdaemon": Preset(
        ("X-MDRcpt-To", "X-Rcpt-To", "X-MDaemon-Deliver-To"), ("X-Return-Path", "X-Envelope-From")
    ),
    "sendmail": Preset(("X-Envelope-To",), ("X-Envelope-From",)),
    "kerio": Preset(("X-Envelope-To",)),
    "zimbra": Preset(("X-Envelope-To",), ("X-Envelope-From",)),
    "mercury": Preset(("X-Deliver-To",)),
    "qpsmtpd": Preset(("X-Copied-To",)),
    "google": Preset(("X-Gm-Original-To",), relays=("*.google.com",)),
}

TOPMOST = frozenset({"delivered-to", "x-original-to"})
"""Every server on the way adds its own on top; only the last one is ours."""

NO_PRESET = Preset(())
