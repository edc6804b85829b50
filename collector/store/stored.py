"""What the members of a segment mean: messages with their receipts, settlements, events.

Rule: a message is passed on only when its bytes agree with its receipt; what
does not agree is Damage, and the next member is looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import zip_longest

from collector.domain.blob import BlobRef, RawMessage, RawSlice
from collector.domain.custody import Receipt, Settlement
from collector.domain.evidence import Event
from collector.store import layout
from collector.store.contents import Damage, Found, Frame
from collector.store.frame import Extent, FrameError
from collector.store.frames import stored_share
from collector.store.receipt import decode_events, decode_receipt, decode_settlements


@dataclass(frozen=True, slots=True)
class StoredReceipt:
    """A receipt found in a segment.

    Attributes:
        blob: where the message lies, ``None`` for a duplicate.
        raw: the message, whose digest was compared; ``None`` when it was not held.  Keeps
            its whole frame in memory.
    """

    receipt: Receipt
    blob: BlobRef | None
    raw: RawMessage | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class StoredSettlements:
    """Settlements found in a segment."""

    settlements: tuple[Settlement, ...]


@dataclass(frozen=True, slots=True)
class StoredEvents:
    """Events found in a segment."""

    events: tuple[Event, ...]


Meaning = StoredReceipt | StoredSettlements | StoredEvents | Damage


def interpret(segment: str, frame: Frame) -> Iterator[Meaning]:
    """Yield what the members of a frame mean, in the order written."""
    raw_bytes = sum(each.header.size_bytes for each in frame.members if is_message(each))
    message: Found | None = None
    for each in frame.members:
        if is_message(each):
            if message:
                yield _damage(segment, frame, f"{message.header.name} has no receipt")
            message = each
        elif each.header.name.endswith(layout.SETTLED_SUFFIX):
            yield _settlements(segment, frame, each)
        elif each.header.name.endswith(layout.EVENTS_SUFFIX):
            yield _events(segment, frame, each)
        elif each.header.name.endswith(".json"):
            yield _receipt(segment, frame, each, message, raw_bytes)
            message = None
        elif each.header.name != layout.manifest_member(segment):
            yield _damage(segment, frame, f"{each.header.name} does not belong here")
    if message:
        yield _damage(segment, frame, f"{message.header.name} has no receipt")


def _settlements(segment: str, frame: Frame, member: Found) -> StoredSettlements | Damage:
    try:
        return StoredSettlements(decode_settlements(member.text))
    except ValueError:
        return _damage(segment, frame, f"{member.header.name} cannot be read")


def _events(segment: str, frame: Frame, member: Found) -> StoredEvents | Damage:
    try:
        return StoredEvents(decode_events(member.text))
    except ValueError:
        return _damage(segment, frame, f"{member.header.name} cannot be read")


def _receipt(
    segment: str, frame: Frame, member: Found, message: Found | None, raw_bytes: int
) -> StoredReceipt | Damage:
    try:
        receipt = decode_receipt(member.text)
    except ValueError:
        return _damage(segment, frame, f"{member.header.name} cannot be read")
    if member.header.name != layout.receipt_member(receipt.seq, receipt.digest):
        return _damage(segment, frame, f"{member.header.name} is another message's receipt")
    if message is None and receipt.duplicate_of is not None:
        return StoredReceipt(receipt, None)
    if message is None or not _agree(receipt, message):
        return _damage(segment, frame, f"the message of {member.header.name} is not what it names")
    raw = _held(frame, message)
    return StoredReceipt(receipt, _blob(segment, frame.extent, message, raw_bytes), raw)


def _held(frame: Frame, message: Found) -> RawMessage | None:
    if not frame.content:
        return None
    return RawSlice(frame.content, message.offset, message.header.size_bytes, message.digest)


def _agree(receipt: Receipt, message: Found) -> bool:
    return receipt.duplicate_of is None and (
        message.header.name,
        message.header.size_bytes,
        message.digest,
    ) == (
        layout.message_member(receipt.seq, receipt.digest),
        receipt.size_bytes,
        receipt.digest,
    )


def _blob(segment: str, extent: Extent, message: Found, raw_bytes: int) -> BlobRef:
    return BlobRef(
        segment=segment,
        frame_offset=extent.offset,
        frame_bytes=extent.stored_bytes,
        offset=message.offset,
        size_bytes=message.header.size_bytes,
        digest=message.digest,
        stored_bytes=stored_share(extent.stored_bytes, message.header.size_bytes, raw_bytes),
    )


def messages(segment: str, frame: Frame) -> Iterator[BlobRef]:
    """Yield the places of the messages of a frame, without reading more of the receipts.

    Raises:
        FrameError: a message is not followed by a receipt that names its digest.
    """
    raw_bytes = sum(each.header.size_bytes for each in frame.members if is_message(each))
    for member, receipt in zip_longest(frame.members, frame.members[1:]):
        if is_message(member):
            if receipt is None or not _names(receipt, member):
                raise FrameError(f"{member.header.name} has no receipt that names it")
            yield _blob(segment, frame.extent, member, raw_bytes)


def _names(receipt: Found, message: Found) -> bool:
    name = message.header.name.removesuffix(layout.MESSAGE_SUFFIX)
    digest = f'"digest":"{message.digest}"'.encode("ascii")
    return receipt.header.name == f"{name}.json" and digest in receipt.text


def is_message(member: Found) -> bool:
    """Say whether a member holds a message."""
    return member.header.name.endswith(layout.MESSAGE_SUFFIX)


def _damage(segment: str, frame: Frame, problem: str) -> Damage:
    return Damage(segment, frame.extent.offset, problem)
