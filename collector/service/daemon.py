"""The service: starts the schedule, answers signals, feeds the watchdog.

SIGTERM and SIGINT: finish the current message of every mailbox, exit 0.
SIGHUP: read the configuration again; a bad one is reported and the old kept.
An ``IntegrityError`` stops everything with exit code 3, and the unit file does
not restart the service after it.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Event

import structlog

from collector import __version__
from collector.config import Settings, load
from collector.custody.watch import utc_now
from collector.domain.errors import CollectorError, ConfigError, IntegrityError
from collector.service import exit_code
from collector.service.activity import Activity
from collector.service.acts import Person
from collector.service.alarms import AlarmJob, broken, tell_at_once
from collector.service.assemble import House, mailbox_jobs, open_house
from collector.service.canary_job import canary_jobs
from collector.service.clock import Clock, behind_s
from collector.service.exit_code import ExitCode
from collector.service.metrics import served_metrics
from collector.service.notify import notify, watchdog_interval_s
from collector.service.outside import outside_jobs
from collector.service.ping import ping_jobs
from collector.service.schedule import Job, Schedule
from collector.service.thinning import thinning_job

log = structlog.get_logger("collector.service")

WAKE_S = 30.0
"""Longest sleep of the main thread without a watchdog."""


class Daemon:
    """One run of the service from start to stop."""

    def __init__(self, config_path: Path, person: Person | None = None) -> None:
        self._config_path = config_path
        self._person = person
        self._stop = Event()
        self._reload = Event()
        self._wake = Event()

    def run(self) -> ExitCode:
        """Serve until told to stop; return the exit code.

        Raises:
            CollectorError: the service could not start.
        """
        settings = _servable(load(self._config_path))
        self._answer_signals()
        code = ExitCode.DONE
        while not self._stop.is_set():
            with open_house(settings, self._person) as house:
                code = self._serve(settings, house)
            if code is not ExitCode.DONE:
                break
            settings = self._reloaded(settings)
        return code

    def _serve(self, settings: Settings, house: House) -> ExitCode:
        activity = Activity()
        jobs: list[Job] = [
            *mailbox_jobs(settings, activity),
            *outside_jobs(settings),
            *ping_jobs(settings, activity),
            *canary_jobs(settings),
            thinning_job(settings),
            AlarmJob(settings),
        ]
        schedule = Schedule(jobs, house.intake, self._halting, self._wake)
        house.record_act("service.started", version=__version__, config_digest=settings.digest)
        behind = behind_s(next(iter(house.ledger.events(limit=1)), None), utc_now())
        if behind is not None:
            house.record("clock.jumped", jump_s=-round(behind, 3), seen="at the start")
        with served_metrics(settings, house, activity):
            schedule.start()
            notify("READY=1")
            self._watch(schedule, house)
            notify("STOPPING=1" if self._stop.is_set() or schedule.fatal else "RELOADING=1")
            schedule.stop()
        code = _code_of(schedule.fatal)
        if isinstance(schedule.fatal, IntegrityError):
            tell_at_once(settings, broken(schedule.fatal))
        house.record("service.stopped", exit_code=int(code))
        return code

    def _watch(self, schedule: Schedule, house: House) -> None:
        """Sleep, feed the watchdog and look at the clock until something must happen."""
        interval_s = watchdog_interval_s()
        clock = Clock()
        while not (self._halting() or schedule.fatal):
            self._wake.wait(min(interval_s / 2, WAKE_S) if interval_s else WAKE_S)
            if schedule.alive():
                notify("WATCHDOG=1")
            self._wake.clear()
            if (jump_s := clock.jumped_s()) is not None:
                self._note_jump(house, jump_s)

    def _note_jump(self, house: House, jump_s: float) -> None:
        """Write down that times before and after cannot be compared."""
        with suppress(CollectorError):  # whatever is wrong stops the mailboxes, not this
            house.record("clock.jumped", jump_s=round(jump_s, 3), seen="while running")

    def _reloaded(self, settings: Settings) -> Settings:
        if not self._reload.is_set():
            return settings
        self._reload.clear()
        try:
            settings = _servable(load(self._config_path))
            log.info("service.reloaded", config_digest=settings.digest)
        except ConfigError as error:
            log.error("service.reload_failed", error=error.problem, hint=error.hint)
        return settings

    def _halting(self) -> bool:
        return self._stop.is_set() or self._reload.is_set()

    def _answer_signals(self) -> None:
        def on(event: Event) -> Callable[[int, object], None]:
            def handler(_signal: int, _frame: object) -> None:
                event.set()
                self._wake.set()

            return handler

        signal.signal(signal.SIGTERM, on(self._stop))
        signal.signal(signal.SIGINT, on(self._stop))
        signal.signal(signal.SIGHUP, on(self._reload))


def _servable(settings: Settings) -> Settings:
    if not any(mailbox.folders for mailbox in settings.mailboxes):
        raise ConfigError(
            "there is no mailbox to serve",
            subject=str(settings.path),
            hint="add a [[mailbox]] with folders",
        )
    return settings


def _code_of(fatal: BaseException | None) -> ExitCode:
    match fatal:
        case None:
            return ExitCode.DONE
        case IntegrityError():
            log.critical("custody.broken", error=fatal.problem, hint=fatal.hint)
            return ExitCode.BROKEN
        case CollectorError():
            log.error("service.failed", error=fatal.problem, hint=fatal.hint)
            return exit_code.of_error(fatal)
        case _:
            log.critical("service.failed", error=type(fatal).__name__, exc_info=fatal)
            return ExitCode.LATER
