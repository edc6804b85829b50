"""Checks an archive: every entry against its bytes, ledger and segments against each other.

Rule: names everything that is broken and goes on; reads, and changes nothing.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path

from collector.custody.checkpoints import checkpoint_files, read_file
from collector.domain.blob import BlobRef
from collector.domain.custody import LedgerEntry
from collector.domain.errors import IntegrityError
from collector.domain.evidence import Event
from collector.evidence.note import VerifierKey
from collector.ledger.ledger import Ledger
from collector.store.archive import Archive, Damage, StoredEvents, StoredReceipt

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
class Signed:
    """The checkpoints of an archive, and the keys that count.

    Attributes:
        directory: where they lie.
        keys: those that were published, or for want of better those that lie there.
    """

    directory: Path
    keys: Sequence[VerifierKey]

    def read(self, roots: dict[int, bytes]) -> Iterator[Problem]:
        """Put the roots that were signed into ``roots``, by size; yield what cannot be believed."""
        for path in checkpoint_files(self.directory):
            try:
                checkpoint = read_file(path, self.keys).checkpoint
                roots[checkpoint.size] = checkpoint.root
            except IntegrityError as error:
                yield Problem(error.what, f"checkpoint {path.name}")


@dataclass(frozen=True, slots=True)
class Audit:
    """What is compared.

    Attributes:
        signed: the checkpoints to compare the log with; ``None``: with none.
        progress: called with the number of entries done since the last call.
        leaves: the same for leaves of the log.
    """

    archive: Archive
    ledger: Ledger
    signed: Signed | None = None
    progress: Callable[[int], None] = lambda _count: None
    leaves: Callable[[int], None] = lambda _count: None

    def everything(self) -> Iterator[Problem]:
        """Yield all problems: rows, log, checkpoints, foreign files, bytes, segments."""
        yield from self.without_bodies()
        for name in self.archive.foreign_files():
            yield Problem("this file does not belong to the archive", name)
        yield from self._bytes(self.ledger.entries())
        yield from self._segments()

    def some(self, since: datetime | None, sample: int | None) -> Iterator[Problem]:
        """Yield the problems of rows and log, and of the bytes of some entries.

        Of those since an instant, or of a random sample of them.
        """
        yield from self.without_bodies()
        entries = self.ledger.entries()
        if since is not None:
            entries = (entry for entry in entries if entry.receipt.committed_at >= since)
        if sample is not None:
            yield from self._bytes(iter(_sample(entries, sample)))
        else:
            yield from self._bytes(entries)

    def without_bodies(self) -> Iterator[Problem]:
        """Yield where rows, log and checkpoints contradict each other; reads no message."""
        for text in self.ledger.check_consistency():
            yield Problem(text, "ledger.db")
        roots: dict[int, bytes] = {}
        if self.signed is not None:
            yield from self.signed.read(roots)
        for found in self.ledger.check_log(roots, self.leaves):
            yield Problem(found.what, "ledger.db", found.seq)

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
                case StoredEvents(events):
                    yield from self._events(events)

    def _events(self, events: Sequence[Event]) -> Iterator[Problem]:
        for event in events:
            if self.ledger.event(event.number) not in {None, event}:
                what = f"the ledger's event {event.number} differs from the stored one"
                yield Problem(what, "ledger.db")

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
