"""Brings a ledger up to what the segments hold: after a crash, and for a rebuild.

Rule: the segments are the truth, the ledger is their index.  Recovery is a
rebuild that begins at the last entry known; both run the same lines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from collector.custody.indexing import index
from collector.domain.blob import BlobRef
from collector.domain.custody import PendingEntry, Settlement
from collector.domain.errors import IntegrityError
from collector.domain.evidence import Event
from collector.domain.journal import UNCONFIGURED, JournalProfile
from collector.ledger.ledger import Ledger
from collector.store.archive import (
    Archive,
    Damage,
    StoredEvents,
    StoredReceipt,
    StoredSettlements,
)

BATCH_MESSAGES_MAX = 100


@dataclass(slots=True)
class Adopted:
    """What was taken over, and what could not be read.

    Attributes:
        missing_count: numbers that no receipt was found for.
    """

    entries_count: int = 0
    missing_count: int = 0
    settlements_count: int = 0
    events_count: int = 0
    damages: list[Damage] = field(default_factory=list)


def unconfigured(_name: str) -> JournalProfile:
    """Return what is believed of a mailbox that nobody configured."""
    return UNCONFIGURED


def adopt(
    archive: Archive,
    ledger: Ledger,
    profile_of: Callable[[str], JournalProfile] = unconfigured,
    progress: Callable[[int], None] = lambda _count: None,
    *,
    salvage: bool = False,
) -> Adopted:
    """Commit every stored entry that the ledger does not name yet, and log every event.

    Args:
        salvage: pass over what cannot be read or found, and leave gaps.
        profile_of: what a mailbox of that name is configured to hold.
        progress: called with the number of entries taken over so far.

    Raises:
        IntegrityError: something cannot be read, so that it is not known which numbers
            are taken; numbers are missing; or a receipt names a first copy that is nowhere.
    """
    return _Adoption(archive, ledger, profile_of, progress, salvage).run()


@dataclass(slots=True)
class _Adoption:
    archive: Archive
    ledger: Ledger
    profile_of: Callable[[str], JournalProfile]
    progress: Callable[[int], None]
    salvage: bool
    done: Adopted = field(default_factory=Adopted)
    pending: list[PendingEntry] = field(default_factory=list)
    last_seq: int = 0

    def run(self) -> Adopted:
        self.last_seq = self.ledger.last_seq()
        last = self.ledger.last_blob()
        for found in self.archive.scan_from(last):
            match found:
                case StoredReceipt():
                    self._receipt(found)
                case StoredSettlements(settlements):
                    self._settlements(settlements)
                case StoredEvents(events):
                    self._events(events)
                case Damage():
                    self._damage(found)
        self._flush()
        return self.done

    def _damage(self, found: Damage) -> None:
        if found.unread and not self.salvage:
            raise IntegrityError(
                f"what the last process stored cannot be read back: {found.problem}",
                subject=f"segment {found.segment}",
                hint="look at the disk; bring the segment back from a copy, or move it aside "
                "and run `collector rebuild`",
            )
        self.done.damages.append(found)

    def _receipt(self, found: StoredReceipt) -> None:
        if found.receipt.seq <= self.last_seq:
            return
        blob = found.blob or self._first_copy(found)
        if blob is None:
            return
        self.done.missing_count += found.receipt.seq - self.last_seq - 1
        self.last_seq = found.receipt.seq
        profile = self.profile_of(found.receipt.ref.mailbox.name)
        raw = found.raw or self.archive.raw(blob)
        self.pending.append(PendingEntry(found.receipt, blob, index(raw, profile)))
        if len(self.pending) >= BATCH_MESSAGES_MAX:
            self._flush()

    def _first_copy(self, found: StoredReceipt) -> BlobRef | None:
        for pending in self.pending:
            if pending.receipt.digest == found.receipt.digest:
                return pending.blob
        first = self.ledger.find_digest(found.receipt.digest)
        if first is None and not self.salvage:
            raise IntegrityError(
                "a receipt names a first copy that is not in the archive",
                subject=f"seq {found.receipt.seq}, {found.receipt.digest}",
                hint="bring back the missing segment and run `collector rebuild` again",
            )
        return first[1] if first else None

    def _settlements(self, settlements: Iterable[Settlement]) -> None:
        self._flush()
        known = self._known(settlements)
        self.ledger.settle(known)
        self.done.settlements_count += len(known)

    def _events(self, events: Sequence[Event]) -> None:
        self._flush()  # leaves stand in the order of the segments
        self.done.events_count += self.ledger.log_events(events)

    def _known(self, settlements: Iterable[Settlement]) -> list[Settlement]:
        known = [each for each in settlements if each.seq <= self.last_seq]
        if self.done.missing_count:
            known = [each for each in known if self.ledger.record(each.seq)]
        return known

    def _flush(self) -> None:
        if self.pending:
            self.ledger.commit(self.pending, gaps=self.salvage)
            self.done.entries_count += len(self.pending)
            self.pending.clear()
            self.progress(self.done.entries_count)
