"""What one receipt, or one list of settlements or events, is in the tar stream of a segment.

Rule: pure.  The bytes of a message go by once; they are hashed on the way
unless the digest was taken of this very object.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from collector.domain.blob import Digest, RawBytes, RawMessage, windows
from collector.domain.custody import Receipt, Settlement
from collector.domain.errors import IntegrityError
from collector.domain.evidence import Event
from collector.store.layout import events_member, message_member, receipt_member, settled_member
from collector.store.member import Header, encode_header, padding
from collector.store.receipt import encode_event, encode_receipt, encode_settlements

MEMBER_BYTES_MAX = 256 * 1024
"""Of events in one member, commas not counted."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """``frames.Members``: a message and its receipt, or a text alone.

    Attributes:
        head: the header of the message's member, empty when there is no message.
        raw: the message.
        tail: the zeros behind the message, and the member of the text.
    """

    digest: Digest | None
    raw_bytes: int
    content_bytes: int
    head: bytes
    raw: RawMessage | None
    tail: bytes

    def pieces(self) -> Iterator[bytes]:
        """Yield the members, piece by piece.

        Raises:
            IntegrityError: the bytes handed over are not those that were fetched.
        """
        if self.raw is not None:
            yield self.head
            yield from _checked(self.raw)
        yield self.tail


def arrival(receipt: Receipt, raw: RawMessage | None) -> Arrival:
    """Return the members of a message and its receipt, or of the receipt alone.

    Raises:
        IntegrityError: the message is not the one the receipt names.
        ValueError: the receipt cannot be written as JSON.
    """
    mtime_s = int(receipt.committed_at.timestamp())
    name = receipt_member(receipt.seq, receipt.digest)
    text = text_member(name, encode_receipt(receipt), mtime_s)
    if raw is None:
        return Arrival(None, 0, len(text), b"", None, text)
    size_bytes = receipt.size_bytes
    if raw.digest != receipt.digest or raw.size_bytes != size_bytes:
        raise _other_bytes(receipt.digest)
    name = message_member(receipt.seq, receipt.digest)
    head = encode_header(Header(name, size_bytes, mtime_s))
    tail = padding(size_bytes) + text
    content_bytes = len(head) + size_bytes + len(tail)
    return Arrival(receipt.digest, size_bytes, content_bytes, head, raw, tail)


def settled(settlements: Sequence[Settlement]) -> Arrival:
    """Return the member that holds ``settlements``; it has no message."""
    text = encode_settlements(settlements)
    name = settled_member(settlements[0].seq, Digest.of(text))
    mtime_s = int(settlements[0].settled_at.timestamp())
    member = text_member(name, text, mtime_s)
    return Arrival(None, 0, len(member), b"", None, member)


def recorded(events: Sequence[Event]) -> Iterator[Arrival]:
    """Yield the members that hold ``events``, as few as can be read back.

    Raises:
        ValueError: an event cannot be written as JSON.
    """
    texts: list[bytes] = []
    first, size_bytes = events[0], 0
    for event in events:
        text = encode_event(event)
        if texts and size_bytes + len(text) > MEMBER_BYTES_MAX:
            yield _recorded(first, texts)
            texts, first, size_bytes = [], event, 0
        texts.append(text)
        size_bytes += len(text)
    yield _recorded(first, texts)


def _recorded(first: Event, texts: Sequence[bytes]) -> Arrival:
    text = b"[%b]\n" % b",".join(texts)
    name = events_member(first.number, Digest.of(text))
    member = text_member(name, text, int(first.at.timestamp()))
    return Arrival(None, 0, len(member), b"", None, member)


def text_member(name: str, text: bytes, mtime_s: int) -> bytes:
    """Return a whole member that holds ``text``."""
    header = encode_header(Header(name, len(text), mtime_s))
    return b"%b%b%b" % (header, text, padding(len(text)))


def _checked(raw: RawMessage) -> Iterator[bytes]:
    """Yield the message; raise when it turns out not to be what its digest says."""
    if type(raw) is RawBytes:  # immutable, and hashed when it was made
        yield from windows(raw)
        return
    hasher = hashlib.sha256()
    size_bytes = 0
    for piece in windows(raw):
        size_bytes += len(piece)
        if size_bytes > raw.size_bytes:
            break
        hasher.update(piece)
        yield piece
    if (size_bytes, hasher.hexdigest()) != (raw.size_bytes, raw.digest.hex):
        raise _other_bytes(raw.digest)


def _other_bytes(digest: Digest) -> IntegrityError:
    return IntegrityError(
        "the bytes to be stored are not those that were fetched",
        subject=str(digest),
        hint="look at the memory and the disk of this machine; the mail stays in the mailbox",
    )
