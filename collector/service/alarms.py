"""Looks for alarms, and tells them: a job of its own beside the mailboxes.

Rule: nothing in here holds up or ends the service, whatever goes wrong: it becomes a line
in the log.  What was decided is durable before anybody is told, so a restart neither
repeats nor forgets; what could not be delivered is tried again after a growing pause.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
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
from collector.service.backoff import FIRST_S, MAX_S
from collector.service.pulse import Pulse
from collector.service.situation import Rooms, situation
from collector.service.summary import summarise
from collector.watch import rules
from collector.watch.delivery import Courier, message_of
from collector.watch.mailbox_rules import BACKLOG, backlog_of, served
from collector.watch.situation import Situation
from collector.watch.telling import compare, notices_of, text_of

log = structlog.get_logger("collector.service")

LOOK_S = 10.0
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
                self._tell(intake.ledger.memory, stop)
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
        changes = compare(present, memory.alarms(), rules.MOMENTS, now, remind)
        pending = memory.notices()
        made, obsolete = notices_of(changes.spoken, receivers_of(self.settings), pending, now)
        if changes or made or obsolete:
            memory.note_alarms(changes.kept, changes.over, made, obsolete)
        for word, known in changes.spoken:
            _log(word, known)
        summarise(self.settings, memory, seen, present)

    def _tell(self, memory: Memory, stop: Callable[[], bool]) -> None:
        """Deliver to every receiver what he is still to be told, in one message."""
        for receiver, notices in _by_receiver(memory.notices()).items():
            if stop():
                return
            if any(each.try_at > self.now() for each in notices):
                continue
            courier = self._couriers.setdefault(receiver, Courier())
            reason = deliver(self.settings, receiver, notices, courier)
            if not reason:
                memory.note_told(notices)
                log.info("alarm.told", receiver=receiver, notices_count=len(notices))
            else:
                put_off = [_put_off(each, self.now()) for each in notices]
                memory.note_told((), put_off)
                attempts = max(each.attempts for each in put_off)
                log.warning("alarm.untold", receiver=receiver, error=reason, attempts=attempts)


def receivers_of(settings: Settings) -> Mapping[str, Severity]:
    """Return the least severity each receiver wants to hear of, by name."""
    alarms = settings.alarms
    return {
        name: Severity.CRITICAL if name in alarms.critical_only else Severity.WARNING
        for name in alarms.receiver_urls
    }


def deliver(settings: Settings, receiver: str, notices: list[Notice], courier: Courier) -> str:
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


def _by_receiver(notices: list[Notice]) -> dict[str, list[Notice]]:
    found: dict[str, list[Notice]] = {}
    for each in notices:
        found.setdefault(each.receiver, []).append(each)
    return found


def _put_off(notice: Notice, now: datetime) -> Notice:
    attempts = notice.attempts + 1
    pause_s = min(FIRST_S * 2 ** min(attempts - 1, 20), MAX_S)
    return replace(notice, attempts=attempts, try_at=now + timedelta(seconds=pause_s))


def _log(word: Word, known: KnownAlarm) -> None:
    alarm = known.alarm
    if word is Word.ALL_CLEAR:
        log.info("alarm.cleared", kind=alarm.kind, about=alarm.subject)
        return
    tell = log.error if alarm.severity is Severity.CRITICAL else log.warning
    tell(
        "alarm.raised",
        kind=alarm.kind,
        about=alarm.subject,
        severity=alarm.severity.value,
        problem=alarm.problem,
        hint=alarm.hint,
        reminder=word is Word.REMINDER,
    )
