"""A played mail server beside a real archive on disk, and one check of all invariants.

Segments, ledger, proofs and the cycle are the real ones; only the mail server
and the moment of a failure are made up.  A fault fires at the n-th step; after
a crash the next cycle runs as a new process would, as far as files go.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import reduce
from pathlib import Path

from archive_reader import Archived, read_archive
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from played_mailbox import Crash, Fault, PlayedMailbox, Server

from collector.custody.adopt import adopt
from collector.custody.audit import Audit, Signed
from collector.custody.checkpoints import Checkpoints, checkpoint_files
from collector.custody.cycle import run_cycle
from collector.custody.intake import Intake
from collector.custody.watch import Watch
from collector.domain.blob import Digest
from collector.domain.custody import PendingEntry, Policy, Proof, Receipt, Settlement, Summary
from collector.domain.evidence import Event, SignedCheckpoint
from collector.evidence.keys import KeySigner
from collector.ledger.ledger import Ledger
from collector.ledger.log import Log
from collector.ledger.polls import ABSENT_LISTINGS
from collector.ledger.query import Record
from collector.store.archive import Archive
from collector.store.durable import sync_directory
from collector.store.seal import Sealed
from collector.store.writer import ArchiveWriter

SEGMENT_STEPS = {"append", "settle-append", "events-append"}
STEPS = SEGMENT_STEPS | {
    "poll", "settle", "observe", "announce", "fetch", "commit", "prove", "clear", "expunge",
    "seal", "switch", "log-events", "sign",
}  # fmt: skip
"""The steps of a cycle and of what follows it; a fault can fire at each."""
CHECKPOINTS = "checkpoints"
SIGNER = KeySigner("journal", Ed25519PrivateKey.generate())


class FaultyWriter:
    """The real writer, with a fault before, in or after what it makes durable."""

    def __init__(self, writer: ArchiveWriter) -> None:
        self._writer = writer
        self.fault = Fault()

    def __getattr__(self, name: str):
        return getattr(self._writer, name)

    def append(self, items: Sequence[tuple[Receipt, object]]):
        """Append a batch."""
        return self._torn_step("append", lambda: self._writer.append(items))

    def append_settlements(self, settlements: Sequence[Settlement]) -> None:
        """Append settlements."""
        self._torn_step("settle-append", lambda: self._writer.append_settlements(settlements))

    def append_events(self, events: Sequence[Event]) -> None:
        """Append events."""
        self._torn_step("events-append", lambda: self._writer.append_events(events))

    def seal(self, name: str, switch: Callable[[Sealed], object]):
        """Seal a segment; within it the ledger switches the places."""

        def step(sealed: Sealed) -> None:
            self.fault.step("switch", lambda: switch(sealed))

        return self.fault.step("seal", lambda: self._writer.seal(name, step))

    def _torn_step(self, name: str, action):
        sizes = self._sizes()
        return self.fault.step(name, action, lambda: self._tear(sizes))

    def _sizes(self) -> dict[Path, int]:
        directory = self._writer._layout.segments_dir
        return {path: path.stat().st_size for path in directory.glob("*.tar.zst")}

    def _tear(self, before: dict[Path, int]) -> None:
        """Take back half of what was just appended, as a crash in the middle would leave it."""
        for path, size_bytes in self._sizes().items():
            appended_bytes = size_bytes - before.get(path, 0)
            if appended_bytes:
                with path.open("r+b") as file:
                    file.truncate(size_bytes - appended_bytes // 2)


class FaultyLedger:
    """The real ledger, with a fault before or after its transactions."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.fault = Fault()

    def __getattr__(self, name: str):
        return getattr(self._ledger, name)

    def observe(self, listing, now: datetime):
        """Keep what a poll said."""
        return self.fault.step("observe", lambda: self._ledger.observe(listing, now))

    def commit(self, pending: Sequence[PendingEntry], *, gaps: bool = False):
        """Take a batch over."""
        return self.fault.step("commit", lambda: self._ledger.commit(pending, gaps=gaps))

    def reread(self, seqs: Sequence[int]):
        """Read rows back for a proof."""
        return self.fault.step("prove", lambda: self._ledger.reread(seqs))

    def clear(self, proofs: Sequence[Proof]) -> None:
        """Write down proofs and intent."""
        self.fault.step("clear", lambda: self._ledger.clear(proofs))

    def settle(self, settlements: Sequence[Settlement]) -> None:
        """Write down what became of messages."""
        self.fault.step("settle", lambda: self._ledger.settle(settlements))

    def log_events(self, events: Sequence[Event]) -> int:
        """Put events into the log."""
        return self.fault.step("log-events", lambda: self._ledger.log_events(events))


class FaultyCheckpoints(Checkpoints):
    """The real checkpoints, with a fault before or after one is signed."""

    fault = Fault()

    def issue(self, log: Log) -> SignedCheckpoint | None:
        """Sign the head of the log."""
        return self.fault.step("sign", lambda: super(FaultyCheckpoints, self).issue(log))


@dataclass(slots=True)
class House:
    """The rooms of one process."""

    writer: FaultyWriter
    ledger: FaultyLedger
    checkpoints: FaultyCheckpoints
    intake: Intake

    @classmethod
    def open(cls, root: Path) -> House:
        """Start as the service does."""
        writer = ArchiveWriter.open(root)
        path = root / "ledger.db"
        ledger = Ledger.open(path, create=not path.exists(), sync_directory=sync_directory)
        writer.recover(ledger.last_blob())
        faulty_writer, faulty_ledger = FaultyWriter(writer), FaultyLedger(ledger)
        (root / CHECKPOINTS).mkdir(exist_ok=True)
        checkpoints = FaultyCheckpoints(root / CHECKPOINTS, SIGNER, [SIGNER.key])
        intake = Intake(faulty_writer, faulty_ledger, Archive(root), checkpoints)
        return cls(faulty_writer, faulty_ledger, checkpoints, intake)

    def meet(self, fault: Fault) -> None:
        """Let a fault fire at the next steps."""
        self.writer.fault = self.ledger.fault = self.checkpoints.fault = fault

    def stop(self) -> None:
        """End as the service does."""
        self.ledger.close()
        self.writer.close()

    def die(self) -> None:
        """End as a killed process does: the archive's mark still says ``open``."""
        self.ledger.close()
        self.writer.abandon()


@dataclass(slots=True)
class World:
    """A mailbox, an archive, and a clock that can be moved.

    Attributes:
        beside: other mailboxes that are emptied at the same time, of other UIDVALIDITY.
        sealing: seal the open segment after every cycle, however small it is.
        ahead_batches_max: 0: the steps of a cycle are taken in one thread, in one order.
        reused: a UID was handed out twice, so references no longer tell doubles.
        archived: digests that a check has found in the archive: they stay there.
    """

    root: Path
    server: Server = field(default_factory=Server)
    policy: Policy = field(default_factory=Policy)
    now: datetime = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
    delivered: list[bytes] = field(default_factory=list)
    sealing: bool = False
    ahead_batches_max: int = 0
    reused: bool = False
    archived: set[str] = field(default_factory=set)
    beside: list[Server] = field(default_factory=list)
    _house: House | None = None

    @property
    def servers(self) -> list[Server]:
        """All mailboxes."""
        return [self.server, *self.beside]

    def deliver(self, *raws: bytes) -> None:
        """Let messages arrive."""
        for raw in raws:
            self.server.deliver(raw)
            self.delivered.append(raw)

    def cycle(self, fault: Fault | None = None, stop=lambda: False) -> Summary:
        """Run one cycle in the process that is running, or in a new one.

        A fault that is an error leaves the process running, a crash does not.

        Returns:
            what happened, the mailboxes beside included.
        """
        fault = fault or Fault()
        self.now += timedelta(seconds=1)
        house = self._house or House.open(self.root)
        self._house = house
        house.meet(fault)
        try:
            watch = Watch(now=lambda: self.now, stop=stop)
            summary = self._cycles(house.intake, fault, watch)
            if self.sealing:
                house.writer.roll(bytes_min=1)
                house.intake.seal()
                house.intake.finish_sealing(lambda: False)
            house.intake.attest(self.now)
        except Crash:
            house.die()
            self._house = None
            raise
        return summary

    def _cycles(self, intake: Intake, fault: Fault, watch: Watch) -> Summary:
        """Empty all mailboxes at the same time; a crash in one is the end of all."""
        policy = replace(self.policy, ahead_batches_max=self.ahead_batches_max)

        def run(server: Server) -> Summary:
            return run_cycle(PlayedMailbox(server, fault), intake, policy, watch)

        with ThreadPoolExecutor(len(self.servers)) as pool:
            runs = [pool.submit(run, server) for server in self.servers]
        errors = [error for each in runs if (error := each.exception())]
        for error in sorted(errors, key=lambda each: not isinstance(each, Crash))[:1]:
            raise error
        return reduce(Summary.plus, (each.result() for each in runs))

    def restart(self) -> None:
        """End the running process cleanly; the next cycle starts another."""
        if self._house:
            self._house.stop()
            self._house = None

    def run_to_the_end(self, fault: Fault | None = None, cycles_max: int = 20) -> None:
        """Run cycles until there is nothing to do, then end the process.

        What somebody else deleted is believed to be gone at the second listing without it.
        """
        quiet = 0
        for _ in range(cycles_max):
            self.now += timedelta(days=2)  # whatever waits for a pause is due
            summary = self.cycle(fault)
            busy = summary.collected or summary.cleared or summary.expunged
            quiet = 0 if busy else quiet + 1
            if quiet == ABSENT_LISTINGS:
                self.restart()
                return
        raise AssertionError("the mailbox never came to rest")

    def records(self) -> list[Record]:
        """Return everything the ledger says."""
        ledger = Ledger.open(self.root / "ledger.db", create=False, sync_directory=sync_directory)
        with ledger.session():
            records = list(ledger.records())
        ledger.close()
        return records

    def unexplained(self) -> int:
        """Return what the account of the folder leaves over."""
        ledger = Ledger.open(self.root / "ledger.db", create=False, sync_directory=sync_directory)
        midnight = self.now.replace(hour=0, minute=0, second=0)
        period = ledger.accounts.period(midnight, midnight + timedelta(days=1), self.now)
        ledger.close()
        return sum(each.unexplained for each in period.balances)

    def raw(self, record: Record) -> bytes:
        """Return the stored bytes of an entry."""
        pieces: list[bytes] = []
        Archive(self.root).copy(record.entry.blob, pieces.append)
        return b"".join(pieces)

    def check(self) -> Archived:
        """Check all invariants of custody; they hold after every step, crash or not."""
        found = read_archive(self.root)
        left = [raw for server in self.servers for raw in list(server.messages.values())]
        here = Counter(Digest.of(raw).hex for raw in left)
        known = Counter(Digest.of(raw).hex for raw in self.delivered)
        for digest in known - Counter(self.server.stolen):
            assert found.copies[digest] or here[digest], "a message is in neither place"
        assert set(found.copies) <= set(known), "a message is archived that never arrived"
        assert self.archived <= set(found.copies), "a message has left the archive"
        self.archived = set(found.copies)
        assert max(found.copies.values(), default=1) == 1, "a message is stored twice"
        deleted = Counter(digest for server in self.servers for digest in server.deleted)
        assert deleted <= found.proven(), "a message was deleted unproven"
        assert not found.broken
        assert not found.ledger_problem
        assert [row["seq"] for row in found.rows] == list(range(1, len(found.rows) + 1))
        valid = [row for row in found.rows if row["state"] != "superseded"]
        references = Counter((row["uidvalidity"], row["uid"]) for row in valid)
        assert self.reused or max(references.values(), default=1) == 1, "a message has two entries"
        signed = [int(path.stem) for path in checkpoint_files(self.root / CHECKPOINTS)]
        assert max(signed, default=0) <= found.leaves_count, "a leaf was signed that is not there"
        return found

    def audit(self) -> list[str]:
        """Return what the program itself finds wrong."""
        archive, signed = Archive(self.root), Signed(self.root / CHECKPOINTS, [SIGNER.key])
        ledger = Ledger.open(self.root / "ledger.db", create=False, sync_directory=sync_directory)
        with ledger.session():
            problems = list(Audit(archive, ledger, signed).everything())
            assert ledger.log.head() == self.rebuilt_head(), "a rebuild makes another log"
        ledger.close()
        return [each.what for each in problems]

    def rebuilt_head(self) -> tuple[int, bytes]:
        """Return the size and the root of the log that the segments alone give."""
        path = self.root.with_name(f"{self.root.name}-rebuilt.db")
        ledger = Ledger.open(path, create=True, sync_directory=sync_directory)
        with ledger.session():
            adopt(Archive(self.root), ledger)
            head = ledger.log.head()
        ledger.close()
        path.unlink()
        return head

    def check_done(self) -> None:
        """Check that everything arrived once, was proven, and left the mailbox."""
        found = self.check()
        assert self.audit() == []
        stolen = Counter(self.server.stolen)
        known = Counter(Digest.of(raw).hex for raw in self.delivered)
        entries = Counter(row["digest"] for row in found.rows)
        void = Counter(row["digest"] for row in found.rows if row["state"] == "superseded")
        assert known - stolen <= entries, "a message has no entry"
        assert entries - void <= known, "a message has an entry too many"
        assert {row["state"] for row in found.rows} <= {"expunged", "vanished", "superseded"}
        assert [server.messages for server in self.servers] == [{}] * len(self.servers)
        assert self.unexplained() == 0, "a message was seen and accounted for nowhere"
        if not stolen:
            assert "vanished" not in {row["state"] for row in found.rows}
