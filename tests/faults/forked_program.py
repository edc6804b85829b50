"""Starts the collector as forks of a process that has imported it already, traced or not.

Rule: one ``Program`` runs one command at a time; use one for each thread.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import collector

HERE = Path(__file__).resolve().parent
REPOSITORY = Path(collector.__file__).resolve().parent.parent
RUN_S_MAX = 90


@dataclass(frozen=True, slots=True)
class Ran:
    """How one run of the program ended.

    Attributes:
        returncode: its exit code, or the negative number of the signal.
        output: what it printed and logged.
        trace: the lines of strace, empty when it was not traced.
    """

    returncode: int
    output: str
    trace: list[str]

    def json(self) -> Any:
        """Return the JSON document among the lines printed."""
        lines = [line for line in self.output.splitlines() if line.startswith(("{", "["))]
        return json.loads(lines[-1])


class Program:
    """The real program, ready to run; a context manager.

    With COLLECTOR_MUTANT it has that seeded mistake (see ``mutants.py``).

    Args:
        work: directory for its output, which must not be the archive.
    """

    def __init__(self, work: Path) -> None:
        self._output, self._trace = work / "output", work / "trace"
        self._thread = work / "thread"
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
        self._server = subprocess.Popen(
            [sys.executable, str(HERE / "fork_server.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,  # so that select() sees every answer
            env=environment,
            cwd=work,
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.stdin.close()
        try:
            self._server.wait(RUN_S_MAX)
        except subprocess.TimeoutExpired:
            self._server.kill()
            self._server.wait()
        self._server.stdout.close()

    def run(
        self,
        *arguments: str,
        strace: tuple[str, ...] = (),
        thread: int = 0,
        clock_ahead_s: int = 0,
        file_bytes_max: int = 0,
    ) -> Ran:
        """Run ``collector ARGUMENTS`` to its end.

        Args:
            strace: options; with them it runs under strace.
            thread: which thread is traced: the main one (0), the n-th one started, or
                (-n) the n-th process forked; with ``-f`` among the options, all.
            clock_ahead_s: how far its clock is ahead.
            file_bytes_max: no file may grow beyond; a write up to there is short.
        """
        request = {
            "arguments": arguments,
            "output": str(self._output),
            "traced": bool(strace),
            "thread": thread,
            "thread_file": str(self._thread),
            "clock_ahead_s": clock_ahead_s,
            "file_bytes_max": file_bytes_max,
        }
        for path in (self._trace, self._thread):
            path.unlink(missing_ok=True)
        self._server.stdin.write(json.dumps(request).encode() + b"\n")
        pid = self._answer(RUN_S_MAX)["pid"]
        tracer = None
        if strace and (traced := self._started(thread) if thread else pid):
            tracer = self._attach(traced if thread < 0 else pid, traced, strace)
        try:
            returncode = self._answer(RUN_S_MAX)["returncode"]
        except TimeoutError:
            os.kill(pid, signal.SIGKILL)
            self._answer(RUN_S_MAX)
            raise
        finally:
            if tracer:
                tracer.wait(RUN_S_MAX)
                tracer.stderr.close()
        trace = self._trace.read_text(errors="replace").splitlines() if tracer else []
        return Ran(returncode, self._output.read_text(errors="replace"), trace)

    def _started(self, thread: int) -> int:
        """Wait for a thread or process that is held; return its id, 0 when it never came."""
        while not self._has_answered(0.002):
            text = self._thread.read_text() if self._thread.exists() else ""
            if text:
                return int(text)
        return 0

    def _attach(self, pid: int, traced: int, options: tuple[str, ...]) -> subprocess.Popen:
        """Attach strace to what waits, then let it go."""
        tracer = subprocess.Popen(
            ["strace", "-y", "-o", str(self._trace), *options, "-p", str(traced)],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        line = tracer.stderr.readline()
        if "attached" not in line:
            os.kill(pid, signal.SIGKILL)
            raise OSError(f"strace could not attach: {line}{tracer.stderr.read()}")
        os.kill(pid, signal.SIGUSR1)
        return tracer

    def _answer(self, seconds: float) -> dict[str, int]:
        deadline_s = time.monotonic() + seconds
        while not self._has_answered(0.5):
            if time.monotonic() > deadline_s:
                raise TimeoutError(f"the program did not end within {seconds} s")
        return json.loads(self._server.stdout.readline())

    def _has_answered(self, seconds: float) -> bool:
        return bool(select.select([self._server.stdout], [], [], seconds)[0])


class InstalledProgram:
    """The command line as anybody starts it, under strace: what the forks must be like."""

    def __init__(self, work: Path) -> None:
        self._trace = work / "installed-trace"

    def run(self, *arguments: str, strace: tuple[str, ...]) -> Ran:
        """Run ``python -m collector ARGUMENTS`` to its end."""
        command = ["strace", "-y", "-o", self._trace, *strace, sys.executable, "-m"]
        ran = subprocess.run(
            [*command, "collector", *arguments],
            capture_output=True,
            text=True,
            cwd=REPOSITORY,
            timeout=RUN_S_MAX,
            check=False,
        )
        trace = self._trace.read_text(errors="replace").splitlines()
        return Ran(ran.returncode, ran.stdout + ran.stderr, trace)
