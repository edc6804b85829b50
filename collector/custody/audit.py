"""Checks an archive: every entry against its bytes, ledger and segments against each other.

Rule: names everything that is broken and goes on; reads, and changes nothing.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from collector.domain.blob import BlobRef
from collector.domain.custody import LedgerEntry
from collector.ledger.ledger import Ledger
from collector.store.archive import Archive, Damage, StoredReceipt

WINDOW_MESSAGES = 500


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is not as it was recorded.

    Attributes:
        seq: the entry concerned, ``None`` when it is not one entry.
        subject: segment, file or table.
    """

    what: str
    subject: str
    seq: int | None = None
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Audit:
    """What is compared.

    Attributes:
        progress: called with the number of entries done since the last call.
    """

    archive: Archive
    ledger: Ledger
    progress: Callable[[int], None] = lambda _count: None

    def everything(self) -> Iterator[Problem]:
        """Yield all problems: bytes, rows, segments, foreign files."""
        for text in self.ledger.check_consistency():
            yield Problem(text, "ledger.db")
        for name in self.archive.foreign_files():
            yield Problem("this file does not belong to the archive", name)
        yield from self._bytes(self.ledger.entries())
        yield from self._segments()

    def some(self, since: datetime | None, sample: int | None) -> Iterator[Problem]:
        """Yield the problems of the entries since an instant, or of a random sample."""
        entries = self.ledger.entries()
        if since is not None:
            entries = (entry for entry in entries if entry.receipt.committed_at >= since)
        if sample is not None:
            yield from self._bytes(iter(_sample(entries, sample)))
        else:
            yield from self._bytes(entries)

    def _bytes(self, entries: Iterator[LedgerEntry]) -> Iterator[Problem]:
        """Re-read and re-hash, as a proof does."""
        while window := list(islice(entries, WINDOW_MESSAGES)):
            by_blob = {reread.blob: reread for reread in self.archive.reread(_blobs(window))}
            for entry in window:
                reread = by_blob[entry.blob]
                if reread.digest != entry.receipt.digest:
                    what = reread.problem or "its bytes have another digest"
                    yield _problem(entry, what)
            self.progress(len(window))

    def _segments(self) -> Iterator[Problem]:
        """Compare what the segments say of themselves with the ledger."""
        for found in self.archive.scan():
            match found:
                case Damage(torn_tail=False):
                    where = f"segment {found.segment}, byte {found.frame_offset}"
                    yield Problem(found.problem, where)
                case StoredReceipt():
                    yield from self._receipt(found)

    def _receipt(self, found: StoredReceipt) -> Iterator[Problem]:
        record = self.ledger.record(found.receipt.seq)
        if record is None and found.receipt.seq > self.ledger.last_seq():
            return  # stored, and about to be committed; or adopted at the next start
        if record is None:
            yield Problem(
                "a stored message is not in the ledger; run `collector rebuild`",
                found.blob.segment if found.blob else "",
                found.receipt.seq,
                str(found.receipt.digest),
            )
        elif record.entry.receipt != found.receipt:
            yield _problem(record.entry, "the ledger's row differs from the stored receipt")
        elif found.blob is not None and _elsewhere(record.entry.blob, found.blob):
            yield _problem(record.entry, "the ledger names another place for these bytes")


def _elsewhere(recorded: BlobRef, found: BlobRef) -> bool:
    """Say whether a place is not the one found; in another segment it is read for itself."""
    return recorded.segment == found.segment and recorded != found


def _blobs(entries: Sequence[LedgerEntry]) -> list[BlobRef]:
    return list({entry.blob for entry in entries})


def _problem(entry: LedgerEntry, what: str) -> Problem:
    return Problem(what, f"segment {entry.blob.segment}", entry.seq, str(entry.receipt.digest))


def _sample(entries: Iterator[LedgerEntry], size: int) -> list[LedgerEntry]:
    """Return ``size`` entries, each as likely as any other (reservoir), in order."""
    kept: list[LedgerEntry] = []
    for count, entry in enumerate(entries, 1):
        if len(kept) < size:
            kept.append(entry)
        elif (place := random.randrange(count)) < size:  # noqa: S311 - a sample, not a secret
            kept[place] = entry
    return sorted(kept, key=lambda entry: entry.seq)
