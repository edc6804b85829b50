"""Values of the domain as rows of the ledger, and back.

Rule: pure.  A row that cannot be read back was changed by somebody else: that is
an ``IntegrityError`` which names the entry.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import lru_cache, wraps
from typing import Any, Concatenate, NamedTuple, ParamSpec, TypeVar

from collector.domain.blob import BlobRef, Digest
from collector.domain.custody import LedgerEntry, PendingEntry, Receipt, State
from collector.domain.errors import IntegrityError
from collector.domain.journal import (
    Envelope,
    Kind,
    Original,
    Recipient,
    RecipientKind,
    Redirection,
    Role,
    Trust,
    Unwrapped,
)
from collector.domain.mailbox import MailboxId, MessageRef
from collector.ledger.encoding import (
    STORED_ENTRY,
    decode_instant,
    decode_json,
    decode_optional,
    decode_text,
    encode_instant,
    encode_json,
    encode_optional,
    encode_text,
    leaf_of,
)

Row = dict[str, Any]
Value = TypeVar("Value")
More = ParamSpec("More")

NO_LIST = "[]"


def _readable(
    decode: Callable[Concatenate[Mapping[str, Any], More], Value],
) -> Callable[Concatenate[Mapping[str, Any], More], Value]:
    """Let ``decode`` raise nothing but ``IntegrityError``."""

    @wraps(decode)
    def decode_or_refuse(
        row: Mapping[str, Any], /, *more: More.args, **named: More.kwargs
    ) -> Value:
        try:
            return decode(row, *more, **named)
        except (ValueError, TypeError) as error:
            raise IntegrityError(
                f"a row of the ledger is not what was written: {error}",
                subject=f"seq {row['seq']}",
                hint="nothing is deleted; run `collector rebuild` for a ledger from the segments",
            ) from error

    return decode_or_refuse


@lru_cache(maxsize=1024)
def mailbox_of(mailbox: str, folder: str) -> MailboxId:
    """Read the two columns of ``folders`` that name one."""
    return MailboxId(decode_text(mailbox), decode_text(folder))


@lru_cache(maxsize=256)
def _encode_words(words: tuple[str, ...]) -> str:
    """Return a list of which there are few: most messages have the same reasons."""
    return _encode_list(words)


def _encode_list(values: Sequence[object]) -> str:
    return encode_json(values) if values else NO_LIST


def _decode_list(stored: str) -> list[Any]:
    return [] if stored == NO_LIST else list(decode_json(stored))


def entry_row(pending: PendingEntry, folder_id: int) -> Row:
    """Return the row of ``entries`` for a message that has just become ours."""
    blob = pending.blob
    return {
        "seq": pending.receipt.seq,
        "folder_id": folder_id,
        "uidvalidity": pending.receipt.ref.uidvalidity,
        "uid": pending.receipt.ref.uid,
        "state": State.COMMITTED.value,
        "blob_digest": blob.digest.hex,
        "blob_bytes": blob.size_bytes,
        "segment": encode_text(blob.segment),
        "frame_offset": blob.frame_offset,
        "frame_bytes": blob.frame_bytes,
        "blob_offset": blob.offset,
        "stored_bytes": blob.stored_bytes,
        "cleared_at": None,
        "clear_attempts": 0,
        "settled_at": None,
        "absent_count": 0,
    }


def receipt_row(receipt: Receipt, folder_id: int) -> Row:
    """Return the row of ``receipts``."""
    return {
        "seq": receipt.seq,
        "digest": receipt.digest.hex,
        "size_bytes": receipt.size_bytes,
        "folder_id": folder_id,
        "uidvalidity": receipt.ref.uidvalidity,
        "uid": receipt.ref.uid,
        "internal_date": encode_optional(receipt.internal_date),
        "fetched_at": encode_instant(receipt.fetched_at),
        "committed_at": encode_instant(receipt.committed_at),
        "kind": encode_text(receipt.kind),
        "quarantined": receipt.quarantined,
        "duplicate_of": receipt.duplicate_of,
        "fetch_flags": _encode_list(receipt.fetch_flags),
    }


def envelope_row(seq: int, unwrapped: Unwrapped, message_digest: Digest) -> Row:
    """Return the row of ``envelopes``."""
    envelopes = (unwrapped.envelope, *unwrapped.nested)
    return {
        "seq": seq,
        "kind": unwrapped.kind.value,
        **_envelope_columns(unwrapped.envelope),
        "trust": unwrapped.trust.value,
        "trust_reasons": _encode_words(unwrapped.trust_reasons),
        "reason": encode_text(unwrapped.reason),
        "recipients_count": sum(len(each.recipients) for each in envelopes),
        "raw_chars": sum(len(line) for each in envelopes for line in each.raw_lines),
        "message_digest": message_digest.hex,
    }


def nested_rows(seq: int, unwrapped: Unwrapped) -> Iterator[Row]:
    """Yield the rows of ``nested_envelopes``, in their order."""
    for position, each in enumerate(unwrapped.nested, 1):
        yield {"seq": seq, "position": position, **_envelope_columns(each)}


def _envelope_columns(envelope: Envelope) -> Row:
    return {
        "sender": encode_text(envelope.sender),
        "on_behalf_of": encode_text(envelope.on_behalf_of),
        "subject": encode_text(envelope.subject),
        "message_id": encode_text(envelope.message_id),
        "raw_lines": _encode_list(envelope.raw_lines),
        "level": envelope.level,
    }


def recipient_rows(seq: int, unwrapped: Unwrapped) -> Iterator[Row]:
    """Yield the rows of ``recipients``: those of the outermost envelope first."""
    position = 0
    for number, envelope in enumerate((unwrapped.envelope, *unwrapped.nested)):
        for each in envelope.recipients:
            yield {
                "seq": seq,
                "position": position,
                "envelope": number,
                "address": encode_text(each.address),
                "kind": each.kind.value,
                "via": _encode_list([(step.how, step.address) for step in each.via]),
                "source": encode_text(each.source),
                "derived": each.derived,
                "level": each.level,
                "undisclosed": each.undisclosed,
            }
            position += 1


def original_rows(seq: int, unwrapped: Unwrapped) -> Iterator[Row]:
    """Yield the rows of ``originals``, in their order."""
    for position, each in enumerate(unwrapped.originals):
        yield {
            "seq": seq,
            "position": position,
            "offset": each.offset,
            "length": each.length,
            "digest": each.digest.hex,
            "role": each.role.value,
            "transfer_encoding": encode_text(each.transfer_encoding),
            "level": each.level,
        }


def flag_rows(seq: int, unwrapped: Unwrapped) -> Iterator[Row]:
    """Yield the rows of ``flags``, in their order."""
    for position, flag in enumerate(unwrapped.flags):
        yield {"seq": seq, "position": position, "flag": encode_text(flag)}


@_readable
def decode_entry(row: Mapping[str, Any]) -> LedgerEntry:
    """Read a row of ``entries`` joined with ``receipts`` and ``folders``."""
    mailbox = mailbox_of(row["mailbox"], row["folder"])
    receipt = Receipt(
        seq=row["seq"],
        digest=Digest(row["digest"]),
        size_bytes=row["size_bytes"],
        ref=MessageRef(mailbox, row["uidvalidity"], row["uid"]),
        internal_date=decode_optional(row["internal_date"]),
        fetched_at=decode_instant(row["fetched_at"]),
        committed_at=decode_instant(row["committed_at"]),
        kind=decode_text(row["kind"]),
        quarantined=bool(row["quarantined"]),
        duplicate_of=row["duplicate_of"],
        fetch_flags=tuple(_decode_list(row["fetch_flags"])),
    )
    state, cleared_at = _standing(row["state"], row["cleared_at"])
    return LedgerEntry(receipt, _blob(row), state, cleared_at, row["clear_attempts"])


class Recorded(NamedTuple):
    """What the rows of an entry say: the leaf of its receipt, and where its bytes lie now."""

    leaf: bytes
    blob: BlobRef


@_readable
def decode_recorded(row: Mapping[str, Any]) -> Recorded:
    """Read the same row for a proof: nothing is decoded that could hide another form."""
    return Recorded(leaf_of([row[name] for name in STORED_ENTRY]), _blob(row))


@_readable
def decode_standing(row: Mapping[str, Any]) -> tuple[State, datetime | None]:
    """Read the state from a row of ``entries``, and when deletion was last asked for."""
    return _standing(row["state"], row["cleared_at"])


@lru_cache(maxsize=1024)
def _standing(state: str, cleared_at: str | None) -> tuple[State, datetime | None]:
    """Read both once for all that were asked for together: thousands, in one listing."""
    return State(state), decode_optional(cleared_at)


@_readable
def decode_blob(row: Mapping[str, Any]) -> BlobRef:
    """Read where a blob lies from a row of ``entries``."""
    return _blob(row)


def _blob(row: Mapping[str, Any]) -> BlobRef:
    return BlobRef(
        segment=decode_text(row["segment"]),
        frame_offset=row["frame_offset"],
        frame_bytes=row["frame_bytes"],
        offset=row["blob_offset"],
        size_bytes=row["blob_bytes"],
        digest=Digest(row["blob_digest"]),
        stored_bytes=row["stored_bytes"],
    )


@_readable
def decode_unwrapped(
    row: Mapping[str, Any],
    nested: Sequence[Row],
    recipients: Sequence[tuple[int, Recipient]],
    originals: Sequence[Original],
    flags: Sequence[str],
) -> Unwrapped:
    """Read a row of ``envelopes`` and put its lists to it; ``nested`` are rows as well."""
    outermost, *others = (
        Envelope(
            sender=decode_text(each["sender"]),
            on_behalf_of=decode_text(each["on_behalf_of"]),
            subject=decode_text(each["subject"]),
            message_id=decode_text(each["message_id"]),
            recipients=tuple([recipient for place, recipient in recipients if place == number]),
            raw_lines=tuple(_decode_list(each["raw_lines"])),
            level=each["level"],
        )
        for number, each in enumerate((row, *nested))
    )
    return Unwrapped(
        kind=Kind(row["kind"]),
        envelope=outermost,
        originals=tuple(originals),
        trust=Trust(row["trust"]),
        trust_reasons=tuple(_decode_list(row["trust_reasons"])),
        flags=tuple(flags),
        reason=decode_text(row["reason"]),
        nested=tuple(others),
    )


@_readable
def decode_recipient(row: Mapping[str, Any]) -> tuple[int, Recipient]:
    """Read a row of ``recipients``: which envelope it belongs to, and the recipient."""
    return row["envelope"], Recipient(
        address=decode_text(row["address"]),
        kind=RecipientKind(row["kind"]),
        via=tuple(Redirection(how, address) for how, address in _decode_list(row["via"])),
        source=decode_text(row["source"]),
        derived=bool(row["derived"]),
        level=row["level"],
        undisclosed=bool(row["undisclosed"]),
    )


@_readable
def decode_original(row: Mapping[str, Any]) -> Original:
    """Read a row of ``originals``."""
    return Original(
        offset=row["offset"],
        length=row["length"],
        digest=Digest(row["digest"]),
        role=Role(row["role"]),
        transfer_encoding=decode_text(row["transfer_encoding"]),
        level=row["level"],
    )
