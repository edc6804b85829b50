"""Whole runs: everything out of the mailbox, stored, and deleted from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench_memory import peak_together_mb
from bench_peers import find_peers
from bench_pool import Pool
from bench_process import Usage
from bench_programs import BareC, BarePython, Collector, Program
from bench_rig import MEMORY_MB_MAX, Rig, Section, median, ratio, spread

STAGES = ("fetch", "hash", "zstd", "append", "prove", "delete")
WHOLE = (
    "program",
    "wall s",
    "spread s",
    "CPU s",
    "CPU µs/message",
    "MB/s",
    "peak MB",
    "x bare C",
    "x mbsync",
    "x getmail6",
    "others' CPU",
)

HOW = (
    "Every program starts with a full mailbox and ends when it is empty; afterwards the "
    "mailbox is looked at and the stored messages are counted, those of the collector "
    "proven by `verify` and compared by digest."
)


def reference(rig: Rig) -> Section:
    """Compare all programs on the business mix."""
    pool = rig.pool("business", rig.sizes.reports)
    section = Section("Reference work", f"{pool.describe()}. {HOW}", WHOLE)
    runs = compare(rig, pool, section)
    ours = runs["collector"]
    for peer, limit in (("bare C", 1.5), ("mbsync", 0.5)):
        if peer in runs:
            reached = ratio(ours, runs[peer])
            section.goal(
                f"wall time against {peer}",
                f"at most {limit} x",
                f"{reached:.2f} x",
                reached=reached <= limit,
            )
    if "getmail6" in runs:
        reached = ratio(runs["getmail6"], ours)
        section.goal(
            "speed against getmail6", "at least 20 x", f"{reached:.1f} x", reached=reached >= 20
        )
    peak_mb = max(each.rss_mb for each in ours)
    section.goal(
        "peak memory, reference work, largest process",
        f"under {MEMORY_MB_MAX} MB",
        f"{peak_mb:.0f} MB",
        reached=peak_mb < MEMORY_MB_MAX,
    )
    _together(rig, pool, section)
    return section


def _together(rig: Rig, pool: Pool, section: Section) -> None:
    """Look at the memory of all our processes, in a run whose time does not count."""
    with rig.job(pool) as job:
        together_mb = peak_together_mb(Collector().command(job), job.work)
    section.goal(
        "peak memory, its processes together",
        f"under {MEMORY_MB_MAX} MB",
        f"{together_mb:.0f} MB",
        reached=together_mb < MEMORY_MB_MAX,
    )


def small(rig: Rig) -> Section:
    """Compare all programs on many small messages."""
    pool = rig.pool("small", rig.sizes.small)
    section = Section("Small mail", f"{pool.describe()}. {HOW}", WHOLE)
    compare(rig, pool, section)
    return section


def compare(rig: Rig, pool: Pool, section: Section) -> Mapping[str, Sequence[Usage]]:
    """Run all programs in rounds; write a row for each."""
    peers, missing = find_peers()
    limit = rig.compiled("limit_wire", "-lcrypto", "-lzstd")
    bare = [BareC(limit), BarePython("sockets"), BarePython("imapclient")]
    programs = rig.wanted([Collector(), *bare, *peers])
    runs = rig.rounds(programs, pool)
    section.rows += [_row(each, runs, pool) for each in programs]
    section.notes += [f"Not measured: {each}." for each in missing]
    section.notes += [f"{each.name} does not delete." for each in programs if not each.deletes]
    versions = "; ".join(f"{each.name}: {each.version}" for each in programs)
    section.notes.append(f"Versions: {versions}.")
    return runs


def _row(program: Program, runs: Mapping[str, Sequence[Usage]], pool: Pool) -> list[str]:
    mine = runs[program.name]
    wall_s, cpu_s = median(mine, lambda each: each.wall_s), median(mine, lambda each: each.cpu_s)
    ratios = [
        f"{ratio(mine, runs[other]):.2f}" if other in runs else "-"
        for other in ("bare C", "mbsync", "getmail6")
    ]
    return [
        program.name,
        f"{wall_s:.2f}",
        spread(mine),
        f"{cpu_s:.2f}",
        f"{cpu_s / pool.count * 1e6:.0f}",
        f"{pool.raw_mb / wall_s:.0f}",
        f"{max(each.rss_mb for each in mine):.0f}",
        *ratios,
        f"{median(mine, lambda each: each.foreign_share):.0%}",
    ]


def stages(rig: Rig) -> Section:
    """Show what each further stage costs without any program around it."""
    pool = rig.pool("business", rig.sizes.reports)
    about = (
        f"{pool.describe()}. Each stage is one more than the one before; medians of wall time, "
        "CPU time in brackets, in seconds."
    )
    limit = rig.compiled("limit_wire", "-lcrypto", "-lzstd")
    kinds = [
        lambda stage: BareC(limit, stage),
        lambda stage: BarePython("sockets", stage),
        lambda stage: BarePython("imapclient", stage),
    ]
    section = Section("The stages alone", about, ("stage", "C", "Python, sockets", "IMAPClient"))
    ladder = [[kind(stage) for kind in kinds] for stage in STAGES]
    runs = rig.rounds([each for rung in ladder for each in rung], pool)
    for stage, rung in zip(STAGES, ladder, strict=True):
        section.rows.append([stage, *(_seconds(runs[each.name]) for each in rung)])
    section.notes.append("IMAPClient runs with the debug formatting of imaplib switched off.")
    return section


def _seconds(runs: Sequence[Usage]) -> str:
    wall_s, cpu_s = median(runs, lambda each: each.wall_s), median(runs, lambda each: each.cpu_s)
    return f"{wall_s:.2f} ({cpu_s:.2f})"
