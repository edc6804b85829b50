"""Runs all fault suites, prints their table, and writes it into docs/guarantees.md.

    python tests/faults/run_faults.py                 everything, about half an hour
    python tests/faults/run_faults.py --points 20 --cuts 60 --page ""

With a seeded mistake (COLLECTOR_MUTANT) it ends at the first scenario with a
problem, and the page is not written.

Exit code 1 when a message was lost, stored twice or deleted unproven, or when
anything else was not as promised.
"""

from __future__ import annotations

import argparse
import math
import os
import signal
import sys
import time
from pathlib import Path

import mutants
import scenarios
from connection_cut import SCENARIOS as CUT_SCENARIOS
from connection_cut import run_cuts
from disks import DisksUnavailableError, require_disks, scratch_directory
from fault_report import FAULTS, PAGE, report, write_page
from fault_server import running_server
from killpoint_suite import Workers, run_killpoints
from powercut_suite import COLLECTOR, STORE, run_powercuts

PROBLEMS_SHOWN = 30


def arguments() -> argparse.Namespace:
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=("killpoints", "connections", "powercuts"))
    many = f"per scenario; 0: all, of the longest one {scenarios.WINDOWS_POINTS_MAX}"
    parser.add_argument("--points", type=int, default=0, help=many)
    parser.add_argument(
        "--connections", type=int, default=150, help="cut in each scenario and direction"
    )
    parser.add_argument("--cuts", type=int, default=3000, help="over all file systems")
    parser.add_argument("--seed", type=int, default=1, help="of the choice of cuts")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--page", default=str(PAGE), help="where the table goes; empty: nowhere")
    return parser.parse_args()


def say(line: str) -> None:
    """Tell how far it is."""
    print(f"{time.strftime('%H:%M:%S')} {line}", file=sys.stderr, flush=True)


def main() -> int:
    """Run what is asked for; return the exit code."""
    wanted = arguments()
    mutant = os.environ.get("COLLECTOR_MUTANT", "")
    mutants.apply_from_environment()
    began_s = time.monotonic()
    tallies, cut_tallies, reports = [], [], []
    with (
        running_server() as server,
        scratch_directory() as work,
        Workers(wanted.jobs, work) as workers,
    ):
        if wanted.only in {None, "killpoints"}:
            for each in scenarios.ALL:
                points = wanted.points or each.points_max
                tallies += run_killpoints([each], server, workers, work, points, say)
                if mutant and tallies[-1].wrong:
                    break
        if wanted.only in {None, "connections"}:
            count = wanted.connections
            cut_tallies = run_cuts(CUT_SCENARIOS, server, workers, work, count, say)
        if wanted.only in {None, "powercuts"}:
            require_disks()
            # Rounded up: three file systems, and the store alone is twice as quick.
            each = math.ceil(wanted.cuts / 9)
            cuts = {COLLECTOR: each, STORE: 2 * each}
            reports = run_powercuts(server, workers, work, cuts, wanted.seed, progress=say)
    text = report(tallies, cut_tallies, reports, time.monotonic() - began_s)
    print(text)
    problems = [line for tally in [*tallies, *cut_tallies] for line in tally.wrong]
    problems += [
        f"{each.workload} {each.file_system} {line}" for each in reports for line in each.failures
    ]
    problems += [
        f"{each.workload} {each.file_system}: writes were overlooked"
        for each in reports
        if not each.replays_exactly
    ]
    for line in problems[:PROBLEMS_SHOWN]:
        print(line)
    if wanted.page and not mutant:
        write_page(Path(wanted.page), FAULTS, text)
    return 1 if problems else 0


def stop(_signal: int, _frame: object) -> None:
    """End in order: servers stopped, disks unmounted."""
    sys.exit("stopped")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, stop)
    try:
        sys.exit(main())
    except DisksUnavailableError as missing:
        sys.exit(f"power cuts are NOT TESTED on this machine: {missing}")
