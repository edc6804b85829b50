"""Runs every suite against every seeded mistake and prints which suite finds which.

    python tests/faults/run_mutants.py                      all, and docs/guarantees.md
    python tests/faults/run_mutants.py plain-expunge ...    only these

A suite finds a mistake when it passes without it and fails with it.  Exit code 1
when a suite fails without any mistake, or when a mistake is found by none.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import fault_report
from fault_report import PAGE, table, write_page
from mutants import all_mutants

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent
PYTEST = (
    str(Path(sys.executable).with_name("pytest")),
    *("-q", "-x", "-n", "auto", "-p", "no:cacheprovider"),
)
FAULTS = (sys.executable, str(HERE / "run_faults.py"), "--page", "")
ROTTEN = "tests/faults/test_rotten_archive.py"
KILLPOINTS = "batch-exchange or recovery-plain or failed_sync"
SUITES: dict[str, Sequence[str]] = {
    "crash matrix": (*PYTEST, "tests/custody"),
    "kill points": (*PYTEST, "tests/faults/test_killpoints.py", "-k", KILLPOINTS),
    "power cuts": (*FAULTS, "--only", "powercuts", "--cuts", "600"),
    "failed fsync": (*PYTEST, "tests/faults/test_failed_fsync.py"),
    "disk trouble": (*PYTEST, "tests/faults/test_disk_trouble.py", ROTTEN),
}
PASSED, FAILED, STOPPED = 0, 1, 2
"""What pytest ends with; it is stopped at the first failure of a worker."""
SUITE_S_MAX = 1200


def run_suite(command: Sequence[str], mutant: str) -> int:
    """Run one suite with a mistake, or with none; return its exit code."""
    environment = {**os.environ, "COLLECTOR_MUTANT": mutant, "CI": "1"}
    try:
        ran = subprocess.run(
            command,
            cwd=REPOSITORY,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=SUITE_S_MAX,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return FAILED  # a mistake may as well keep the program from ever coming to an end
    return ran.returncode


def check_applies(mutant: str) -> None:
    """See that a mistake still finds what it changes; what it breaks by that is not found.

    Raises:
        CalledProcessError: it does not.
    """
    apply = "import mutants; mutants.apply_from_environment()"
    environment = {**os.environ, "COLLECTOR_MUTANT": mutant}
    subprocess.run((sys.executable, "-c", apply), cwd=HERE, env=environment, check=True)


def look(mutant: str, suites: dict[str, Sequence[str]]) -> list[str]:
    """Return what each suite says of one mistake."""
    check_applies(mutant)
    began_s = time.monotonic()
    said = {FAILED: "found", STOPPED: "found", PASSED: ""}
    codes = [run_suite(command, mutant) for command in suites.values()]
    elapsed_s = time.monotonic() - began_s
    cells = [said.get(code, f"exit {code}") for code in codes]
    print(
        f"{mutant} ({elapsed_s:.0f} s): {', '.join(filter(None, cells))}",
        file=sys.stderr,
        flush=True,
    )
    return cells


def main() -> int:
    """Run what is asked for, print the table; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("mutants", nargs="*", metavar="MUTANT")
    parser.add_argument("--suite", action="append", choices=list(SUITES), help="only this one")
    wanted = parser.parse_args()
    suites = {name: SUITES[name] for name in wanted.suite or SUITES}
    for name, command in suites.items():
        if run_suite(command, "") != PASSED:
            print(f"the suite {name!r} fails without any mistake: {' '.join(command)}")
            return 1
    cells = {mutant: look(mutant, suites) for mutant in wanted.mutants or all_mutants()}
    says = {name: " ".join((all_mutants()[name].__doc__ or "").split()) for name in cells}
    text = table(
        ("seeded mistake", "", *suites),
        [(name, says[name], *found) for name, found in cells.items()],
    )
    print(text)
    if not wanted.mutants and not wanted.suite:
        write_page(PAGE, fault_report.MUTANTS, text)
    unfound = [name for name, found in cells.items() if "found" not in found]
    for name in unfound:
        print(f"NOT FOUND: {name}: {says[name]}")
    return 1 if unfound else 0


if __name__ == "__main__":
    sys.exit(main())
