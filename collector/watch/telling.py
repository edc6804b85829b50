"""Decides what is told of alarms: once, a reminder while they last, an all-clear.

Rule: pure.  What is known is given and what changes is returned; both are durable
elsewhere, so that a restart neither repeats nor forgets.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from collector.domain.alarm import Alarm, KnownAlarm, Notice, Severity, Word

SETTLE = timedelta(minutes=10)
"""A cause must be gone for so long before the all-clear: many come and go."""
WORDS = {
    Word.ALARM: "",
    Word.REMINDER: "still: ",
    Word.ALL_CLEAR: "all clear: ",
}


@dataclass(slots=True)
class Changes:
    """What is different from what was known.

    Attributes:
        kept: new or changed.
        over: forgotten.
        spoken: what everybody is to be told, as (word, alarm).
    """

    kept: list[KnownAlarm] = field(default_factory=list)
    over: list[KnownAlarm] = field(default_factory=list)
    spoken: list[tuple[Word, KnownAlarm]] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.kept or self.over)


def compare(
    present: Iterable[Alarm],
    known: Iterable[KnownAlarm],
    moments: frozenset[str],
    now: datetime,
    remind: timedelta,
) -> Changes:
    """Return what changes, and what is told of it.

    Args:
        moments: kinds that get neither reminder nor all-clear.
        remind: after so long an alarm that lasts is told again.
    """
    changes = Changes()
    before = {each.alarm.key: each for each in known}
    for alarm in present:
        patience = timedelta.max if alarm.kind in moments else remind
        _present(changes, alarm, before.pop(alarm.key, None), now, patience)
    for gone in before.values():
        _absent(changes, gone, moments, now)
    return changes


def _present(
    changes: Changes, alarm: Alarm, old: KnownAlarm | None, now: datetime, remind: timedelta
) -> None:
    """Keep what changes how an alarm stands; its figures alone may change with every look."""
    if old is None:
        new, word = KnownAlarm(alarm, now, now), Word.ALARM
    elif alarm.severity is Severity.CRITICAL and old.alarm.severity is not alarm.severity:
        new, word = KnownAlarm(alarm, old.began_at, now), Word.ALARM  # it has become worse
    elif now - old.told_at >= remind:
        new, word = KnownAlarm(alarm, old.began_at, now), Word.REMINDER
    else:
        if old.gone_at is not None or alarm.severity is not old.alarm.severity:
            changes.kept.append(KnownAlarm(alarm, old.began_at, old.told_at))
        return
    changes.kept.append(new)
    changes.spoken.append((word, new))


def _absent(changes: Changes, gone: KnownAlarm, moments: frozenset[str], now: datetime) -> None:
    if gone.alarm.kind in moments:
        changes.over.append(gone)
    elif gone.gone_at is None or gone.gone_at > now:  # or the clock was set back
        changes.kept.append(replace(gone, gone_at=now))
    elif now - gone.gone_at >= SETTLE:
        changes.over.append(gone)
        changes.spoken.append((Word.ALL_CLEAR, gone))


def notices_of(
    spoken: Sequence[tuple[Word, KnownAlarm]],
    receivers: Mapping[str, Severity],
    pending: Sequence[Notice],
    now: datetime,
) -> tuple[list[Notice], list[Notice]]:
    """Return what each receiver is to be told, and what of the pending is obsolete.

    A later notice on the same alarm takes the place of one that was not delivered.  An
    alarm that is over before anybody was told of it is not told at all.

    Args:
        receivers: the least severity each wants to hear of, by name.
    """
    waiting = {(each.receiver, each.topic): each for each in pending}
    made: list[Notice] = []
    obsolete = [each for each in pending if each.receiver not in receivers]
    for word, known in spoken:
        for receiver, least in receivers.items():
            if least is Severity.CRITICAL and known.alarm.severity is not Severity.CRITICAL:
                continue
            before = waiting.get((receiver, known.alarm.key))
            if word is Word.ALL_CLEAR and before is not None and before.word is Word.ALARM:
                obsolete.append(before)
                continue
            made.append(_notice(receiver, word, known, before, now))
    return made, obsolete


def _notice(
    receiver: str, word: Word, known: KnownAlarm, before: Notice | None, now: datetime
) -> Notice:
    told_as = word
    if word is Word.REMINDER and before is not None:
        told_as = before.word  # what was never delivered cannot be reminded of
    return Notice(
        receiver=receiver,
        topic=known.alarm.key,
        word=told_as,
        severity=known.alarm.severity,
        text=text_of(told_as, known, now),
        made_at=now,
        try_at=before.try_at if before else now,
        attempts=before.attempts if before else 0,
    )


def text_of(word: Word, known: KnownAlarm, now: datetime) -> str:
    """Return what is told of an alarm: a headline, what is wrong, and what to do."""
    alarm = known.alarm
    headline = f"{WORDS[word]}{alarm.severity.value}: {alarm.kind} {alarm.subject}".rstrip()
    since = f"since {known.began_at:%Y-%m-%d %H:%M}Z"
    if word is Word.ALL_CLEAR:
        return f"{headline}\n{since}, over at {now:%Y-%m-%d %H:%M}Z; it was: {alarm.problem}"
    return f"{headline}\n{alarm.problem} ({since})\n{alarm.hint}"
