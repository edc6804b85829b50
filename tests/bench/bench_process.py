"""Runs a program to its end and says what it cost.

Rule: a run that did not end with success is no measurement; it raises.

Peak memory is that of the largest single process.  The kernel counts what the
starting process held as well, so every run is started by a fresh, small one:
this module, run as a script.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Timer

RUN_S_MAX = 1800
SAID_BYTES_MAX = 1500


@dataclass(frozen=True, slots=True)
class Usage:
    """What a run cost.

    Attributes:
        cpu_s: user and system time of the program and its children.
        server_s: the same of the server.
        rss_mb: peak resident memory of its largest process.
        foreign_share: share of all cores that neither the program nor the server
            took: above a few percent the wall time is not to be trusted.
    """

    wall_s: float
    cpu_s: float
    server_s: float
    rss_mb: float
    foreign_share: float


class RunError(Exception):
    """A program did not do its work; the text is the end of what it said."""


def run(command: Sequence[str], work: Path, server_pid: int) -> Usage:
    """Run a program in ``work`` to its end.

    Raises:
        RunError: it failed, or took longer than ``RUN_S_MAX``.
    """
    os.sync()  # what earlier runs left to be written is not this one's work
    starter = [sys.executable, "-IS", __file__, str(work), str(server_pid), *command]
    done = subprocess.run(starter, capture_output=True, text=True, check=False)
    if done.returncode:
        failed = said(work)[-SAID_BYTES_MAX:] + done.stderr[-SAID_BYTES_MAX:]
        raise RunError(f"{Path(command[0]).name}: {failed}")
    return Usage(**json.loads(done.stdout))


def start(command: Sequence[str], work: Path) -> subprocess.Popen[bytes]:
    """Start a program in ``work``; what it says goes to ``work/log``."""
    with (work / "log").open("ab") as log:
        return subprocess.Popen(
            command,
            cwd=work,
            env={"PATH": os.environ["PATH"], "HOME": str(work), "LANG": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def said(work: Path) -> str:
    """Return what the programs run in ``work`` printed."""
    return (work / "log").read_text(encoding="utf-8", errors="replace")


def cpu_now_s(pid: int) -> float:
    """Return the CPU time a running process has used, to the nanosecond."""
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(task.read_text(encoding="ascii").split()[0]) for task in tasks) / 1e9


def family(pid: int) -> Iterator[int]:
    """Yield a process and all that it has started and that are there."""
    yield pid
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = task.read_text(encoding="ascii").split()
        except OSError:  # it has ended meanwhile
            continue
        for child in map(int, children):
            yield from family(child)


@contextmanager
def on_cores(cores: Collection[int], server_pid: int) -> Iterator[None]:
    """Keep the server, and the programs that are run meanwhile, on these cores."""
    usual = os.sched_getaffinity(0)
    _keep_on(cores, server_pid)
    try:
        yield
    finally:
        _keep_on(usual, server_pid)


def _keep_on(cores: Collection[int], server_pid: int) -> None:
    for pid in (0, *family(server_pid)):
        with suppress(ProcessLookupError):  # it has ended meanwhile
            os.sched_setaffinity(pid, cores)


def _measured(work: Path, server_pid: int, command: Sequence[str]) -> Usage:
    busy_s, server_s, began_s = _busy_s(), _cpu_with_ended_s(server_pid), time.monotonic()
    process = start(command, work)
    limit = Timer(RUN_S_MAX, os.killpg, (process.pid, signal.SIGKILL))
    limit.start()
    _, status, used = os.wait4(process.pid, 0)
    wall_s = time.monotonic() - began_s
    limit.cancel()
    if os.waitstatus_to_exitcode(status):
        sys.exit(f"exit {os.waitstatus_to_exitcode(status)}")
    cpu_s = used.ru_utime + used.ru_stime
    server_s = _cpu_with_ended_s(server_pid) - server_s
    foreign_s = max(0.0, _busy_s() - busy_s - cpu_s - server_s)
    foreign_share = foreign_s / wall_s / (os.cpu_count() or 1)
    return Usage(wall_s, cpu_s, server_s, used.ru_maxrss / 1024, foreign_share)


def _cpu_with_ended_s(pid: int) -> float:
    """Return the CPU time of a process and of all its children that ended."""
    status = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    ticks = status.rpartition(")")[2].split()[11:15]
    return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


def _busy_s() -> float:
    """Return the time all cores spent working since the start of the machine."""
    first = Path("/proc/stat").read_text(encoding="ascii").partition("\n")[0]
    user, nice, system, _idle, _waiting, irq, softirq, *_ = map(int, first.split()[1:])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    usage = _measured(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
    sys.stdout.write(json.dumps(asdict(usage)))
