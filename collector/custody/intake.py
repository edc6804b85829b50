"""The one door into the archive: numbers, stores and commits a batch in its turn.

Rule: segments and ledger hold the same entries.  A batch that became durable
in a segment but not in the ledger (crash, full disk) is adopted before the
next one is numbered, so no sequence number is ever used twice.

One ``Intake`` serves all mailboxes of an archive: one stores while another commits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import structlog

from collector.custody.adopt import adopt, unconfigured
from collector.custody.checkpoints import Checkpoints
from collector.custody.indexing import Indexing, Promise
from collector.custody.rereading import Found, Rereading
from collector.custody.sealing import Sealing
from collector.custody.turns import Turns
from collector.domain.blob import BlobRef, Digest
from collector.domain.custody import (
    Indexed,
    LedgerEntry,
    PendingEntry,
    Proof,
    Receipt,
    Settlement,
    State,
)
from collector.domain.errors import ConfigError, CycleError
from collector.domain.journal import JournalProfile
from collector.domain.mailbox import Fetched, Listing, Unfetched
from collector.ledger.ledger import Ledger
from collector.store.archive import Archive
from collector.store.writer import ArchiveWriter

log = structlog.get_logger("collector.custody")

DAY = timedelta(days=1)
SETTLED_AT_ONCE = 10_000
"""A mailbox of 200,000 messages is settled by one listing: their texts are not held at once."""
NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Arrived:
    """A fetched message, when it came (UTC), and what the index shall hold of it."""

    fetched: Fetched
    fetched_at: datetime
    indexed: Indexed


@dataclass(frozen=True, slots=True)
class Promised:
    """The same while it is being found out what the index shall hold."""

    fetched: Fetched
    fetched_at: datetime
    indexed: Promise

    def arrived(self) -> Arrived:
        """Wait for it."""
        return Arrived(self.fetched, self.fetched_at, self.indexed())


@dataclass(frozen=True, slots=True)
class HandedOver:
    """A batch as the server handed it over."""

    promised: list[Promised]
    unfetched: list[Unfetched]


@dataclass(frozen=True, slots=True)
class Committed:
    """A batch that is ours, and what of it the server would not hand over."""

    entries: list[LedgerEntry]
    unfetched: list[Unfetched]


@dataclass(frozen=True, slots=True)
class LastBatch:
    """The batch that was stored last; the ledger may not name it yet.

    Attributes:
        places: ``seq`` and place of what holds its bytes.
    """

    last_seq: int = 0
    places: Mapping[Digest, tuple[int, BlobRef | None]] = field(default_factory=dict)


@dataclass(slots=True)
class Intake:
    """The archive as the cycles of this process see it.

    Attributes:
        checkpoints: of the log; ``None``: nothing is signed.
        profile_of: what a mailbox of that name is configured to hold.
        indexing: makes what the index shall hold of new messages.
        rereading: reads back what is stored.
    """

    writer: ArchiveWriter
    ledger: Ledger
    archive: Archive
    checkpoints: Checkpoints | None = None
    profile_of: Callable[[str], JournalProfile] = unconfigured
    indexing: Indexing = field(default_factory=Indexing)
    rereading: Rereading = field(default_factory=Rereading)
    _turns: Turns = field(init=False)
    _sealing: Sealing = field(init=False)
    _last_batch: LastBatch = field(default_factory=LastBatch, init=False)
    _day_began: datetime = field(default=NEVER, init=False)

    def __post_init__(self) -> None:
        self._turns = Turns(self._storing, self._adopt)
        self._sealing = Sealing(self.writer, self.ledger, self.turn)

    def turn(self) -> AbstractContextManager[None]:
        """Enter alone, with segments and ledger level.

        Raises:
            IntegrityError: an fsync failed before, or what the segments hold
                cannot be adopted.
        """
        return self._turns.alone()

    def batch(self) -> AbstractContextManager[Callable[[], None]]:
        """Enter to store a batch, call what is yielded, and commit it.

        Raises:
            CycleError: by that call: the batch before was not committed.
            IntegrityError: as ``turn``.
        """
        return self._turns.batch()

    @contextmanager
    def _storing(self) -> Iterator[None]:
        with self.writer.turn():
            self.check_sound()
            yield

    def _adopt(self) -> None:
        adopt(self.archive, self.ledger, self.profile_of)
        self._last_batch = LastBatch()

    def check_sound(self) -> None:
        """Raise ``IntegrityError`` when a write of this process could not be made durable."""
        self.writer.check_sound()

    def store(self, arrived: Sequence[Arrived], now: datetime) -> list[PendingEntry]:
        """Append a batch to the open segment; durable when this returns.

        Bytes the archive holds already are not stored again: the arrival gets an
        entry and a receipt of its own that name the first copy.
        """
        receipts: list[Receipt] = []
        digests = [each.fetched.raw.digest for each in arrived]
        before = self._last_batch
        first_copies = {**before.places, **self.ledger.find_digests(digests)}
        last_seq = max(before.last_seq, self.ledger.last_seq())
        for seq, each in enumerate(arrived, last_seq + 1):
            digest = each.fetched.raw.digest
            first = first_copies.get(digest)
            first_copies[digest] = first or (seq, None)
            receipts.append(_receipt(seq, each, first[0] if first else None, now))
        blobs = self.writer.append(
            [
                (receipt, each.fetched.raw if receipt.duplicate_of is None else None)
                for receipt, each in zip(receipts, arrived, strict=True)
            ]
        )
        pending = []
        for receipt, blob, each in zip(receipts, blobs, arrived, strict=True):
            if blob is not None:
                first_copies[receipt.digest] = (receipt.seq, blob)
            where = first_copies[receipt.digest][1]
            assert where is not None, "a duplicate follows its first copy"  # noqa: S101
            pending.append(PendingEntry(receipt, where, each.indexed))
        if pending:
            places = {digest: first_copies[digest] for digest in digests}
            self._last_batch = LastBatch(pending[-1].receipt.seq, places)
        return pending

    def commit(self, pending: Sequence[PendingEntry]) -> list[LedgerEntry]:
        """Name the stored batch in the ledger, in one transaction: the commit point."""
        return self.ledger.commit(pending) if pending else []

    def read_back(self, seqs: Sequence[int]) -> list[Found]:
        """Return what medium and database hold of these entries now.

        Raises:
            IntegrityError: a row is missing or cannot be read.
        """
        return self.rereading.read(seqs, self.archive, self.ledger)

    def settle(self, listing: Listing, now: datetime) -> list[Settlement]:
        """Write down what the listing no longer shows; in a segment first, then in the ledger."""
        with self.turn():
            settlements = self.ledger.unsettled(listing, now)
            for start in range(0, len(settlements), SETTLED_AT_ONCE):
                self._settle(settlements[start : start + SETTLED_AT_ONCE])
            return settlements

    def _settle(self, settlements: Sequence[Settlement]) -> None:
        self.writer.append_settlements(settlements)
        self.ledger.settle(settlements)

    def attest(self, now: datetime) -> None:
        """Put what was recorded since the last call into the log, and sign its head.

        What cannot be done now is done the next time.

        Raises:
            IntegrityError: as ``turn``, or the log does not continue what was signed.
        """
        try:
            if now - self._day_began >= DAY:
                if self._day_began != NEVER:
                    self.ledger.record_event("log.continued", now)
                self._day_began = now
            self._log_events()
            if self.checkpoints is not None:
                self.checkpoints.issue(self.ledger.log)
        except (CycleError, ConfigError) as error:
            log.warning("log.behind", error=error.problem, hint=error.hint)

    def _log_events(self) -> None:
        """Put events into the log; in a segment first, then into the ledger."""
        with self.turn():
            while events := self.ledger.unlogged_events():
                self.writer.append_events(events)
                self.ledger.log_events(events)

    def supersede(self, strangers: Sequence[Proof], now: datetime) -> list[Settlement]:
        """Write down that UIDs name other messages now; these are then due as new arrivals."""
        settlements = [Settlement(each.seq, State.SUPERSEDED, now, now) for each in strangers]
        if settlements:
            with self.turn():
                self._settle(settlements)
        return settlements

    def seal(self) -> None:
        """Begin to seal the segments that are full, beside the cycles; returns at once.

        Raises:
            IntegrityError: a segment sealed since the last call is damaged, or an
                fsync failed.
        """
        self._sealing.begin()

    def finish_sealing(self, stop: Callable[[], bool]) -> None:
        """Wait until what ``seal`` has begun is done, or until ``stop`` says so.

        Raises:
            IntegrityError: as ``seal``.
        """
        self._sealing.finish(stop)


def _receipt(seq: int, arrived: Arrived, duplicate_of: int | None, now: datetime) -> Receipt:
    fetched, indexed = arrived.fetched, arrived.indexed
    return Receipt(
        seq=seq,
        digest=fetched.raw.digest,
        size_bytes=fetched.raw.size_bytes,
        ref=fetched.announced.ref,
        internal_date=fetched.announced.internal_date,
        fetched_at=arrived.fetched_at,
        committed_at=now,
        kind=indexed.kind,
        quarantined=indexed.quarantined,
        duplicate_of=duplicate_of,
        fetch_flags=fetched.flags,
    )
