"""Decides what each receiver is to be told, from what he heard and what is true now.

Rule: pure, and of states alone: what a receiver heard, what waits for him, how the alarm
stands.  So it does not matter which look missed what, or when the program was killed.

* Who has not heard of an alarm that is bad enough for him hears it; so does who heard of
  it when it was less bad.
* Who heard of it is reminded while it lasts and is bad enough for him, and is told once
  that it is over, however bad it was at the end.
* What is no longer true before anybody heard it is not told; a moment always is.
* While nobody knows whether a notice arrived (killed meanwhile, or no answer in time) it
  is told again, and its end is told as well.  Nothing else is ever told twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from collector.domain.alarm import Heard, KnownAlarm, Notice, Severity, Word
from collector.watch.telling import Changes

WORDS = {
    Word.ALARM: "",
    Word.REMINDER: "still: ",
    Word.ALL_CLEAR: "all clear: ",
}
"""The notices that are about an alarm, and how their headlines begin."""

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Audience:
    """Who is told, and how far that has come.

    Attributes:
        receivers: the least severity each wants to hear of, by name.
        pending: what waits to be told.
        heard: what was told whose end was not.
    """

    receivers: Mapping[str, Severity]
    pending: Sequence[Notice] = ()
    heard: Sequence[Heard] = ()


@dataclass(slots=True)
class Telling:
    """What is to be told from now on.

    Attributes:
        made: new, or in the place of one with the same receiver and topic.
        obsolete: no longer to be told.
        forgotten: heard by somebody who is told no end of it.
    """

    made: list[Notice] = field(default_factory=list)
    obsolete: list[Notice] = field(default_factory=list)
    forgotten: list[Heard] = field(default_factory=list)


def notices_of(
    changes: Changes,
    audience: Audience,
    moments: frozenset[str],
    now: datetime,
    remind: timedelta,
) -> Telling:
    """Return what each receiver is to be told.

    Args:
        moments: kinds that get neither reminder nor all-clear.
        remind: after so long an alarm that lasts is told again.
    """
    telling = Telling()
    waiting = {_key(each): each for each in audience.pending}
    heard = {_key(each): each for each in audience.heard}
    for receiver, least in audience.receivers.items():
        for known in changes.lasting:
            patience = timedelta.max if known.alarm.kind in moments else remind
            key = receiver, known.alarm.key
            ear = heard.pop(key, None)
            if known.gone_at is None:  # else it is back soon, or over
                word = _wanted(known, least, ear, now, patience)
                _lasting(telling, receiver, known, word, waiting.pop(key, None), now, patience)
        for known in changes.over:
            key = receiver, known.alarm.key
            ear = heard.pop(key, None)
            if known.alarm.kind not in moments:
                _over(telling, known, waiting.pop(key, None), ear, now)
            elif ear is not None:
                telling.forgotten.append(ear)
    telling.obsolete += [each for each in waiting.values() if _unwanted(each, audience.receivers)]
    telling.forgotten += [
        each
        for key, each in heard.items()
        if each.receiver not in audience.receivers
        or key not in waiting  # a moment that was over when he heard it
    ]
    return telling


def _key(about: Notice | Heard) -> Key:
    return about.receiver, about.topic


def _unwanted(notice: Notice, receivers: Mapping[str, Severity]) -> bool:
    """Say whether its receiver is none any more, or wants to hear of worse alarms only."""
    least = receivers.get(notice.receiver)
    raises = notice.word in {Word.ALARM, Word.REMINDER}
    return least is None or (raises and least.exceeds(notice.severity))


def _wanted(
    known: KnownAlarm, least: Severity, ear: Heard | None, now: datetime, remind: timedelta
) -> Word | None:
    """Return what somebody must be told of an alarm that lasts, ``None``: nothing."""
    if least.exceeds(known.alarm.severity):
        return None
    if ear is None or not ear.certain or known.alarm.severity.exceeds(ear.severity):
        return Word.ALARM
    overdue = abs(now - ear.at) >= remind  # abs: the clock may have been set back
    return Word.REMINDER if overdue else None


def _lasting(
    telling: Telling,
    receiver: str,
    known: KnownAlarm,
    word: Word | None,
    before: Notice | None,
    now: datetime,
    remind: timedelta,
) -> None:
    """Let wait what fits; make what does not anew, with its figures once in ``remind``."""
    if word is None:
        telling.obsolete += [before] if before else []
        return
    fits = before and (before.word, before.severity) == (word, known.alarm.severity)
    if not before or not fits or abs(now - before.made_at) >= remind:
        telling.made.append(_notice(receiver, word, known, before, now))


def _over(
    telling: Telling,
    known: KnownAlarm,
    before: Notice | None,
    ear: Heard | None,
    now: datetime,
) -> None:
    if ear is not None:
        as_heard = replace(known, alarm=replace(known.alarm, severity=ear.severity))
        telling.made.append(_notice(ear.receiver, Word.ALL_CLEAR, as_heard, before, now))
    elif before is not None:
        telling.obsolete.append(before)


def _notice(
    receiver: str, word: Word, known: KnownAlarm, before: Notice | None, now: datetime
) -> Notice:
    return Notice(
        receiver=receiver,
        topic=known.alarm.key,
        word=word,
        severity=known.alarm.severity,
        text=text_of(word, known, now),
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


def in_doubt(leaving: Sequence[Notice], now: datetime) -> list[Heard]:
    """Return what must be known before notices leave: who gets them may have heard."""
    return [replace(each, certain=False) for each in _told(leaving, WORDS, now)]


def as_told(told: Sequence[Notice], now: datetime) -> list[Heard]:
    """Return what their receivers have heard, now that notices arrived."""
    return _told(told, (Word.ALARM, Word.REMINDER), now)


def _told(notices: Sequence[Notice], words: Iterable[Word], now: datetime) -> list[Heard]:
    return [
        Heard(each.receiver, each.topic, each.severity, now)
        for each in notices
        if each.word in words
    ]
