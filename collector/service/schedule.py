"""Keeps jobs going, one per mailbox and one for the world outside, each at its own pace.

Rule: no job runs twice at once.  Its next start is fixed when it has ended, out of
what it returned; so nothing overlaps and nothing is missed (measured: imap reference, 5.1).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Any, Protocol

import structlog
from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_EXECUTED
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from collector.custody.intake import Intake
from collector.service.pulse import Pulse

log = structlog.get_logger("collector.service")


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


class Schedule:
    """The running jobs of a service.

    Args:
        stop: set when jobs shall end after their current message.
        wake: set here when a job failed in a way that must stop the service.
    """

    def __init__(
        self, jobs: Sequence[Job], intake: Intake, stop: Callable[[], bool], wake: Event
    ) -> None:
        self._jobs = {job.name: job for job in jobs}
        self._intake = intake
        self._stop = stop
        self._wake = wake
        self.fatal: BaseException | None = None
        self._scheduler = BackgroundScheduler(
            executors={"default": ThreadPoolExecutor(max_workers=len(jobs))},
            job_defaults={"max_instances": 1, "coalesce": True, "misfire_grace_time": None},
            timezone=UTC,
        )
        self._scheduler.add_listener(self._ended, EVENT_JOB_EXECUTED | EVENT_JOB_ERROR)

    def start(self) -> None:
        """Start every job now."""
        for name in self._jobs:
            self._start_in(name, 0.0)
        self._scheduler.start()

    def stop(self) -> None:
        """Wait until every job has finished its current message."""
        self._scheduler.shutdown(wait=True)
        for job in self._jobs.values():
            job.close()

    def alive(self) -> bool:
        """Return whether every job shows progress in time."""
        return all(job.pulse.alive() for job in self._jobs.values())

    def _start_in(self, name: str, pause_s: float) -> None:
        job = self._jobs[name]
        self._scheduler.add_job(
            job.work,
            "date",
            run_date=datetime.now(UTC) + timedelta(seconds=pause_s),
            id=name,
            args=[self._intake, self._stop],
            replace_existing=True,
        )

    def _ended(self, event: Any) -> None:  # noqa: ANN401 - the library has no types
        if event.exception is not None:
            self.fatal = self.fatal or event.exception
            self._wake.set()
        elif not self._stop():
            self._start_in(event.job_id, event.retval)
