"""Plain copies: mail that lies in the journal mailbox as it was sent.

Rule: what the author wrote in To and Cc is whom they addressed, not who got
the message, and is never given out as more.  What a server recorded counts
when it is the configured one, in the lines of our own servers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from collector.domain.journal import (
    Envelope,
    JournalFormat,
    JournalProfile,
    Recipient,
    RecipientKind,
)
from collector.formats import flags
from collector.formats.addresses import addresses, addresses_in
from collector.formats.header import Field, Header
from collector.formats.presets import NO_PRESET, PRESETS, TOPMOST
from collector.formats.text import decode, decode_words
from collector.formats.trace import connection, own_fields, received_for, return_path, values

_ADDRESSED_IN = (
    (b"to", RecipientKind.HEADER_TO),
    (b"cc", RecipientKind.HEADER_CC),
    (b"bcc", RecipientKind.HEADER_BCC),
    (b"resent-to", RecipientKind.HEADER_TO),
    (b"resent-cc", RecipientKind.HEADER_CC),
    (b"resent-bcc", RecipientKind.HEADER_BCC),
)
_PLUS = re.compile(r"([^+@]+)\+(.+)=([^=@]+)@(.+)")


def header_envelope(header: Header, level: int = 0) -> Envelope:
    """Return what the author wrote of sender and recipients."""
    return Envelope(
        sender=next(addresses_in(header, b"from", b"sender"), ""),
        subject=decode_words(header.first(b"subject")),
        message_id=decode(header.first(b"message-id"), "utf-8")[0],
        recipients=tuple(_addressed(header, level)),
        level=level,
    )


def read_copy(header: Header, profile: JournalProfile, remarks: set[str]) -> Envelope:
    """Return the envelope of a copy: what a server recorded, then what the author wrote."""
    written = header_envelope(header)
    recorded = _Recorded(header, profile, remarks)
    recipients = tuple(recorded.recipients())
    if not recipients:
        remarks.add(flags.ENVELOPE_UNKNOWN)
    sender = recorded.sender()
    if not sender and written.sender:
        remarks.add(flags.SENDER_DERIVED)
    return Envelope(
        sender=sender or written.sender,
        subject=written.subject,
        message_id=written.message_id,
        recipients=recipients + written.recipients,
    )


def _addressed(header: Header, level: int) -> Iterator[Recipient]:
    for name, kind in _ADDRESSED_IN:
        for address in addresses_in(header, name):
            yield Recipient(address, kind, source=name.decode("ascii"), derived=True, level=level)


class _Recorded:
    """What the configured server recorded of one copy."""

    def __init__(self, header: Header, profile: JournalProfile, remarks: set[str]) -> None:
        self._profile = profile
        self._remarks = remarks
        self._own = own_fields(header, profile.own_received_count)
        google = profile.format is JournalFormat.GOOGLE
        self._preset = PRESETS.get(profile.server or ("google" if google else ""), NO_PRESET)
        self._relayed = self._written_by_relay(header)

    def _written_by_relay(self, header: Header) -> list[Field]:
        """Return what the preset's own relay wrote as well, when it handed over."""
        relays = self._preset.relays
        if relays and connection(self._own, self._profile.server).matches(relays):
            return own_fields(header, self._profile.own_received_count + 1)
        return self._own

    def sender(self) -> str:
        """Return the envelope sender, ``<>`` when it is the empty one."""
        told = [*self._told(self._profile.sender_headers), return_path(self._own)]
        for value in filter(None, [*told, *self._told(self._preset.senders)]):
            return next(addresses(value), "<>")
        return ""

    def _told(self, names: Iterable[str]) -> Iterator[bytes]:
        for name in names:
            yield from values(self._own, _field(name))

    def recipients(self) -> Iterator[Recipient]:
        """Yield the recipients of the first field that names one besides the mailbox."""
        told = [(name, self._own) for name in self._profile.recipient_headers]
        told += [(name, self._relayed) for name in self._preset.recipients]
        for name, fields in told:
            found = list(self._in_field(name, fields))
            if found:
                yield from found
                return
        if self._profile.addresses or self._profile.plus_addressing:
            named = self._resolve(received_for(self._own))
            if named:
                yield Recipient(named, RecipientKind.RECIPIENT, source="received")

    def _in_field(self, name: str, fields: list[Field]) -> Iterator[Recipient]:
        topmost = 1 if name.lower() in TOPMOST else None
        for value in values(fields, _field(name))[:topmost]:
            whole, rest = value, b""
            if 0 < self._preset.cut_chars <= len(value):
                self._remarks.add(flags.RECIPIENTS_TRUNCATED)
                whole, _, rest = value.rpartition(b",")
            for address in filter(None, map(self._resolve, addresses(whole))):
                yield Recipient(address, RecipientKind.RECIPIENT, source=name.lower())
            if rest.strip():  # perhaps a whole address, perhaps half of one
                text = decode(rest.strip(), "utf-8")[0]
                kind = RecipientKind.RECIPIENT
                yield Recipient(text, kind, source=name.lower(), derived=True)

    def _resolve(self, address: str) -> str:
        """Return whom an address stands for; nothing when it is the mailbox itself."""
        own = {each.lower() for each in self._profile.addresses}
        plus = _PLUS.fullmatch(address) if self._profile.plus_addressing else None
        if plus and (not own or f"{plus[1]}@{plus[4]}".lower() in own):
            return f"{plus[2]}@{plus[3]}"
        return "" if address.lower() in own else address


def _field(name: str) -> bytes:
    return name.lower().encode("ascii", "replace")
