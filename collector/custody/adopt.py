"""Brings a ledger up to what the segments hold: after a crash, and for a rebuild.

Rule: the segments are the truth, the ledger is their index.  Recovery is a
rebuild that begins at the last entry known; both run the same lines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from collector.domain.blob import BlobRef
from collector.domain.custody import PendingEntry, Settlement
from collector.domain.errors import IntegrityError
from collector.domain.journal import JournalFormat
from collector.formats.unwrap import unwrap
from collector.ledger.ledger import Ledger
from collector.store.archive import Archive, Damage, StoredReceipt, StoredSettlements

BATCH_MESSAGES_MAX = 100


@dataclass(slots=True)
class Adopted:
    """What was taken over, and what could not be read."""

    entries_count: int = 0
    settlements_count: int = 0
    damages: list[Damage] = field(default_factory=list)


def adopt(
    archive: Archive,
    ledger: Ledger,
    format_of: Callable[[str], JournalFormat] = lambda _name: JournalFormat.AUTO,
    progress: Callable[[int], None] = lambda _count: None,
) -> Adopted:
    """Commit every stored entry that the ledger does not name yet.

    Args:
        format_of: what a mailbox of that name is configured to hold.
        progress: called with the number of entries taken over so far.

    Raises:
        IntegrityError: a receipt names a first copy that is nowhere.
    """
    return _Adoption(archive, ledger, format_of, progress).run()


@dataclass(slots=True)
class _Adoption:
    archive: Archive
    ledger: Ledger
    format_of: Callable[[str], JournalFormat]
    progress: Callable[[int], None]
    done: Adopted = field(default_factory=Adopted)
    pending: list[PendingEntry] = field(default_factory=list)

    def run(self) -> Adopted:
        last = self.ledger.last_blob()
        for found in self.archive.scan(last.segment if last else ""):
            match found:
                case StoredReceipt():
                    self._receipt(found)
                case StoredSettlements(settlements):
                    self._settlements(settlements)
                case Damage():
                    self.done.damages.append(found)
        self._flush()
        return self.done

    def _receipt(self, found: StoredReceipt) -> None:
        last = self.pending[-1].receipt.seq if self.pending else self.ledger.last_seq()
        if found.receipt.seq <= last:
            return
        blob = found.blob or self._first_copy(found)
        journal_format = self.format_of(found.receipt.ref.mailbox.name)
        unwrapped = unwrap(self.archive.raw(blob), journal_format)
        self.pending.append(PendingEntry(found.receipt, blob, unwrapped))
        if len(self.pending) >= BATCH_MESSAGES_MAX:
            self._flush()

    def _first_copy(self, found: StoredReceipt) -> BlobRef:
        for pending in self.pending:
            if pending.receipt.digest == found.receipt.digest:
                return pending.blob
        first = self.ledger.find_digest(found.receipt.digest)
        if first is None:
            raise IntegrityError(
                "a receipt names a first copy that is not in the archive",
                subject=f"seq {found.receipt.seq}, {found.receipt.digest}",
                hint="bring back the missing segment and run `collector rebuild` again",
            )
        return first[1]

    def _settlements(self, settlements: Iterable[Settlement]) -> None:
        self._flush()
        known = [each for each in settlements if each.seq <= self.ledger.last_seq()]
        self.ledger.settle(known)
        self.done.settlements_count += len(known)

    def _flush(self) -> None:
        if self.pending:
            self.ledger.commit(self.pending)
            self.done.entries_count += len(self.pending)
            self.pending.clear()
            self.progress(self.done.entries_count)
