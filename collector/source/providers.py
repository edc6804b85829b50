r"""What is known of the kinds of mail servers, so that nobody has to configure it.

Rule: data only.  What an administrator configured comes before a preset; what a preset
says is from the sources of the imap reference (2.2, 2.3, 2.5, 2.6, 4.3), and the numbers
of connections are the defaults that these servers are shipped with.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from collector.domain.mailbox import ServerKind

MB = 1_000_000
TRASH = r"\Trash"
"""An attribute instead of a name: servers translate the names (RFC 6154, section 2)."""


@dataclass(frozen=True, slots=True)
class Remark:
    """What no client can look at on such a server.

    Attributes:
        must_act: a person must see to it before the first run.
    """

    detail: str
    hint: str
    must_act: bool = False


@dataclass(frozen=True, slots=True)
class Provider:
    """One kind of mail server.

    Attributes:
        name: as it is configured.
        capability: only such servers offer it.
        signature: occurs in their greeting, or in their answer to ID (RFC 2971).
        deleted_folder: where messages are moved; a name or a special-use attribute.
        moves: expunging does not delete there, moving does.
        size_is_hint: RFC822.SIZE may differ from what is handed over.
        daily_bytes_max: what may be downloaded in 24 hours before the account is locked.
        connections_max: of one account at a time.
    """

    name: str
    capability: bytes = b""
    signature: re.Pattern[bytes] | None = None
    deleted_folder: str | None = None
    moves: bool = False
    size_is_hint: bool = False
    daily_bytes_max: int | None = None
    connections_max: int | None = None
    remarks: tuple[Remark, ...] = ()

    @property
    def kind(self) -> ServerKind:
        """What the accounts of a mailbox say of the server."""
        known = (each for each in ServerKind if each.value == self.name)
        return next(known, ServerKind.OTHER)


def _signed(text: bytes) -> re.Pattern[bytes]:
    return re.compile(text, re.IGNORECASE)


GENERIC = Provider("generic")

PROVIDERS: dict[str, Provider] = {
    each.name: each
    for each in (
        Provider(
            "gmail",
            capability=b"X-GM-EXT-1",
            signature=_signed(rb"Gimap"),
            deleted_folder=TRASH,
            moves=True,
            daily_bytes_max=2_250 * MB,  # of 2,500: the protocol and other clients count, too
            connections_max=15,
            remarks=(
                Remark(
                    "IMAP shows only a part of a folder when its size is limited",
                    "Gmail settings, Forwarding and POP/IMAP: do not limit the number of messages "
                    "(maxFolderSize 0)",
                    must_act=True,
                ),
                Remark(
                    "an expunge only takes a label off, so messages are moved to the folder with "
                    "\\Trash, which Gmail empties after 30 days",
                    "Gmail settings: Auto-Expunge off (autoExpunge false), and what is expunged is "
                    "deleted for ever (expungeBehavior deleteForever)",
                    must_act=True,
                ),
                Remark(
                    "the mailbox takes 60 messages a minute and 3,600 an hour, and bounces more",
                    "a journal of more than a message a second needs another mailbox",
                ),
            ),
        ),
        Provider(
            "exchange",
            signature=_signed(rb"Microsoft[ .]Exchange"),
            size_is_hint=True,
            remarks=(
                Remark(
                    "messages are written anew for every client; one that was changed there comes "
                    "again under a new UID",
                    "what was archived twice is no error; gaps in the UIDs say little here",
                ),
                Remark(
                    "what is expunged stays in Recoverable Items for some time",
                    "an administrator can bring it back; the collector sees it as a new arrival",
                ),
            ),
        ),
        Provider(
            "dovecot",
            signature=_signed(rb"Dovecot"),
            connections_max=10,  # mail_max_userip_connections
        ),
        Provider(
            "cyrus",
            signature=_signed(rb"Cyrus"),
            remarks=(
                Remark(
                    "the server may drop a delivery whose Message-ID it has seen",
                    "duplicatesuppression: no, in imapd.conf",
                    must_act=True,
                ),
            ),
        ),
        Provider(
            "courier",
            signature=_signed(rb"Courier"),
            connections_max=4,  # MAXPERIP
        ),
        GENERIC,
    )
}
AUTO = "auto"
NAMES = (AUTO, *PROVIDERS)


def recognised(capabilities: frozenset[bytes]) -> Provider | None:
    """Return the kind of server that alone offers one of these capabilities."""
    known = (each for each in PROVIDERS.values() if each.capability)
    return next((each for each in known if each.capability in capabilities), None)


def signed(text: bytes) -> Provider | None:
    """Return the kind of server that names itself so in a greeting or an answer to ID."""
    known = (each for each in PROVIDERS.values() if each.signature)
    return next((each for each in known if each.signature and each.signature.search(text)), None)
