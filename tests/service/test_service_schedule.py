"""The schedule: who is alive, and how everything ends when one job must stop the service."""

from __future__ import annotations

import threading
import time
from threading import Event, Thread

from apscheduler.schedulers.base import STATE_STOPPED
from test_service_run import eventually

from collector.domain.errors import IntegrityError
from collector.service.pulse import Pulse
from collector.service.schedule import Schedule


class Restless:
    """A job that shows progress, or hangs or fails once it is told to."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.pulse = Pulse()
        self.hangs = Event()
        self.fails = Event()
        self.released = Event()

    def work(self, intake, stop) -> float:
        """Do what it was told."""
        if self.fails.is_set():
            raise IntegrityError("the disk is broken")
        while self.hangs.is_set() and not (self.released.is_set() or stop()):
            time.sleep(0.01)
        self.pulse.rest(0.05)
        return 0.05

    def close(self) -> None:
        """Nothing is held open."""


class Brief(Restless):
    """A job whose work takes no time at all."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.turns_count = 0

    def work(self, intake, stop) -> float:
        """Count."""
        self.turns_count += 1
        return 0.0


def test_a_job_that_ends_at_once_is_started_again() -> None:
    """However short a turn is, the next one is not forgotten."""
    jobs = [Brief(f"brief {number}") for number in range(4)]
    schedule = Schedule(jobs, None, lambda: False, Event())
    schedule.start()
    try:
        eventually(lambda: min(job.turns_count for job in jobs) > 100)
    finally:
        schedule.stop()
    counts = [job.turns_count for job in jobs]
    time.sleep(0.1)
    assert [job.turns_count for job in jobs] == counts


def test_only_progress_of_every_job_feeds_the_watchdog(monkeypatch) -> None:
    """One job that hangs is enough to stop the feeding, however busy the others are."""
    monkeypatch.setattr("collector.service.pulse.WORKING_GRACE_S", 3.0)
    jobs = [Restless("busy"), Restless("stuck")]
    schedule = Schedule(jobs, None, lambda: False, Event())
    schedule.start()
    try:
        began_s = time.monotonic()
        while time.monotonic() - began_s < 4.0:
            assert schedule.alive()
            time.sleep(0.05)
        jobs[1].hangs.set()
        eventually(lambda: not schedule.alive())
        jobs[1].hangs.clear()
        jobs[1].released.set()
        eventually(schedule.alive)
    finally:
        schedule.stop()


def test_an_error_that_stops_the_service_ends_the_jobs_that_wait() -> None:
    """Others in the middle of something, or between two turns, hear of it and all ends."""
    jobs = [Restless("busy"), Restless("waiting"), Restless("broken")]
    wake = Event()
    schedule = Schedule(jobs, None, lambda: False, wake)
    schedule.start()
    jobs[1].hangs.set()
    jobs[2].fails.set()
    assert wake.wait(10)
    assert isinstance(schedule.fatal, IntegrityError)
    ending = Thread(target=schedule.stop, daemon=True)
    ending.start()
    ending.join(10)
    assert not ending.is_alive()


def test_a_stop_between_the_beginning_of_a_turn_and_its_forgetting_is_no_error(
    monkeypatch,
) -> None:
    """The library's thread ends in silence, with the turn that it has just begun."""
    errors = []
    monkeypatch.setattr(threading, "excepthook", lambda raised: errors.append(raised.exc_value))
    job = Brief("brief")
    schedule = Schedule([job], None, lambda: False, Event())
    scheduler = schedule._scheduler
    executor = scheduler._executors["default"]
    ending = Thread(target=schedule.stop, daemon=True)
    begin = executor.submit_job

    def begin_and_stop(*turn) -> None:
        begin(*turn)
        ending.start()
        eventually(lambda: scheduler.state == STATE_STOPPED)

    monkeypatch.setattr(executor, "submit_job", begin_and_stop)
    schedule.start()
    eventually(lambda: ending.ident is not None)
    ending.join(10)  # it waits for the library's thread
    assert not ending.is_alive()
    assert (errors, job.turns_count) == ([], 1)
