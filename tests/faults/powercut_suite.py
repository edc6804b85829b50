"""Cuts the power under the store and under the whole collector, on every file system."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import powercut_store
from disks import FILE_SYSTEMS
from forked_program import Program
from killpoint_suite import Workers
from powercut import CutReport, cut_power
from powercut_collector import CollectorUnderCuts
from scenarios import Server

STORE, COLLECTOR = "store alone", "whole collector"


def run_powercuts(
    server: Server,
    workers: Workers,
    work: Path,
    cuts: dict[str, int],
    seed: int = 1,
    file_systems: tuple[str, ...] = FILE_SYSTEMS,
    progress: Callable[[str], None] = lambda _line: None,
) -> list[CutReport]:
    """Cut every workload on every file system.

    Args:
        cuts: how often on each file system, by workload.
    """

    def one(program: Program, _place: Path, unit: tuple[str, str]) -> CutReport:
        name, kind = unit
        if name == STORE:
            workload, checker = powercut_store.workload, powercut_store.problems
        else:
            collector = CollectorUnderCuts(server, program, work / f"cuts-{kind}")
            workload, checker = collector.workload, collector.problems
        report = cut_power(name, kind, workload, checker, cuts[name], seed)
        progress(f"{name} on {kind}: {report.cuts} cuts, {len(report.failures)} problems")
        return report

    units = [(name, kind) for name in cuts for kind in file_systems if cuts[name]]
    return list(workers.map(one, units))
