"""Decides how alarms stand: begun, worse, lasting, over.

Rule: pure.  What is known is given and what changes is returned; both are durable
elsewhere, so that a restart neither repeats nor forgets.  Who is told of it is not
decided here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from collector.domain.alarm import Alarm, KnownAlarm, Word

SETTLE = timedelta(minutes=10)
"""A cause must be gone for so long before the all-clear: many come and go."""


@dataclass(slots=True)
class Changes:
    """How alarms stand, and what is different from what was known.

    Attributes:
        lasting: all whose cause is there, or gone for too short a time.
        kept: those of them that are new or changed.
        over: forgotten.
        spoken: what happened, as (word, alarm).
    """

    lasting: list[KnownAlarm] = field(default_factory=list)
    kept: list[KnownAlarm] = field(default_factory=list)
    over: list[KnownAlarm] = field(default_factory=list)
    spoken: list[tuple[Word, KnownAlarm]] = field(default_factory=list)


def compare(
    present: Iterable[Alarm],
    known: Iterable[KnownAlarm],
    moments: frozenset[str],
    now: datetime,
    remind: timedelta,
) -> Changes:
    """Return how alarms stand now.

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
    word = None
    if old is None:
        new, word = KnownAlarm(alarm, now, now), Word.ALARM
    elif alarm.severity.exceeds(old.alarm.severity):
        new, word = KnownAlarm(alarm, old.began_at, now), Word.ALARM
    elif abs(now - old.told_at) >= remind:  # abs: the clock may have been set back
        new, word = KnownAlarm(alarm, old.began_at, now), Word.REMINDER
    else:
        new = KnownAlarm(alarm, old.began_at, old.told_at)
    changes.lasting.append(new)
    if word is not None:
        changes.spoken.append((word, new))
    if word or (old and (old.gone_at or old.alarm.severity is not alarm.severity)):
        changes.kept.append(new)


def _absent(changes: Changes, gone: KnownAlarm, moments: frozenset[str], now: datetime) -> None:
    if gone.alarm.kind in moments:
        changes.over.append(gone)
    elif gone.gone_at is None or gone.gone_at > now:  # or the clock was set back
        settling = replace(gone, gone_at=now)
        changes.kept.append(settling)
        changes.lasting.append(settling)
    elif now - gone.gone_at >= SETTLE:
        changes.over.append(gone)
        changes.spoken.append((Word.ALL_CLEAR, gone))
    else:
        changes.lasting.append(gone)
