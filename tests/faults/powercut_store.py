"""The store alone under power cuts: nothing that follows can hide a sync that is missing.

Beside a ledger a missing sync of a directory stays unseen, because the ledger's
own sync takes the new name to the disk with it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import fault_mail
from archive_reader import Archived, read_archive

from collector.domain.blob import Digest, RawBytes
from collector.domain.custody import Receipt, Settlement, State
from collector.domain.errors import CollectorError
from collector.domain.mailbox import MailboxId, MessageRef
from collector.store.archive import Archive, Damage
from collector.store.writer import ArchiveWriter

BATCHES = (1, 8, 1, 3, 1, 1, 12, 2, 1, 5)
ROUNDS = 4
SIZES_BYTES = (700, 4_000, 20_000, 60_000)
AT = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
MAILBOX = MailboxId("journal", "INBOX")


def raw_message(seq: int) -> bytes:
    """Return the bytes stored under ``seq``."""
    return fault_mail.message(fault_mail.PLAIN, seq, SIZES_BYTES[seq % len(SIZES_BYTES)])


def receipt_of(seq: int, raw: bytes) -> Receipt:
    """Return the receipt of a message stored under ``seq``."""
    return Receipt(
        seq=seq,
        digest=Digest.of(raw),
        size_bytes=len(raw),
        ref=MessageRef(MAILBOX, 1, seq),
        internal_date=AT,
        fetched_at=AT,
        committed_at=AT,
        kind="copy",
        quarantined=False,
    )


def workload(root: Path, promise: Callable[[str], None]) -> None:
    """Store batches, settle, seal, and start again after a stop that was not clean.

    Args:
        promise: called with a digest as soon as the store said it is durable.
    """
    seq = 1
    for number in range(ROUNDS):
        writer = ArchiveWriter.open(root)
        for count in BATCHES:
            seqs = range(seq, seq + count)
            writer.append([_item(each) for each in seqs])
            seq += count
            for each in seqs:
                promise(hashlib.sha256(raw_message(each)).hexdigest())
        writer.append_settlements([Settlement(each, State.EXPUNGED, AT, AT) for each in seqs])
        if number % 2:
            seal_all(writer)
            writer.close()
        else:
            writer.abandon()


def seal_all(writer: ArchiveWriter) -> None:
    """Seal every segment, however small; there is no ledger to switch."""
    writer.roll(bytes_min=1)
    for name in writer.waiting():
        writer.seal(name, lambda _sealed: None)


def problems(root: Path, promised: list[str]) -> list[str]:
    """Return what a cut took that was promised, and what recovery could not do."""
    found = read_archive(root)
    bad = _missing(found, promised)
    try:
        _go_on(root, max((each["seq"] for each in found.receipts), default=0) + 1)
    except (CollectorError, OSError) as error:
        return [*bad, f"recovery failed: {error}"]
    after = read_archive(root)
    bad += [f"after recovery: {each}" for each in _missing(after, promised)]
    damages = [each for each in Archive(root).scan_from(None) if isinstance(each, Damage)]
    bad += [f"after recovery: {each}" for each in damages if not each.torn_tail]
    return bad


def _missing(found: Archived, promised: list[str]) -> list[str]:
    lost = [f"lost: {digest[:16]}" for digest in promised if not found.copies[digest]]
    doubled = [f"doubled: {digest[:16]}" for digest, count in found.copies.items() if count > 1]
    return lost + doubled + found.broken


def _go_on(root: Path, seq: int) -> None:
    """Start as after a cut, store one more message, and seal what was left behind."""
    with ArchiveWriter.open(root) as writer:
        writer.recover(None)
        writer.append([_item(seq)])
        seal_all(writer)


def _item(seq: int) -> tuple[Receipt, RawBytes]:
    raw = raw_message(seq)
    return receipt_of(seq, raw), RawBytes(raw)
