"""Keeps jobs going, one per mailbox and one for the world outside, each at its own pace.

Rule: no job runs twice at once.  Its next start is fixed when it has ended, out of
what it returned; so nothing overlaps and nothing is missed (measured: imap reference, 5.1).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from threading import Condition, Event
from typing import Protocol

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.background import BackgroundScheduler

from collector.custody.intake import Intake
from collector.service.pulse import Pulse


class Job(Protocol):
    """Something that is worked on again and again."""

    @property
    def name(self) -> str:
        """Nobody else is called so."""

    @property
    def pulse(self) -> Pulse:
        """Shows that it makes progress."""

    def work(self, intake: Intake, stop: Callable[[], bool]) -> float:
        """Do what is due; return seconds to rest."""

    def close(self) -> None:
        """Let go of what is held open."""


class _Scheduler(BackgroundScheduler):  # type: ignore[misc]
    """The library's, which forgets a turn that has begun wherever the turn is kept.

    It looks elsewhere for it as soon as it is told to stop, and its thread would end with
    an error about a turn that runs all the same.
    """

    def remove_job(self, job_id: str, jobstore: str | None = None) -> None:
        """Forget a turn, if there is one of that name."""
        with suppress(JobLookupError):
            super().remove_job(job_id, jobstore)


class Schedule:
    """The running jobs of a service.

    Args:
        stop: set when jobs shall end after their current message.
        wake: set here when a job failed in a way that must stop the service.
    """

    def __init__(
        self, jobs: Sequence[Job], intake: Intake, stop: Callable[[], bool], wake: Event
    ) -> None:
        self._jobs = tuple(jobs)
        self._intake = intake
        self._told_to_stop = stop
        self._wake = wake
        self._turns = itertools.count(1)
        self._changed = Condition()
        self._running_count = 0
        self._ending = False
        self.fatal: BaseException | None = None
        self._scheduler = _Scheduler(
            executors={"default": ThreadPoolExecutor(max_workers=len(jobs))},
            job_defaults={"max_instances": 1, "coalesce": True, "misfire_grace_time": None},
            timezone=UTC,
        )

    def start(self) -> None:
        """Start every job now."""
        for job in self._jobs:
            self._start_in(job, 0.0)
        self._scheduler.start()

    def stop(self) -> None:
        """Wait until every job has finished its current message.

        The library's own waiting holds the lock that a job needs to be started again, and
        so would wait for ever for one that is about to be.
        """
        with self._changed:
            self._ending = True
        self._scheduler.shutdown(wait=False)
        with self._changed:
            self._changed.wait_for(lambda: not self._running_count)
        for job in self._jobs:
            job.close()

    def alive(self) -> bool:
        """Return whether every job shows progress in time."""
        return all(job.pulse.alive() for job in self._jobs)

    def _stop(self) -> bool:
        return self._ending or self._told_to_stop()

    def _start_in(self, job: Job, pause_s: float) -> None:
        """Start a job after a pause.

        Each turn has a name of its own: the library forgets a turn by its name after it has
        begun, which may be when the next one is already there.
        """
        self._scheduler.add_job(
            self._run,
            "date",
            run_date=datetime.now(UTC) + timedelta(seconds=pause_s),
            id=f"{job.name}#{next(self._turns)}",
            args=[job],
        )

    def _run(self, job: Job) -> None:
        with self._changed:
            if self._ending:
                return
            self._running_count += 1
        try:
            pause_s = job.work(self._intake, self._stop)
            if not self._stop():
                self._start_in(job, pause_s)
        except BaseException as error:  # noqa: BLE001 - the daemon knows what it means
            self.fatal = self.fatal or error
            self._wake.set()
        finally:
            with self._changed:
                self._running_count -= 1
                self._changed.notify_all()
