"""Writes down what is to be told of alarms, and tells it.

Rule: what was decided is durable before anybody is told, and so is that a notice is about
to leave: a restart neither forgets nor repeats, but for what left when the program was
killed.  What could not be delivered is tried again after a growing pause.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog

from collector.domain.alarm import Alarm, KnownAlarm, Notice, Severity, Word
from collector.ledger.memory import Memory
from collector.service.backoff import FIRST_S, MAX_S
from collector.watch import rules
from collector.watch.notices import Audience, as_told, in_doubt, notices_of
from collector.watch.telling import compare

log = structlog.get_logger("collector.service")


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a receiver was not told.

    Attributes:
        doubtful: he may have been, all the same.
    """

    reason: str
    doubtful: bool = False


Deliver = Callable[[str, Sequence[Notice]], Refusal | None]
"""Tells a receiver, by name, all of it in one message."""


def decide(
    memory: Memory,
    present: Iterable[Alarm],
    receivers: Mapping[str, Severity],
    now: datetime,
    remind: timedelta,
) -> None:
    """Write down how alarms stand and who is to be told what; log what changed.

    Args:
        receivers: the least severity each wants to hear of, by name.
        remind: after so long an alarm that lasts is told again.
    """
    changes = compare(present, memory.alarms(), rules.MOMENTS, now, remind)
    audience = Audience(receivers, memory.notices(), memory.heard())
    telling = notices_of(changes, audience, rules.MOMENTS, now, remind)
    if any((changes.kept, changes.over, telling.made, telling.obsolete, telling.forgotten)):
        memory.note_alarms(
            changes.kept, changes.over, telling.made, telling.obsolete, telling.forgotten
        )
    for word, known in changes.spoken:
        _log(word, known)


def tell(
    memory: Memory, deliver: Deliver, now: Callable[[], datetime], stop: Callable[[], bool]
) -> None:
    """Deliver to every receiver what he is still to be told, unless he is given a pause."""
    for receiver, notices in _by_receiver(memory.notices()).items():
        if stop():
            return
        if any(_is_early(each, now()) for each in notices):
            continue
        _tell_one(memory, deliver, receiver, notices, now)


def _tell_one(
    memory: Memory,
    deliver: Deliver,
    receiver: str,
    notices: list[Notice],
    now: Callable[[], datetime],
) -> None:
    before = {(each.receiver, each.topic): each for each in memory.heard()}
    memory.note_delivery(heard=in_doubt(notices, now()))
    refusal = deliver(receiver, notices)
    if refusal is None:
        over = [each for each in notices if each.word is Word.ALL_CLEAR]
        memory.note_delivery(told=notices, heard=as_told(notices, now()), unheard=over)
        log.info("alarm.told", receiver=receiver, notices_count=len(notices))
        return
    put_off = [_put_off(each, now()) for each in notices]
    if refusal.doubtful:
        memory.note_delivery(put_off=put_off)
    else:  # he knows what he knew
        keys = [(each.receiver, each.topic) for each in notices]
        known = [before[key] for key in keys if key in before]
        memory.note_delivery(put_off=put_off, heard=known, unheard=notices)
    attempts = max(each.attempts for each in put_off)
    log.warning("alarm.untold", receiver=receiver, error=refusal.reason, attempts=attempts)


def _by_receiver(notices: Sequence[Notice]) -> dict[str, list[Notice]]:
    found: dict[str, list[Notice]] = {}
    for each in notices:
        found.setdefault(each.receiver, []).append(each)
    return found


def _is_early(notice: Notice, now: datetime) -> bool:
    """No pause is longer than ``MAX_S``: then the clock was set back."""
    return timedelta() < notice.try_at - now <= timedelta(seconds=MAX_S)


def _put_off(notice: Notice, now: datetime) -> Notice:
    attempts = notice.attempts + 1
    pause_s = min(FIRST_S * 2 ** min(attempts - 1, 20), MAX_S)
    return replace(notice, attempts=attempts, try_at=now + timedelta(seconds=pause_s))


def _log(word: Word, known: KnownAlarm) -> None:
    alarm = known.alarm
    if word is Word.ALL_CLEAR:
        log.info("alarm.cleared", kind=alarm.kind, about=alarm.subject)
        return
    say = log.error if alarm.severity is Severity.CRITICAL else log.warning
    say(
        "alarm.raised",
        kind=alarm.kind,
        about=alarm.subject,
        severity=alarm.severity.value,
        problem=alarm.problem,
        hint=alarm.hint,
        reminder=word is Word.REMINDER,
    )
