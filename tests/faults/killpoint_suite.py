"""Runs kill points of all scenarios in several threads and adds up what became of the mail."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Self

from forked_program import Program
from killpoint_run import Losses, Verdict, run_point
from killpoints import KILL, READS, Point, survey
from scenarios import Scenario, Server, Stage


@dataclass(slots=True, kw_only=True)
class Tally(Losses):
    """What the runs of one scenario came to.

    Attributes:
        calls: system calls at which the fault really took place, each counted once.
        missed: runs in which it did not: the program took another way there.
    """

    scenario: str
    calls: set[str] = field(default_factory=set)
    kills: int = 0
    failures: int = 0
    missed: list[str] = field(default_factory=list)
    rebuilt: int = 0

    def add(self, verdict: Verdict) -> None:
        """Take in one run."""
        if verdict.fired:
            self.calls.add(str(verdict.point.call))
            self.kills += verdict.point.how == KILL
            self.failures += verdict.point.how != KILL
        else:
            self.missed.append(str(verdict.point))
        self.rebuilt += verdict.rebuilt
        self.count(verdict)


class Workers:
    """Threads with a program each; a context manager."""

    def __init__(self, count: int, work: Path) -> None:
        self._programs: SimpleQueue[tuple[Program, Path]] = SimpleQueue()
        self._all: list[Program] = []
        for number in range(count):
            place = work / f"worker-{number}"
            place.mkdir()
            self._all.append(Program(place))
            self._programs.put((self._all[-1], place))
        self._pool = ThreadPoolExecutor(count)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)
        for program in self._all:
            program.__exit__(None, None, None)

    def map(self, action: Callable, items: Iterable) -> Iterator:
        """Yield ``action(program, place, item)`` of every item, in order."""
        return self._pool.map(lambda item: self._with_program(action, item), items)

    def _with_program(self, action: Callable, item):
        program, place = self._programs.get()
        try:
            return action(program, place, item)
        finally:
            self._programs.put((program, place))


def spread(points: Sequence[Point], count: int) -> list[Point]:
    """Return ``count`` points, or all when ``count`` is 0.

    Half of them are writes, syncs and names of segments, the rest is from all over the run.
    """
    if not count or count >= len(points):
        return list(points)
    segments = [each for each in points if each.call.where.startswith("segments")]
    core = _evenly([each for each in segments if each.call.name not in READS], count // 2)
    others = [each for each in points if each not in core]
    return [*core, *_evenly(others, count - len(core))]


def _evenly(points: Sequence[Point], count: int) -> list[Point]:
    count = min(count, len(points))
    return [points[(2 * number + 1) * len(points) // (2 * count)] for number in range(count)]


def run_killpoints(
    scenarios: Iterable[Scenario],
    server: Server,
    workers: Workers,
    work: Path,
    points_count: int,
    progress: Callable[[str], None] = lambda _line: None,
) -> list[Tally]:
    """Run ``points_count`` points of every scenario (0: all)."""
    tallies = []
    surveys = workers.map(
        lambda program, _place, each: survey(each, server, work, program), scenarios
    )
    for found in list(surveys):
        tally = Tally(scenario=str(found.points[0].scenario))
        points = spread(found.points, points_count)
        for verdict in workers.map(partial(_run, found.template), points):
            tally.add(verdict)
            for line in verdict.wrong:
                progress(f"{verdict.point}: {line}")
        progress(f"{tally.scenario}: {len(points)} runs, {len(tally.wrong)} problems")
        tallies.append(tally)
        found.template.remove()
    return tallies


def _run(template: Stage, program: Program, place: Path, point: Point) -> Verdict:
    return run_point(program, template, point, place)
