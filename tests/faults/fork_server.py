"""Runs the real command line many times without starting Python many times.

The program is imported once; every run is a fork of this process that goes on
as ``collector ARGUMENTS`` from there to its own end, the interpreter's included.
Requests are lines of JSON on stdin, answers lines of JSON on stdout: first the
process, then how it ended.

A fork that is to be traced waits for SIGUSR1 before it begins; or, when one of its
threads or processes is to be traced alone, that one does, once it has told its number.
"""

from __future__ import annotations

import ctypes
import gc
import itertools
import json
import os
import resource
import signal
import sys
import threading
from datetime import datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import mutants

import collector.cli.collect  # noqa: F401 - before the first fork
from collector.cli.main import main
from collector.custody import watch

PR_SET_PTRACER, PR_SET_PTRACER_ANY = 0x59616D61, -1
"""Where Yama restricts ptrace(2), strace may still trace a fork that allows it (prctl(2))."""
PR_SET_PDEATHSIG = 1
"""Whoever is left alone ends as well."""

prctl = ctypes.CDLL(None).prctl


def serve() -> dict | None:
    """Fork for every request; return the request in the fork, ``None`` at the end of input."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    for line in sys.stdin:
        request = json.loads(line)
        pid = os.fork()
        if not pid:
            return request
        print(json.dumps({"pid": pid}), flush=True)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        print(json.dumps({"returncode": status}), flush=True)
    return None


def become(request: dict) -> None:
    """Take on the arguments, the output file, the clock and the limit of one run."""
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    null = os.open(os.devnull, os.O_RDONLY)
    output = os.open(request["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    for fd, target in ((null, 0), (output, 1), (output, 2)):
        os.dup2(fd, target)
    os.closerange(3, max(null, output) + 1)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 - what was read ahead is not ours
    sys.argv = ["collector", *request["arguments"]]
    set_clock(timedelta(seconds=request["clock_ahead_s"]))
    if limit := request["file_bytes_max"]:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    if request["traced"]:
        prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0)
        if request["thread"] > 0:
            hold_thread(request["thread"], Path(request["thread_file"]))
        elif request["thread"] < 0:
            hold_process(-request["thread"], Path(request["thread_file"]))
        else:
            signal.sigwait({signal.SIGUSR1})


def hold_thread(wanted: int, told_in: Path) -> None:
    """Let the ``wanted``-th thread that is started tell its id and wait."""
    numbers = itertools.count(1)
    start = threading.Thread.start

    def numbered(thread: threading.Thread) -> None:
        if next(numbers) == wanted:
            run = thread.run

            def held() -> None:
                told_in.write_text(str(threading.get_native_id()))
                signal.sigwait({signal.SIGUSR1})
                run()

            thread.run = held
        start(thread)

    threading.Thread.start = numbered


def hold_process(wanted: int, told_in: Path) -> None:
    """Let the ``wanted``-th process that is forked tell its id and wait."""
    forks = itertools.count(1)
    numbers: list[int] = []

    def held() -> None:
        if numbers[-1] == wanted:
            prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0)
            told_in.write_text(str(os.getpid()))
            signal.sigwait({signal.SIGUSR1})

    os.register_at_fork(before=lambda: numbers.append(next(forks)), after_in_child=held)


def set_clock(ahead: timedelta) -> None:
    """Let the program's one clock be ahead, so that what waits for a pause is due."""

    class LaterDatetime(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.now(tz) + ahead

    if ahead:
        watch.datetime = LaterDatetime


if __name__ == "__main__":
    prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    mutants.apply_from_environment()
    gc.collect()
    gc.freeze()  # a fork need not copy what none of them changes
    this_run = serve()
    if this_run is not None:
        become(this_run)
        main()
