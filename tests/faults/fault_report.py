"""The tables of the fault suites: printed, and put into the page of guarantees.

Rule: what stands between two marks of the page comes from here and is never
typed.
"""

from __future__ import annotations

import os
import platform
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from connection_cut import CutTally
from killpoint_suite import Tally
from powercut import CutReport

PAGE = Path(__file__).resolve().parents[2] / "docs" / "guarantees.md"
FAULTS, MUTANTS = "make faults", "make mutants"
KILLPOINT_HEAD = (
    "scenario",
    "system calls",
    "runs: killed there",
    "runs: call failed",
    "lost",
    "doubled",
    "deleted unproven",
    "other problems",
    "ledger rebuilt",
)
CONNECTION_HEAD = (
    "scenario",
    "direction",
    "bytes in a session",
    "cuts",
    "lost",
    "doubled",
    "deleted unproven",
    "other problems",
)
CUT_HEAD = ("workload", "file system", "cuts", "promises", "flushes", "cuts with a loss or problem")


def killpoint_table(tallies: Sequence[Tally]) -> str:
    """Return the table of kill points, with a last row of sums."""
    rows = [
        [
            len(each.calls),
            each.kills,
            each.failures,
            each.lost,
            each.doubled,
            each.unproven,
            len(each.wrong),
            each.rebuilt,
        ]
        for each in tallies
    ]
    sums = [sum(column) for column in zip(*rows, strict=True)]
    named = [[each.scenario, *row] for each, row in zip(tallies, rows, strict=True)]
    return table(KILLPOINT_HEAD, [*named, ["**all**", *(f"**{each}**" for each in sums)]])


def connection_table(tallies: Sequence[CutTally]) -> str:
    """Return the table of cut connections."""
    rows = [
        [
            each.scenario,
            each.way,
            each.session_bytes,
            each.cuts,
            each.lost,
            each.doubled,
            each.unproven,
            len(each.wrong),
        ]
        for each in tallies
    ]
    return table(CONNECTION_HEAD, rows)


def cut_table(reports: Sequence[CutReport]) -> str:
    """Return the table of power cuts, with a last row of sums."""
    rows = [
        [
            each.workload,
            each.file_system,
            each.cuts,
            each.promises,
            each.flushes,
            len(each.failures),
        ]
        for each in reports
    ]
    cuts = sum(each.cuts for each in reports)
    failures = sum(len(each.failures) for each in reports)
    return table(CUT_HEAD, [*rows, ["**all**", "", f"**{cuts}**", "", "", f"**{failures}**"]])


def report(
    tallies: Sequence[Tally],
    connections: Sequence[CutTally],
    reports: Sequence[CutReport],
    elapsed_s: float,
) -> str:
    """Return what goes into the page."""
    python, linux = platform.python_version(), platform.release().partition("-")[0]
    text = (
        f"Run of {datetime.now(UTC):%Y-%m-%d}: {elapsed_s / 60:.0f} minutes on {os.cpu_count()} "
        f"cores, Linux {linux}, Python {python}, SQLite {sqlite3.sqlite_version}.\n"
    )
    if tallies:
        text += f"\n### Killed and failed system calls\n\n{killpoint_table(tallies)}"
    if connections:
        text += f"\n### Cut connections\n\n{connection_table(connections)}"
    if reports:
        text += f"\n### Power cuts\n\n{cut_table(reports)}"
    return text


def write_page(path: Path, maker: str, text: str) -> None:
    """Put ``text`` between the marks of ``maker`` in the page.

    Raises:
        ValueError: the page has no such marks.
    """
    begin, end = f"<!-- begin: {maker} -->", f"<!-- end: {maker} -->"
    head, found, rest = path.read_text(encoding="utf-8").partition(begin)
    _, ended, tail = rest.partition(end)
    if not (found and ended):
        raise ValueError(f"{path} has no marks for the table of {maker!r}")
    path.write_text(f"{head}{begin}\n\n{text}\n{end}{tail}", encoding="utf-8")


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(str(cell) for cell in line)} |\n" for line in lines)
