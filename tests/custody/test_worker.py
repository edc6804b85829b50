"""A process beside this one: it answers, shares nothing, and never outlives its parent."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Pipe
from pathlib import Path

import pytest

from collector.custody.worker import Worker, WorkerGoneError

WAIT_S = 20.0


@contextmanager
def worker(answer) -> Iterator[Worker]:
    """A worker that is ended behind the test."""
    made = Worker(answer)
    try:
        yield made
    finally:
        made.close()


def is_running(pid: int) -> bool:
    """Say whether there is such a process, other than as a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def await_end(pid: int) -> None:
    """Wait until a process is gone."""
    until_s = time.monotonic() + WAIT_S
    while is_running(pid):
        assert time.monotonic() < until_s, "it goes on"
        time.sleep(0.01)


def test_requests_are_answered_in_the_order_asked() -> None:
    """Several may be asked before the first answer is taken."""
    with worker(lambda number: (number, os.getpid())) as made:
        for number in range(5):
            made.send(number)
        assert [made.receive() for _ in range(5)] == [(each, made.pid) for each in range(5)]
        assert made.pid != os.getpid()


def test_a_mistake_ends_it_and_nothing_else(capfd: pytest.CaptureFixture[str]) -> None:
    """Whoever asked is told, and does not hear what was in the message."""
    with worker(lambda text: text[99]) as made:
        made.send("secret")
        with pytest.raises(WorkerGoneError):
            made.receive()
        await_end(made.pid)
        with pytest.raises(WorkerGoneError):
            made.send("more")
    assert capfd.readouterr() == ("", "")


def test_signals_to_stop_are_for_the_parent_to_answer() -> None:
    """Systemd and a terminal send them to all processes of a service."""
    with worker(lambda number: number) as made:
        for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            os.kill(made.pid, each)
        made.send(7)
        assert made.receive() == 7


def test_one_that_is_busy_for_ever_is_ended() -> None:
    """A parser that does not come to an end does not hold up the end of the service."""
    made = Worker(lambda _: time.sleep(3600))
    made.send(0)
    made.close()
    assert not is_running(made.pid)


def test_it_keeps_no_lock_of_its_parent(tmp_path: Path) -> None:
    """A lock held by a fork would keep the archive closed after the parent was killed."""
    with (tmp_path / "lock").open("w") as locked:
        fcntl.flock(locked, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with worker(lambda _: len(list(Path("/proc/self/fd").iterdir()))) as made:
            made.send(0)
            assert made.receive() <= 4  # standard error, two pipes, and what looks
            locked.close()  # not LOCK_UN, which frees it whoever has the file open
            with (tmp_path / "lock").open() as other:
                fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)


PARENT = """
import time
from collector.custody.worker import Worker
workers = [Worker(lambda n: n), Worker(lambda n: time.sleep(n))]
workers[1].send(0.2)
print(*[each.pid for each in workers], flush=True)
time.sleep(3600)
"""


def test_it_ends_when_its_parent_is_killed() -> None:
    """Idle or at work: nothing is left behind, and no pipe of the parent is held open."""
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    pids = list(map(int, parent.stdout.readline().split()))
    assert all(map(is_running, pids))
    parent.kill()
    said = parent.communicate(timeout=WAIT_S)
    for pid in pids:
        await_end(pid)
    assert said == ("", "")


def test_an_answer_can_be_given_up(tmp_path: Path) -> None:
    """Whoever waits decides how long."""
    with worker(time.sleep) as made:
        made.send(3600)
        with pytest.raises(WorkerGoneError):
            made.receive(0.05)


def test_a_pipe_that_is_too_small_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user with very many pipes gets small ones, in which two could wait for each other."""
    made = []

    def small(duplex: bool) -> tuple:
        made.append(Pipe(duplex))
        fcntl.fcntl(made[-1][0].fileno(), fcntl.F_SETPIPE_SZ, 4096)
        return made[-1]

    monkeypatch.setattr("collector.custody.worker.Pipe", small)
    assert Worker.started(lambda number: number) is None
    assert made


def test_where_no_process_can_be_made_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """That is no reason not to collect."""

    def refuse() -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", refuse)
    assert Worker.started(lambda number: number) is None
