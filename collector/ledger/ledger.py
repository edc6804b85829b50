"""The ledger as the hallway uses it: every promise, and every transaction.

Rule: what a method writes is durable when it returns, all of it or nothing.
Every instant comes in as an argument, aware and in UTC.

One ``Ledger`` serves all threads of a process; each has its own connection.
All methods raise ``CycleError`` (disk full, locked too long), ``IntegrityError``
(damaged, or a failed fsync: nothing is written after that) and ``ConfigError``
(not writable, WAL not in force) as ``database`` says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from collector.domain.blob import BlobRef, Digest
from collector.domain.custody import LedgerEntry, PendingEntry, Proof, Settlement, Summary
from collector.domain.errors import MessageError
from collector.domain.evidence import Event
from collector.domain.mailbox import Listing, MailboxId, MessageRef
from collector.ledger import (
    consistency,
    entries,
    log,
    log_audit,
    polls,
    records,
    states,
    status,
)
from collector.ledger.accounts import Accounts
from collector.ledger.canaries import Canaries
from collector.ledger.database import LedgerDatabase
from collector.ledger.file import file_exists, is_read_only, no_ledger
from collector.ledger.index_audit import Index
from collector.ledger.log import Log
from collector.ledger.memory import Memory
from collector.ledger.migrate import SyncDirectory, check_migrated, is_unmade, migrate
from collector.ledger.query import (
    EVERYTHING,
    Filter,
    LogProblem,
    MailboxStatus,
    Observation,
    Record,
    SetAsideMessage,
)
from collector.ledger.rows import Recorded
from collector.ledger.throttles import Throttles
from collector.ledger.watched import Failure

EVENTS_MAX = 1_000
UNLOGGED_MAX = 1_000
SET_ASIDE_MAX = 1_000


class Ledger:
    """The index of the archive and the memory of the mailboxes.

    Attributes:
        log: the Merkle tree over entries and events, as it is read.
        index: what the messages are, as it is compared with their bytes.
        throttles: how much the servers of the mailboxes let us have.
        memory, canaries: what is watched, and what was told of it; our own test mails.
    """

    def __init__(self, database: LedgerDatabase) -> None:
        self._database = database
        self.log = Log(database)
        self.index = Index(database)
        self.accounts = Accounts(database)
        self.memory = Memory(database)
        self.canaries = Canaries(database)
        self.throttles = Throttles(database)
        self._second = LedgerDatabase(database.path, read_only=database.read_only)

    @classmethod
    def open(cls, path: Path, *, create: bool, sync_directory: SyncDirectory) -> Ledger:
        """Open the ledger; the thread that does keeps a connection until ``close``.

        Args:
            path: of the database file.
            create: make a new one when there is none, or when the making of one was
                interrupted before it had any table.
            sync_directory: makes the names in a directory durable.

        Raises:
            ConfigError: there is none, or its tables are older or newer than this
                program, or the file system cannot hold it safely.
        """
        if create and is_unmade(path):
            migrate(path, sync_directory)
        elif not file_exists(path):
            raise no_ledger(path)
        database = LedgerDatabase(path)
        try:
            database.hold()
            with database.reading():
                check_migrated(database)
            sync_directory(path.parent)  # SQLite ignores errors of its own directory sync
        except BaseException:
            database.close()
            raise
        return cls(database)

    @classmethod
    def open_reading(cls, path: Path, sync_directory: SyncDirectory) -> Ledger:
        """Open the ledger to read it and to record events; read-only where it must be.

        Raises:
            ConfigError: as ``open``; or it is read-only, and was copied while in use
                without all its files.
        """
        if not file_exists(path) or not is_read_only(path):
            return cls.open(path, create=False, sync_directory=sync_directory)
        database = LedgerDatabase(path, read_only=True)
        database.hold()
        with database.reading():
            check_migrated(database)
        return cls(database)

    @property
    def read_only(self) -> bool:
        """Whether nothing can be recorded."""
        return self._database.read_only

    @contextmanager
    def session(self) -> Iterator[None]:
        """Keep this thread's connections open for a block; without it each call opens one."""
        with self._database.session(), self._second.session():
            yield

    def close(self) -> None:
        """Close this thread's connections."""
        self._database.close()
        self._second.close()

    # Entries

    def last_seq(self) -> int:
        """Return the highest ``seq``, 0 when the ledger is empty."""
        with self._database.reading():
            return entries.last_seq(self._database)

    def last_blob(self) -> BlobRef | None:
        """Return where the highest entry lies that has its own bytes."""
        with self._database.reading():
            return entries.last_blob(self._database)

    def find_digest(self, digest: Digest) -> tuple[int, BlobRef] | None:
        """Return ``seq`` and place of the entry that holds these bytes itself."""
        return self.find_digests([digest]).get(digest)

    def find_digests(self, digests: Sequence[Digest]) -> dict[Digest, tuple[int, BlobRef]]:
        """The same for many at once; what the archive does not hold is left out."""
        with self._database.reading():
            return entries.find_digests(self._database, digests)

    def held(self, refs: Sequence[MessageRef]) -> list[LedgerEntry]:
        """Return the open entries of these references, in their order.

        A settled one that is listed again does not count: the UID may name another
        message by now, so ``due`` has it fetched as a new arrival.

        Args:
            refs: of one mailbox and one UIDVALIDITY.
        """
        with self._database.reading():
            return entries.held(self._database, refs)

    def reread(self, seqs: Sequence[int]) -> list[Recorded]:
        """Return what the rows say, in order, through a second connection that never writes."""
        with self._second.reading():
            return entries.recorded(self._second, seqs)

    def commit(self, pending: Sequence[PendingEntry], *, gaps: bool = False) -> list[LedgerEntry]:
        """Take a batch over, in one transaction with its leaves: the commit point.

        The bytes must be durable before.  Messages that were set aside are so no more.

        Args:
            gaps: numbers may be missing, because what they named was lost.

        Raises:
            IntegrityError: its numbers do not continue those of the ledger, or a
                receipt and a location name different bytes.
        """
        with self._database.writing():
            taken = entries.insert(self._database, pending, gaps=gaps)
            log.add_entries(self._database, taken)
            return taken

    def clear(self, proofs: Sequence[Proof]) -> None:
        """Write down on which evidence deletion is about to be asked for.

        Raises:
            IntegrityError: a proof does not fit its entry, or the entry is settled.
        """
        with self._database.writing():
            states.clear(self._database, proofs)

    def settle(self, settlements: Sequence[Settlement]) -> None:
        """Write down what became of messages; may be repeated (recovery, rebuild)."""
        if settlements:
            with self._database.writing():
                states.settle(self._database, settlements)

    # Polls

    def due(self, refs: Sequence[MessageRef], now: datetime) -> list[MessageRef]:
        """Return what is to be fetched, in order; what was set aside before comes last.

        Args:
            refs: of one mailbox and one UIDVALIDITY.
            now: what was set aside is due again when its pause is over by then.
        """
        with self._database.reading():
            return polls.due(self._database, refs, now)

    def set_aside(self, ref: MessageRef, error: MessageError, now: datetime) -> int:
        """Note that the server did not hand a message over; return the attempts so far.

        It is due again after a minute, then after twice as long each time, up to a day.
        """
        with self._database.writing():
            return polls.set_aside(self._database, ref, error, now)

    def observe(self, listing: Listing, now: datetime) -> Observation:
        """Keep what a poll said; return how it differs from the poll before."""
        with self._database.writing():
            return polls.observe(self._database, listing, now)

    def unsettled(self, listing: Listing, now: datetime) -> list[Settlement]:
        """Return what a listing settles, by ``seq``.  Call it once for each, before ``observe``.

        Of a complete listing: a message whose deletion was asked for and that is not
        listed is expunged; one that nobody asked to delete has vanished, once two
        listings in a row lack it.  Of every listing: when UIDVALIDITY is another or
        UIDNEXT fell, what was known under the old references is superseded.
        """
        with self._database.reading():
            settlements, counts = polls.unsettled(self._database, listing, now)
        if counts:
            with self._database.writing():
                polls.count_absent(self._database, counts)
        return settlements

    def outlook(self, listing: Listing, now: datetime) -> tuple[list[Settlement], int]:
        """Return what ``unsettled`` would, and how many are absent for the first time."""
        with self._database.reading():
            settlements, counts = polls.unsettled(self._database, listing, now)
        return settlements, sum(count > 0 for count, _ in counts)

    def note_cycle(self, mailbox: MailboxId, at: datetime, ended: Summary | Failure) -> None:
        """Keep how the last cycle ended: its figures, or how it failed."""
        with self._database.writing():
            polls.note_cycle(self._database, mailbox, at, ended)

    def entries(
        self, seq_from: int = 1, seq_to: int | None = None, *, readable: bool = False
    ) -> Iterator[LedgerEntry]:
        """Yield entries by ``seq``, both ends included; all, or those that are readable."""
        return records.entries(self._database, seq_from, seq_to, readable=readable)

    def records(self, wanted: Filter = EVERYTHING) -> Iterator[Record]:
        """Yield the records ``wanted`` selects, in the order of ``seq``."""
        return records.records(self._database, wanted)

    def messages(self, wanted: Filter = EVERYTHING) -> Iterator[list[Record]]:
        """Yield all records of each message that a record ``wanted`` selects is about."""
        return records.messages(self._database, wanted)

    def record(self, seq: int) -> Record | None:
        """Return one record, ``None`` when there is no such entry."""
        return records.record(self._database, seq)

    def count(self, wanted: Filter = EVERYTHING) -> int:
        """Return how many records ``wanted`` selects."""
        with self._database.reading():
            return records.count(self._database, wanted)

    def check_consistency(self) -> list[str]:
        """Return what is wrong with the ledger itself; empty when nothing is."""
        return consistency.problems(self._database)

    def check_log(
        self, roots: Mapping[int, bytes], progress: Callable[[int], None] = lambda _count: None
    ) -> Iterator[LogProblem]:
        """Yield where rows, leaves, tree and the roots that were signed (by size) disagree."""
        return log_audit.problems(self._database, roots, progress)

    def mailbox_status(self) -> list[MailboxStatus]:
        """Return how every folder stands, by name."""
        with self._database.reading():
            return status.mailbox_status(self._database)

    def set_aside_count(self, mailbox: MailboxId | None = None) -> int:
        """Return how many messages are set aside, in one folder or in all."""
        with self._database.reading():
            return status.set_aside_count(self._database, mailbox)

    def set_aside_messages(self, limit: int = SET_ASIDE_MAX) -> list[SetAsideMessage]:
        """Return what is set aside, tried most often first."""
        with self._database.reading():
            return status.set_aside_messages(self._database, limit)

    def record_event(
        self, name: str, at: datetime, /, *, mailbox: str = "", **keys: object
    ) -> None:
        """Write an event down; its keys are kept as JSON.  ``log_events`` gives it a leaf."""
        with self._database.writing():
            log.record_event(self._database, name, at, mailbox, keys)

    def unlogged_events(self, limit: int = UNLOGGED_MAX) -> list[Event]:
        """Return the oldest events that are not in the log yet, in the order recorded."""
        with self._database.reading():
            return log.unlogged_events(self._database, limit)

    def log_events(self, events: Sequence[Event]) -> int:
        """Put events into the log, in one transaction; return how many were not in it.

        They must be durable in a segment before.  Those that the ledger does not
        hold are written down as well (recovery, rebuild).

        Raises:
            IntegrityError: the ledger holds another event of that number.
        """
        with self._database.writing():
            return log.add_events(self._database, events)

    def event(self, number: int) -> Event | None:
        """Return one event, ``None`` when there is none of that number."""
        with self._database.reading():
            return log.find_event(self._database, number)

    def events(
        self,
        names: Sequence[str] = (),
        since: datetime | None = None,
        before: datetime | None = None,
        limit: int = EVENTS_MAX,
    ) -> list[Event]:
        """Return events in [since, before), newest first; of these names only, if given."""
        with self._database.reading():
            return status.events(self._database, names, since, before, limit)
