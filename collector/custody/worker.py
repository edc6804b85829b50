"""A process of its own that answers requests, in the order in which they were asked.

Rule: it keeps nothing of what this process had open, decides nothing, and ends when this
process does, however that ends.  Nobody may rely on it: it can be gone at any moment, and
whoever asks does the work himself then.

A fork and no new program: it shares the memory of what is imported already.  So it is
made before there are threads.
"""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from errno import ENOBUFS
from fcntl import F_GETPIPE_SZ, fcntl
from itertools import pairwise
from multiprocessing.connection import Connection, Pipe
from typing import Any, Generic, NoReturn, Self, TypeVar

import structlog

log = structlog.get_logger("collector.custody")

Request = TypeVar("Request")
Answer = TypeVar("Answer")

STANDARD_ERROR = 2
UNREAD_BYTES_MAX = 64 * 1024
"""Size of a pipe, unless its user has very many (pipe(7))."""
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class WorkerGoneError(Exception):
    """The process has ended; what was asked and not answered is not going to be."""


class Worker(Generic[Request, Answer]):
    """One such process.

    Args:
        answer: what it does; requests and answers are pickled.

    Raises:
        OSError: no process can be made now, or no pipe of the usual size.
    """

    def __init__(self, answer: Callable[[Request], Answer]) -> None:
        requests, self._requests = Pipe(duplex=False)
        if fcntl(requests.fileno(), F_GETPIPE_SZ) < UNREAD_BYTES_MAX:
            raise OSError(ENOBUFS, os.strerror(ENOBUFS))  # as for a user with very many (pipe(7))
        self._answers, answers = Pipe(duplex=False)
        self.pid = _fork()
        if not self.pid:
            _serve(requests, answers, answer)
        requests.close()
        answers.close()

    @classmethod
    def started(cls, answer: Callable[[Request], Answer]) -> Self | None:
        """Return one, or ``None`` when no process can be made now; that is logged."""
        try:
            return cls(answer)
        except OSError as error:
            log.warning("worker.lost", error=error.strerror)
            return None

    def send(self, request: Request) -> None:
        """Ask.

        Requests that have no answer yet must not be larger than ``UNREAD_BYTES_MAX`` together:
        it may be waiting to get rid of an answer, and reads none meanwhile.

        Raises:
            WorkerGoneError: it is gone.
        """
        try:
            self._requests.send(request)
        except OSError as error:
            raise WorkerGoneError from error

    def receive(self, within_s: float | None = None) -> Answer:
        """Wait for the answer to the oldest request that has none yet.

        Raises:
            WorkerGoneError: it is gone, or did not answer in time.
        """
        try:
            if within_s is not None and not self._answers.poll(within_s):
                raise WorkerGoneError
            answer: Answer = self._answers.recv()
        except (EOFError, OSError) as error:
            raise WorkerGoneError from error
        return answer

    def lost(self) -> None:
        """Log that it is gone, and see to it that it is; instead of ``close``.

        The pipes are closed when the last thread has let go of this object: a number of a
        file that was closed while another thread writes to it could be that of a segment.
        """
        log.warning("worker.lost", error="it has ended, or did not answer")
        self._end()

    def close(self) -> None:
        """End the process, whatever it is doing; once, when no thread uses it any more."""
        self._requests.close()
        self._answers.close()
        self._end()

    def _end(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            os.waitpid(self.pid, 0)


def _fork() -> int:
    """Fork; what tells the parent to stop is never heard by the child."""
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    try:
        pid = os.fork()
        if not pid:
            for each in STOPPING:
                signal.signal(each, signal.SIG_IGN)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    return pid


def _serve(
    requests: Connection[Any, Any], answers: Connection[Any, Any], answer: Callable[[Any], Any]
) -> NoReturn:
    """Answer until the other end is gone.  A mistake ends the process, and nothing else."""
    try:
        _close_all_but(STANDARD_ERROR, requests.fileno(), answers.fileno())
        gc.freeze()
        while True:
            answers.send(answer(requests.recv()))
    finally:
        os._exit(0)  # nothing of the parent is flushed, closed or unlocked on the way out


def _close_all_but(*kept: int) -> None:
    """Let go of what the parent had open: a lock that is held here would outlive it."""
    for one, following in pairwise((-1, *sorted(kept), os.sysconf("SC_OPEN_MAX"))):
        os.closerange(one + 1, following)
