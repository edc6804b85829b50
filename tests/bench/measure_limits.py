"""Where the edges are: large folders, large messages, a distant server."""

from __future__ import annotations

from bench_peers import find_peers
from bench_process import RunError
from bench_programs import BareC, BarePython, Collector
from bench_rig import LINE_MBIT_S, MEMORY_MB_MAX, ROUND_TRIP_MS, Rig, Section, median, say, spread


def folders(rig: Rig) -> Section:
    """Show that the size of the folder does not matter."""
    about = "Small mail, one run each: the cost of a message must not grow with the folder."
    section = Section(
        "Size of the folder",
        about,
        (
            "messages in the folder",
            "wall s",
            "CPU µs/message",
            "CPU ms/MB",
            "peak MB",
            "Dovecot's CPU s",
        ),
    )
    costs = []
    for count in rig.sizes.folders:
        pool = rig.pool("numbered", count)
        with rig.job(pool) as job:
            used = rig.measure(Collector(), job)
        costs.append(used.cpu_s / count * 1e6)
        section.rows.append(
            [
                f"{count:,}",
                f"{used.wall_s:.2f}",
                f"{costs[-1]:.0f}",
                f"{used.cpu_s / pool.raw_mb * 1e3:.1f}",
                f"{used.rss_mb:.0f}",
                f"{used.server_s:.1f}",
            ]
        )
    # the start of the program weighs on the smallest folder, so growth is what counts
    growth = costs[-1] / min(costs)
    section.goal(
        f"CPU per message, {rig.sizes.folders[-1]:,} messages against fewer",
        "flat (at most 1.15 x)",
        f"{growth:.2f} x",
        reached=growth <= 1.15,
    )
    return section


def memory(rig: Rig) -> Section:
    """Show peak memory with one very large message among others."""
    pool = rig.pool("giant", 50)
    section = Section(
        "Memory with a large message",
        f"{pool.describe()}. One run each.",
        ("program", "peak MB", "wall s", "CPU s"),
    )
    peers, missing = find_peers()
    limit = rig.compiled("limit_wire", "-lcrypto", "-lzstd")
    for program in rig.wanted([Collector(), BareC(limit), BarePython("imapclient"), *peers]):
        try:
            with rig.job(pool) as job:
                used = rig.measure(program, job)
        except RunError as error:
            section.notes.append(f"{program.name} failed: {str(error).splitlines()[0]}")
            say(f"  {error}")
            continue
        section.rows.append(
            [program.name, f"{used.rss_mb:.0f}", f"{used.wall_s:.2f}", f"{used.cpu_s:.2f}"]
        )
        if program.name == "collector":
            section.goal(
                "peak memory, one message of 100 MB",
                f"under {MEMORY_MB_MAX} MB",
                f"{used.rss_mb:.0f} MB",
                reached=used.rss_mb < MEMORY_MB_MAX,
            )
    section.notes += [f"Not measured: {each}." for each in missing]
    return section


def link(rig: Rig) -> Section:
    """Measure over a line with delay and limited bandwidth."""
    pool = rig.pool("business", rig.sizes.reports // 2)
    section = Section(
        "A distant server",
        f"{pool.describe()}, over a relay with a round trip of {ROUND_TRIP_MS} ms and "
        f"{LINE_MBIT_S} Mbit/s each way (delay, bandwidth and a full buffer are imitated; loss and "
        "TCP's slow start are not).",
        ("program", "wall s", "spread s", "share of the line", "round trips"),
    )
    limit = rig.compiled("limit_wire", "-lcrypto", "-lzstd")
    for program in rig.wanted([Collector(), BareC(limit)]):
        used, shares, round_trips = [], [], 0
        for _ in range(rig.sizes.runs):
            with (
                rig.link() as line,
                rig.job(pool, lines=[line]) as job,
            ):
                used.append(rig.measure(program, job))
                round_trips, bytes_down = line.carried()
            shares.append(bytes_down * 8 / 1e6 / used[-1].wall_s / LINE_MBIT_S)
        share = sorted(shares)[len(shares) // 2]
        wall_s = median(used, lambda each: each.wall_s)
        section.rows.append(
            [program.name, f"{wall_s:.2f}", spread(used), f"{share:.0%}", str(round_trips)]
        )
        if program.name == "collector":
            section.goal(
                f"share of a line of {ROUND_TRIP_MS} ms and {LINE_MBIT_S} Mbit/s",
                "at least 80 %",
                f"{share:.0%}",
                reached=share >= 0.8,
            )
    return section
