"""What a second mailbox gains: on cores that one keeps busy, and where one waits for its line."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from bench_pool import Pool
from bench_process import Usage, on_cores
from bench_programs import BareC, Collector, Program
from bench_rig import LINE_MBIT_S, ROUND_TRIP_MS, Rig, Section, median, spread

GAIN_MIN = 1.7


@dataclass(frozen=True, slots=True)
class Setting:
    """So many mailboxes, emptied on these cores; over a line each, or straight."""

    program: Program
    count: int
    cores: Collection[int]
    is_distant: bool = False

    def measured(self, rig: Rig, halves: Sequence[Pool]) -> Usage:
        """Run once."""
        with ExitStack() as block:
            count = self.count if self.is_distant else 0
            lines = [block.enter_context(rig.link()) for _ in range(count)]
            job = block.enter_context(rig.job(*halves[: self.count], lines=lines))
            block.enter_context(on_cores(self.cores, rig.server.process.pid))
            return rig.measure(self.program, job)


def mailboxes(rig: Rig) -> Section:
    """Compare two mailboxes with one."""
    pool = rig.pool("business", rig.sizes.reports)
    everywhere = os.sched_getaffinity(0)
    limit = BareC(rig.compiled("limit_wire", "-lcrypto", "-lzstd"))
    settings = [
        Setting(Collector(), 1, {min(everywhere)}),
        Setting(Collector(), 1, everywhere),
        Setting(Collector(), 2, everywhere),
        Setting(limit, 1, everywhere),
        Setting(limit, 2, everywhere),
        Setting(Collector(), 1, everywhere, is_distant=True),
        Setting(Collector(), 2, everywhere, is_distant=True),
    ]
    section = Section(
        "Two mailboxes",
        f"One mailbox holds the first half of {pool.describe()}, the other the rest. Bare C is one "
        f"process a mailbox. A line has a round trip of {ROUND_TRIP_MS} ms and {LINE_MBIT_S} "
        "Mbit/s each way.",
        (
            "program",
            "mailboxes",
            "cores",
            "over a line each",
            "wall s",
            "spread s",
            "CPU s",
            "MB/s",
        ),
    )
    rates = _rates(rig, pool.halves(), settings, section)
    on_one_core, one, two, bare_one, bare_two, distant_one, distant_two = rates
    gain = two / one
    section.goal(
        "two mailboxes on two cores",
        f"at least {GAIN_MIN} x one",
        f"{gain:.2f} x",
        reached=gain >= GAIN_MIN,
    )
    section.notes.append(
        f"Two mailboxes against one on the same cores: {gain:.2f} x; against one on one core, mail "
        f"server included: {two / on_one_core:.2f} x; over a line each: "
        f"{distant_two / distant_one:.2f} x. One alone keeps the cores busy already: "
        "[ADR 14](adr/0014-what-two-mailboxes-gain.md)."
    )
    section.notes.append(f"Bare C, which works on one core at a time: {bare_two / bare_one:.2f} x.")
    return section


def _rates(
    rig: Rig, halves: Sequence[Pool], settings: Sequence[Setting], section: Section
) -> list[float]:
    """Run all settings in turn, put a row for each into the section, return their MB/s."""
    runs: list[list[Usage]] = [[] for _ in settings]
    for _ in range(rig.sizes.runs):
        for setting, used in zip(settings, runs, strict=True):
            used.append(setting.measured(rig, halves))
    rates = []
    for each, used in zip(settings, runs, strict=True):
        wall_s = median(used, lambda one: one.wall_s)
        rates.append(sum(half.raw_mb for half in halves[: each.count]) / wall_s)
        line = "yes" if each.is_distant else ""
        cpu_s = f"{median(used, lambda one: one.cpu_s):.2f}"
        row = [f"{wall_s:.2f}", spread(used), cpu_s, f"{rates[-1]:.0f}"]
        section.rows.append([each.program.name, str(each.count), str(len(each.cores)), line, *row])
    return rates
