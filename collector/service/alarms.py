"""Looks for alarms, and tells them: a job of its own beside the mailboxes.

Rule: nothing in here holds up or ends the service, whatever goes wrong: it becomes a line
in the log.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import inf

import structlog

from collector.config import Settings
from collector.custody.intake import Intake
from collector.custody.watch import utc_now
from collector.domain.alarm import Alarm, KnownAlarm, Notice, Severity, Word
from collector.domain.errors import CollectorError, IntegrityError
from collector.domain.finding import Finding, Grade
from collector.ledger.memory import Memory
from collector.service.notices import Refusal, decide, tell
from collector.service.pulse import Pulse
from collector.service.situation import Rooms, situation
from collector.service.summary import summarise
from collector.watch import rules
from collector.watch.delivery import Courier, message_of
from collector.watch.mailbox_rules import BACKLOG, backlog_of, served
from collector.watch.notices import text_of
from collector.watch.situation import Situation

log = structlog.get_logger("collector.service")

LOOK_S = 10.0
ONCE_S_MAX = 60.0
"""And the one delivery that is under way then."""
SAMPLE = timedelta(minutes=10)
SAMPLES_MAX = 12
"""Two hours of a backlog; an hour is looked back at."""


@dataclass(slots=True)
class AlarmJob:
    """The job that watches.

    Its pulse never counts: a receiver that hangs must not restart the service.
    """

    settings: Settings
    now: Callable[[], datetime] = utc_now
    name: str = ":alarms"
    pulse: Pulse = field(default_factory=Pulse)
    _couriers: dict[str, Courier] = field(default_factory=dict)

    def work(self, intake: Intake, stop: Callable[[], bool]) -> float:
        """Look at everything, then tell what is to be told; return seconds to rest."""
        self.pulse.rest(inf)
        try:
            with intake.ledger.session():
                self._look(intake)
                tell(intake.ledger.memory, self._deliver, self.now, stop)
        except CollectorError as error:
            log.error("alarm.unseen", error=error.problem, hint=error.hint)
        except Exception as error:
            log.error("alarm.unseen", error=type(error).__name__, exc_info=error)
        return LOOK_S

    def close(self) -> None:
        """Nothing is held open; a delivery that still goes on ends with the process."""

    def _look(self, intake: Intake) -> None:
        now, memory = self.now(), intake.ledger.memory
        rooms = Rooms(self.settings, intake.archive, intake.ledger, intake.checkpoints)
        seen = situation(rooms, now)
        keep_samples(memory, seen)
        present = rules.alarms(seen)
        remind = timedelta(seconds=self.settings.alarms.remind_after_s)
        decide(memory, present, receivers_of(self.settings), now, remind)
        summarise(self.settings, intake.ledger, seen, present)

    def _deliver(self, receiver: str, notices: Sequence[Notice]) -> Refusal | None:
        courier = self._couriers.setdefault(receiver, Courier())
        reason = deliver(self.settings, receiver, notices, courier)
        return Refusal(reason, doubtful=courier.busy) if reason else None


def look_once(settings: Settings, intake: Intake, stop: Callable[[], bool]) -> None:
    """Look and tell once, for those who collect without the service; raises nothing.

    Nobody is told after ``ONCE_S_MAX``; what was not told is told by the next run.
    """
    until_s = time.monotonic() + ONCE_S_MAX
    AlarmJob(settings).work(intake, lambda: stop() or time.monotonic() > until_s)


def receivers_of(settings: Settings) -> Mapping[str, Severity]:
    """Return the least severity each receiver wants to hear of, by name."""
    alarms = settings.alarms
    return {
        name: Severity.CRITICAL if name in alarms.critical_only else Severity.WARNING
        for name in alarms.receiver_urls
    }


def deliver(settings: Settings, receiver: str, notices: Sequence[Notice], courier: Courier) -> str:
    """Return an empty text when a receiver was told, else why he was not."""
    try:
        url = settings.alarms.receiver_urls[receiver]()
    except CollectorError as error:
        return str(error)
    return courier.deliver(url, message_of(notices, socket.gethostname()))


def try_receivers(settings: Settings) -> Iterator[Finding]:
    """Send a test to every receiver; yield for each whether it was taken."""
    now = utc_now()
    for receiver in receivers_of(settings):
        text = f"test of the receiver {receiver}\nAlarms of this archive will arrive here."
        notice = Notice(receiver, "test", Word.TEST, Severity.WARNING, text, now, now)
        if reason := deliver(settings, receiver, [notice], Courier()):
            hint = "mend its address, then try again"
            yield Finding("receiver", receiver, Grade.FAILED, reason, hint)
        else:
            yield Finding("receiver", receiver, Grade.OK, "taken; did it arrive?")


def broken(error: IntegrityError) -> Alarm:
    """Return the alarm of a service that stops because its archive is not what it was."""
    hint = error.hint or "nothing more is deleted; look at the disk, then run `collector verify`"
    return Alarm("broken", "", Severity.CRITICAL, error.problem, hint)


def tell_at_once(settings: Settings, alarm: Alarm) -> None:
    """Tell every receiver of the reason why the service stops; there is no later."""
    now = utc_now()
    text = text_of(Word.ALARM, KnownAlarm(alarm, now, now), now)
    for receiver in receivers_of(settings):
        notice = Notice(receiver, alarm.key, Word.ALARM, alarm.severity, text, now, now)
        if reason := deliver(settings, receiver, [notice], Courier()):
            log.warning("alarm.untold", receiver=receiver, error=reason, attempts=1)
        else:
            log.info("alarm.told", receiver=receiver, notices_count=1)


def keep_samples(memory: Memory, seen: Situation) -> None:
    """Keep how many messages wait, now and then, for the rule that asks whether they grow."""
    for folder in served(seen):
        last = seen.reading(folder.mailbox, BACKLOG)
        if last is not None and timedelta() <= seen.now - last.at < SAMPLE:
            continue
        before = last.facts["samples"] if last else []
        samples = [*before, [seen.now.isoformat(), backlog_of(folder)]][-SAMPLES_MAX:]
        memory.note_reading(str(folder.mailbox), BACKLOG, seen.now, samples=samples)
