"""Memory of a program with all its processes, what they share counted once.

Rule: a run of its own; looking takes time, so it is never one whose time is measured.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

from bench_process import RUN_S_MAX, SAID_BYTES_MAX, RunError, family, said, start

LOOK_S = 0.05


def peak_together_mb(command: Sequence[str], work: Path) -> float:
    """Run a program in ``work`` to its end; return the largest sum seen, in MB.

    Of each process its proportional share (proc_pid_smaps_rollup(5)).

    Raises:
        RunError: it failed, or took longer than ``RUN_S_MAX``.
    """
    process = start(command, work)
    until_s = time.monotonic() + RUN_S_MAX
    peak_kb = 0
    while process.poll() is None:
        if time.monotonic() > until_s:
            os.killpg(process.pid, signal.SIGKILL)
        peak_kb = max(peak_kb, sum(map(_share_kb, family(process.pid))))
        time.sleep(LOOK_S)
    if process.returncode:
        raise RunError(f"{command[0]}: exit {process.returncode}: {said(work)[-SAID_BYTES_MAX:]}")
    return peak_kb / 1024


def _share_kb(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    except OSError:  # it has ended meanwhile
        return 0
    found = [line.split()[1] for line in text.splitlines() if line.startswith("Pss:")]
    return int(found[0]) if found else 0
