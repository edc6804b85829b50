"""An alarm is told once, reminded of while it lasts, and cleared when its cause stays away."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from collector.domain.alarm import Alarm, KnownAlarm, Severity, Word
from collector.watch.telling import SETTLE, compare

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
DAY = timedelta(days=1)
ALARM = Alarm("quota", "journal:INBOX", Severity.WARNING, "81 % is used", "raise it")
KNOWN = KnownAlarm(ALARM, NOW, NOW)


def words(present: list[Alarm], known: list[KnownAlarm], now: datetime = NOW) -> list[Word]:
    """Return what is told."""
    changes = compare(present, known, frozenset({"gap"}), now, DAY)
    return [word for word, _ in changes.spoken]


def test_an_alarm_is_told_once_and_again_after_a_day() -> None:
    """New: told; seen again: not; a day later: a reminder; worse: told at once."""
    worse = replace(ALARM, severity=Severity.CRITICAL)
    assert words([ALARM], []) == [Word.ALARM]
    assert words([ALARM], [KNOWN]) == []
    assert words([ALARM], [KNOWN], NOW + DAY) == [Word.REMINDER]
    assert words([worse], [KNOWN]) == [Word.ALARM]
    assert words([ALARM], [KNOWN], NOW - 400 * DAY) == [Word.REMINDER], "the clock was ahead"


def test_the_all_clear_waits_until_the_cause_stays_away() -> None:
    """A cause that comes and goes is one alarm."""
    changes = compare([], [KNOWN], frozenset(), NOW, DAY)
    (gone,) = changes.kept
    assert (changes.spoken, gone.gone_at) == ([], NOW)
    assert words([ALARM], [gone], NOW + SETTLE / 2) == []
    assert words([], [gone], NOW + SETTLE) == [Word.ALL_CLEAR]


def test_a_moment_is_forgotten_without_a_word() -> None:
    """What happened is over: no reminder, no all-clear."""
    moment = KnownAlarm(replace(ALARM, kind="gap"), NOW, NOW)
    assert words([moment.alarm], [moment], NOW + 5 * DAY) == []
    changes = compare([], [moment], frozenset({"gap"}), NOW, DAY)
    assert (changes.over, changes.spoken) == ([moment], [])
