"""Receipts, messages and archives that the tests of the store room share."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from collector.domain.blob import BlobRef, Digest, RawBytes
from collector.domain.custody import Receipt, Settlement, State
from collector.domain.mailbox import MailboxId, MessageRef
from collector.store.archive import Archive, Damage, StoredReceipt
from collector.store.writer import ArchiveWriter

NOW = datetime(2026, 3, 4, 5, 6, 7, 89, tzinfo=UTC)
REF = MailboxId("journal", "INBOX/Überläufe")


def receipt_of(seq: int, raw: bytes, duplicate_of: int | None = None) -> Receipt:
    """Return the receipt of a message that arrived as number ``seq``."""
    return Receipt(
        seq=seq,
        digest=Digest.of(raw),
        size_bytes=len(raw),
        ref=MessageRef(REF, 7, 1000 + seq),
        internal_date=NOW - timedelta(hours=1),
        fetched_at=NOW,
        committed_at=NOW + timedelta(seconds=seq),
        kind="copy",
        quarantined=False,
        duplicate_of=duplicate_of,
        fetch_flags=("size-mismatch",),
    )


def settlement_of(seq: int) -> Settlement:
    """Return what became of message ``seq``."""
    return Settlement(seq, State.EXPUNGED, NOW, NOW + timedelta(minutes=seq))


def store(writer: ArchiveWriter, first_seq: int, raws: Sequence[bytes]) -> list[BlobRef]:
    """Append one batch of messages and return their places."""
    batch = [(receipt_of(seq, raw), RawBytes(raw)) for seq, raw in enumerate(raws, first_seq)]
    return [blob for blob in writer.append(batch) if blob is not None]


def seal_all(writer: ArchiveWriter) -> list[str]:
    """Seal everything that was appended; return the names of the sealed segments."""
    writer.roll(0)
    found = [writer.seal(name, lambda _sealed: None) for name in writer.waiting()]
    return [each.after.segment for each in found if each]


def stored_messages(root: Path) -> dict[int, bytes]:
    """Return every message a scan of the archive finds, read back by its place."""
    archive = Archive(root)
    messages = {}
    for found in archive.scan_from(None):
        if isinstance(found, StoredReceipt) and found.blob:
            pieces: list[bytes] = []
            archive.copy(found.blob, pieces.append)
            messages[found.receipt.seq] = b"".join(pieces)
    return messages


def damages(root: Path) -> list[Damage]:
    """Return what a scan of the archive cannot read."""
    return [found for found in Archive(root).scan_from(None) if isinstance(found, Damage)]


def segment_file(root: Path, name: str = "000001") -> Path:
    """Return the file of a segment."""
    return root / "segments" / f"{name}.tar.zst"


def sealed_file(root: Path, name: str = "000001") -> Path:
    """Return the file of a segment that was sealed."""
    return segment_file(root, f"{name}.sealed")


def set_byte(path: Path, offset: int, mask: int) -> None:
    """Flip the bits of ``mask`` in one byte of a file."""
    path.chmod(0o600)
    raw = bytearray(path.read_bytes())
    raw[offset] ^= mask
    path.write_bytes(raw)
