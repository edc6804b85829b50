"""What every measurement stands on: the server, the pools, rounds of runs, and a section.

Rule: programs run in turn, round after round, so that drift of the machine hits
all of them, and a ratio compares two runs of one round.
"""

from __future__ import annotations

import shutil
import signal
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench_pool import Pool
from bench_process import RunError, Usage, run
from bench_programs import HERE, Job, Program, compiled
from bench_server import Server, free_port, give

USERS = ("journal", "second")
MEMORY_MB_MAX = 110
ROUND_TRIP_MS = 40
LINE_MBIT_S = 100
"""Of a distant server."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is measured."""

    runs: int = 5
    reports: int = 5_000
    small: int = 20_000
    folders: Sequence[int] = (1_000, 50_000, 200_000)
    entries: int = 1_000_000


@dataclass(frozen=True, slots=True)
class Goal:
    """What was to be reached, and what was."""

    what: str
    limit: str
    measured: str
    reached: bool


@dataclass(slots=True)
class Section:
    """One chapter of the page: a table, what has to be said about it, and its goals."""

    title: str
    about: str
    columns: Sequence[str] = ()
    rows: list[Sequence[str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    goals: list[Goal] = field(default_factory=list)

    def goal(self, what: str, limit: str, measured: str, *, reached: bool) -> None:
        """Add a goal."""
        self.goals.append(Goal(what, limit, measured, reached))


@dataclass(frozen=True, slots=True)
class Rig:
    """A running server and a place for pools, binaries and work.

    Attributes:
        scratch: on the disk that is measured; readable for the owner of the mail.
        programs: names asked for, all when empty.
    """

    scratch: Path
    server: Server
    sizes: Sizes
    corpus: Path | None = None
    programs: Sequence[str] = ()

    def pool(self, kind: str, count: int) -> Pool:
        """Return a generated pool; it is made once, by a process of its own."""
        directory = self.scratch / "pools" / f"{kind}-{count}"
        if not (directory / "manifest.json").exists():
            say(f"generating {count:,} messages ({kind})")
            shutil.rmtree(directory, ignore_errors=True)
            directory.parent.mkdir(exist_ok=True)
            command = [sys.executable, HERE / "bench_mail.py", kind, str(count), directory]
            subprocess.run(command, check=True)
            for path in directory.iterdir():
                give(path)
        return Pool.load(directory)

    def compiled(self, name: str, *libraries: str) -> Path:
        """Return one of our C programs, compiled."""
        return compiled(name, self.scratch, *libraries)

    def wanted(self, programs: Iterable[Program]) -> list[Program]:
        """Return the programs that were asked for."""
        return [each for each in programs if not self.programs or each.name in self.programs]

    @contextmanager
    def job(self, *pools: Pool, lines: Sequence[Link] = ()) -> Iterator[Job]:
        """Fill a mailbox with each pool and give an empty directory to work in, for a block.

        Args:
            lines: over which each is reached; without any, straight.
        """
        work = self.scratch / "work"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        mailboxes = dict(zip(USERS, pools, strict=False))
        ports = [each.port for each in lines] or [self.server.port] * len(pools)
        for user, pool in mailboxes.items():
            self.server.fill(user, pool)
        yield Job(work, mailboxes, dict(zip(mailboxes, ports, strict=True)))
        shutil.rmtree(work)

    def measure(self, program: Program, job: Job) -> Usage:
        """Run a program on a job to its end and check what it did.

        Raises:
            RunError: it failed, messages are left, or not all are stored.
        """
        usage = run(program.command(job), job.work, self.server.process.pid)
        left = sum(self.server.waiting(user) for user in job.mailboxes)
        if program.deletes and left:
            raise RunError(f"{program.name} left {left} messages in the mailbox")
        program.check(job)
        say(f"  {program.name:32} {usage.wall_s:8.2f} s  {usage.cpu_s:8.2f} s CPU")
        return usage

    def rounds(self, programs: Sequence[Program], pool: Pool) -> dict[str, list[Usage]]:
        """Run all programs in turn, round after round; return the runs of each."""
        runs: dict[str, list[Usage]] = {each.name: [] for each in programs}
        for number in range(self.sizes.runs):
            say(f"round {number + 1} of {self.sizes.runs}")
            for program in programs:
                with self.job(pool) as job:
                    runs[program.name].append(self.measure(program, job))
        return runs

    @contextmanager
    def link(
        self, one_way_ms: float = ROUND_TRIP_MS / 2, mbit_s: float = LINE_MBIT_S
    ) -> Iterator[Link]:
        """Run a relay to the server for a block."""
        port = free_port()
        ends = [str(port), str(self.server.port), str(one_way_ms), str(mbit_s)]
        process = subprocess.Popen(
            [self.compiled("link"), *ends], stdout=subprocess.PIPE, text=True
        )
        try:
            yield Link(port, process)
        finally:
            process.terminate()
            process.communicate()


@dataclass(frozen=True, slots=True)
class Link:
    """A running relay."""

    port: int
    process: subprocess.Popen[str]

    def carried(self) -> tuple[int, int]:
        """Return the round trips waited for so far, and the bytes that came from the server."""
        assert self.process.stdout
        self.process.send_signal(signal.SIGUSR1)
        words = self.process.stdout.readline().split()
        return int(words[0]), int(words[3])


def median(runs: Sequence[Usage], figure: Callable[[Usage], float]) -> float:
    """Return the median of a figure."""
    return statistics.median(map(figure, runs))


def ratio(ours: Sequence[Usage], theirs: Sequence[Usage]) -> float:
    """Return the median, over the rounds, of our wall time divided by theirs."""
    return statistics.median(a.wall_s / b.wall_s for a, b in zip(ours, theirs, strict=True))


def spread(runs: Sequence[Usage]) -> str:
    """Return the smallest and the largest wall time."""
    walls = [each.wall_s for each in runs]
    return f"{min(walls):.2f} to {max(walls):.2f}"


def say(text: str) -> None:
    """Tell whoever waits how far it is."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
