"""The points at which the real program can be stopped or failed, found by tracing it once.

Each of its calls on a file of the archive or on a socket is a point: the n-th
call of that name by one thread on that file, and what happens there.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from durability import relied_on_too_early
from forked_program import Program
from scenarios import Scenario, Server, Stage, prepare

KILL, SHORT, LIE = "kill", "short", "retval=1"
WRITES = ("write", "pwrite64")
SYNCS = ("fsync", "fdatasync")
NAMES = ("openat", "mkdir", "rename", "link", "unlink", "ftruncate", "fchmod")
READS = ("read", "pread64")
NET = ("connect", "sendto", "recvfrom")
CALLS = (*WRITES, *SYNCS, *NAMES, *READS, *NET)

FAILURES = {
    **dict.fromkeys(WRITES, ("error=EIO", "error=ENOSPC", LIE)),
    **dict.fromkeys(SYNCS, ("error=EIO", "error=ENOSPC")),
    **dict.fromkeys(NAMES, ("error=EIO", "error=ENOSPC")),
    **dict.fromkeys(READS, ("error=EIO",)),
    "connect": ("error=ECONNREFUSED", "error=ETIMEDOUT"),
    "sendto": ("error=ECONNRESET", "error=EPIPE"),
    "recvfrom": ("error=ECONNRESET", "retval=0"),
}
"""How a call can fail; a ``LIE`` is a write that claims one byte and wrote none."""

SOCKET, ANY_FILE = "socket", "any file"
SHORT_COUNT, SHORT_BYTES_MIN = 24, 8192
_LIED_TO = re.compile(r"segments/|ledger\.db")
_LINE = re.compile(r"(\d+) +(\w+)\((.*)")
WHOLESALE = re.compile(r'sendto\(.*"\S+ (EXPUNGE|CLOSE)\\r')


@dataclass(frozen=True, slots=True)
class Call:
    """The ``when``-th call of that name by one thread.

    Attributes:
        where: the file, relative to the archive; only calls on it are counted.  For
            ``SOCKET`` all calls of that name are.
        thread: 0 for the main thread, n for the n-th one it started, -n for the n-th
            process that it forked.
    """

    name: str
    where: str
    when: int
    thread: int = 0

    def __str__(self) -> str:
        who = f"thread {self.thread}" if self.thread >= 0 else f"process {-self.thread}"
        return f"{self.name} {self.where or '.'} {self.when} ({who})"


@dataclass(frozen=True, slots=True)
class Point:
    """A call, and what happens there."""

    scenario: Scenario
    call: Call
    how: str

    def __str__(self) -> str:
        return f"{self.scenario} {self.call} {self.how}"


@dataclass(frozen=True, slots=True)
class Survey:
    """What a scenario begins with, and everything that can be done to it."""

    template: Stage
    points: list[Point]


def survey(scenario: Scenario, server: Server, work: Path, program: Program) -> Survey:
    """Prepare a scenario and find all its points."""
    template = prepare(scenario, server, work / str(scenario) / "template", program)
    finished = template.copy(work / str(scenario) / "traced")
    calls = trace_calls(program, finished)
    points = [*points_of(scenario, calls), *short_writes(scenario, finished)]
    finished.remove()
    return Survey(template, points)


def trace_calls(program: Program, stage: Stage) -> list[Call]:
    """Run once without a fault; return each call that matters, in order.

    Raises:
        AssertionError: that run did not do its work, deleted wholesale, or relied on
            something before it was durable.
    """
    existing = {str(path.relative_to(stage.archive)) for path in stage.archive.rglob("*")}
    options = ("-f", "-s", "200", "-e", f"trace={','.join(CALLS)},clone,clone3")
    ran = program.run(stage.config, "collect", strace=options)
    assert ran.returncode == 0, ran.output
    assert not stage.left(), "the run without a fault left messages in the mailbox"
    assert not any(WHOLESALE.search(line) for line in ran.trace), "EXPUNGE or CLOSE was sent"
    assert relied_on_too_early(ran.trace, stage.archive, existing) == []
    threads = dict(_threads(ran.trace))
    counts: Counter[tuple[str, str, str]] = Counter()
    calls = []
    for line in ran.trace:
        if found := _LINE.match(line):
            thread, name, rest = found.groups()
            place = re.search(rf'{re.escape(str(stage.archive))}/?([^">#]*)', rest)
            where = place[1] if place else SOCKET if "<socket:" in rest else None
            if where is not None:
                counts[thread, name, where] += 1
                when = counts[thread, name, where]
                calls.append(Call(name, where, when, threads[thread]))
    return calls


def _threads(trace: list[str]) -> Iterator[tuple[str, int]]:
    """Yield the ids of threads and processes, each with its number (``Call.thread``)."""
    yield trace[0].split()[0], 0
    numbers: Counter[bool] = Counter()
    forking: dict[str, bool] = {}
    for line in trace:
        caller, _, rest = line.partition(" ")
        if re.match(r" *clone3?\(", rest):
            forking[caller] = "CLONE_THREAD" not in rest
        if started := re.match(r" *(?:<\.\.\. )?clone3?\b.*= (\d+)$", rest):
            is_process = forking[caller]
            numbers[is_process] += 1
            yield started[1], -numbers[True] if is_process else numbers[False]


def short_writes(scenario: Scenario, stage: Stage) -> Iterator[Point]:
    """Yield points at which every file of a finished stage stops growing: real short writes."""
    sizes = [path.stat().st_size for path in stage.archive.rglob("*") if path.is_file()]
    for number in range(1, SHORT_COUNT + 1):
        limit = SHORT_BYTES_MIN + max(sizes) * number // (SHORT_COUNT + 1)
        yield Point(scenario, Call("write", ANY_FILE, limit), SHORT)


def points_of(scenario: Scenario, calls: list[Call]) -> Iterator[Point]:
    """Yield the points of a scenario: one kill and one failure for every call.

    How a call fails changes from one call to the next, so that all ways are tried; lies
    are told about segments and ledger only.
    Reads are only failed: a kill before a read is a kill after the call before it.
    """
    turns: Counter[str] = Counter()
    for call in calls:
        if call.name not in READS:
            yield Point(scenario, call, KILL)
        ways = [way for way in FAILURES[call.name] if way != LIE or _LIED_TO.match(call.where)]
        yield Point(scenario, call, ways[turns[call.name] % len(ways)])
        turns[call.name] += 1
