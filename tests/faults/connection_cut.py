"""Cuts the connection to the mail server after a chosen byte, in either direction.

Rule: up to the cut every byte passes as it came, and the other side gets what was
sent before it; after the cut no connection is let through any more.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Self

from fault_mail import EXCHANGE, PLAIN
from forked_program import Program, Ran
from killpoint_run import Losses, Verdict, judge_custody, recover
from killpoint_suite import Workers
from scenarios import Scenario, Server, Stage, prepare

UP, DOWN = "to the server", "to the collector"
SCENARIOS = (Scenario("batch", EXCHANGE), Scenario("batches", PLAIN))
"""Many small messages in one batch; large ones in a batch each."""
GRACE_S = 0.02
"""So long the server may act on what it got before its side is closed as well."""


@dataclass(frozen=True, slots=True)
class Cut:
    """After which byte of a session, 1 being the first, the connection ends."""

    scenario: Scenario
    way: str
    at: int
    how: str = "cut"

    def __str__(self) -> str:
        return f"{self.scenario}: cut after byte {self.at} {self.way}"


@dataclass(slots=True, kw_only=True)
class CutTally(Losses):
    """What the cuts of one scenario in one direction came to."""

    scenario: str
    way: str
    session_bytes: int
    cuts: int = 0

    def add(self, verdict: Verdict) -> None:
        """Take in one run; one whose session ended before the byte came is no cut."""
        self.cuts += verdict.fired
        self.count(verdict)


class Cutter:
    """A proxy on loopback that ends everything after one byte; a context manager.

    Args:
        at: after so many bytes, 0: never.

    Attributes:
        passed: bytes that passed in each direction, over all connections.
        has_cut: the byte came.
    """

    def __init__(self, port: int, way: str = DOWN, at: int = 0) -> None:
        self._upstream_port, self._way, self._at = port, way, at
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = [self._listener]
        self.port: int = self._listener.getsockname()[1]
        self.passed: Counter[str] = Counter()
        self.has_cut = False

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._upstream_port))
                self._open += [client, server]
                for ends in ((client, server, UP), (server, client, DOWN)):
                    threading.Thread(target=self._pump, args=ends, daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, way: str) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(65536):
                piece = piece[: self._left(way)]
                sink.sendall(piece)
                self.passed[way] += len(piece)
                if self._left(way) == 0:
                    self.has_cut = True
                    threading.Event().wait(GRACE_S)
                    self._end()
            sink.shutdown(socket.SHUT_WR)

    def _left(self, way: str) -> int | None:
        """Return how many bytes may still pass; ``None``: all that come."""
        return self._at - self.passed[way] if self._at and way == self._way else None

    def _end(self) -> None:
        for each in self._open:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()


def run_cuts(
    scenarios: Iterable[Scenario],
    server: Server,
    workers: Workers,
    work: Path,
    cuts_count: int,
    progress: Callable[[str], None] = lambda _line: None,
) -> list[CutTally]:
    """Cut ``cuts_count`` sessions of every scenario in each direction, evenly spread."""
    surveys = workers.map(
        lambda program, _place, each: survey(each, server, work, program), scenarios
    )
    tallies = []
    for scenario, template, passed in list(surveys):
        for way in (UP, DOWN):
            tally = CutTally(scenario=str(scenario), way=way, session_bytes=passed[way])
            cuts = [Cut(scenario, way, at) for at in spread(passed[way], cuts_count)]
            for verdict in workers.map(partial(_run, template), cuts):
                tally.add(verdict)
            progress(f"{scenario} {way}: {tally.cuts} cuts, {len(tally.wrong)} problems")
            tallies.append(tally)
        template.remove()
    return tallies


def survey(
    scenario: Scenario, server: Server, work: Path, program: Program
) -> tuple[Scenario, Stage, Counter[str]]:
    """Return the stage the cuts begin with, and how many bytes pass in an undisturbed run."""
    template = prepare(scenario, server, work / f"cut-{scenario}", program)
    stage = template.copy(work / f"whole-{scenario}")
    with Cutter(server.port) as cutter:
        ran = _collect(program, stage, cutter)
    assert ran.returncode == 0, ran.output
    assert not stage.left(), ran.output
    stage.remove()
    return scenario, template, cutter.passed


def spread(session_bytes: int, count: int) -> Sequence[int]:
    """Return ``count`` places of a session, every byte when it has no more."""
    count = min(count, session_bytes)
    return [1 + number * session_bytes // count for number in range(count)]


def run_cut(program: Program, template: Stage, cut: Cut, work: Path) -> Verdict:
    """Run the program over a connection that is cut, start it again, and judge."""
    verdict = Verdict(cut)
    stage = template.copy(work / "cut")
    with Cutter(stage.server.port, cut.way, cut.at) as cutter:
        ran = _collect(program, stage, cutter)
        verdict.fired = cutter.has_cut
    if "Traceback" in ran.output:
        verdict.wrong.append(f"a traceback: {ran.output.strip().splitlines()[-1]}")
    judge_custody(verdict, stage, "after the cut")
    recover(verdict, program, stage)
    stage.remove()
    return verdict


def _run(template: Stage, program: Program, place: Path, cut: Cut) -> Verdict:
    return run_cut(program, template, cut, place)


def _collect(program: Program, stage: Stage, cutter: Cutter) -> Ran:
    """Collect through the proxy; afterwards the stage is configured for the server again."""
    direct = stage.server
    stage.server = replace(direct, port=cutter.port)
    stage.write_config()
    ran = program.run(stage.config, "collect")
    stage.server = direct
    stage.write_config()
    return ran
