"""Each receiver is told by what he heard, what waits for him, and what is true."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from collector.domain.alarm import Alarm, Heard, KnownAlarm, Notice, Severity, Word
from collector.watch.notices import Audience, Telling, as_told, in_doubt, notices_of
from collector.watch.telling import Changes

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
DAY = timedelta(days=1)
WARNING, CRITICAL = Severity.WARNING, Severity.CRITICAL
ALARM = Alarm("quota", "journal:INBOX", WARNING, "81 % is used", "raise it")
KNOWN = KnownAlarm(ALARM, NOW, NOW)
WORSE = replace(KNOWN, alarm=replace(ALARM, severity=CRITICAL))
OFFICE = {"office": WARNING}
PAGER = {"pager": CRITICAL}


def told(
    changes: Changes,
    receivers: dict[str, Severity],
    *,
    pending: tuple[Notice, ...] = (),
    heard: tuple[Heard, ...] = (),
    now: datetime = NOW,
) -> Telling:
    """Return what is decided."""
    return notices_of(changes, Audience(receivers, pending, heard), frozenset({"gap"}), now, DAY)


def lasting(known: KnownAlarm) -> Changes:
    """Return that one alarm lasts."""
    return Changes(lasting=[known])


def over(known: KnownAlarm) -> Changes:
    """Return that one alarm has ended."""
    return Changes(over=[known])


def waits(receiver: str, word: Word, severity: Severity = WARNING) -> Notice:
    """Return a notice that was not delivered."""
    later = NOW + timedelta(minutes=5)
    return Notice(receiver, ALARM.key, word, severity, "undelivered", NOW, later, attempts=3)


def words(telling: Telling) -> list[tuple[str, Word, Severity]]:
    """Return who is to be told what."""
    return [(each.receiver, each.word, each.severity) for each in telling.made]


def test_each_receiver_hears_what_he_wants_to() -> None:
    """Who is woken by critical alarms only does not hear of a warning."""
    telling = told(lasting(KNOWN), OFFICE | PAGER)
    assert words(telling) == [("office", Word.ALARM, WARNING)]
    assert telling.made[0].text.splitlines() == [
        "warning: quota journal:INBOX",
        "81 % is used (since 2026-11-25 12:00Z)",
        "raise it",
    ]
    assert words(told(lasting(WORSE), PAGER)) == [("pager", Word.ALARM, CRITICAL)]


def test_who_heard_is_reminded_and_hears_what_became_worse() -> None:
    """Nothing before its time; an alarm that is worse than he heard is told at once."""
    heard = (Heard("office", ALARM.key, WARNING, NOW),)
    assert told(lasting(KNOWN), OFFICE, heard=heard) == Telling()
    reminded = told(lasting(KNOWN), OFFICE, heard=heard, now=NOW + DAY)
    assert words(reminded) == [("office", Word.REMINDER, WARNING)]
    assert reminded.made[0].text.startswith("still: warning: quota journal:INBOX\n")
    assert words(told(lasting(WORSE), OFFICE, heard=heard)) == [("office", Word.ALARM, CRITICAL)]
    ahead = told(lasting(KNOWN), OFFICE, heard=heard, now=NOW - 400 * DAY)
    assert words(ahead) == [("office", Word.REMINDER, WARNING)], "the clock was ahead"


def test_a_pager_hears_the_end_of_what_sank_to_a_warning() -> None:
    """He is told nothing while it is not bad enough, and the end as he heard of it."""
    heard = (Heard("pager", ALARM.key, CRITICAL, NOW),)
    assert told(lasting(KNOWN), PAGER, heard=heard, now=NOW + 3 * DAY) == Telling()
    telling = told(over(KNOWN), PAGER, heard=heard)
    assert words(telling) == [("pager", Word.ALL_CLEAR, CRITICAL)]
    assert telling.made[0].text.startswith("all clear: critical: quota journal:INBOX\n")


def test_the_end_is_told_though_the_escalation_was_not() -> None:
    """What waits is no sign that nobody heard; its pause stays."""
    heard = (Heard("office", ALARM.key, WARNING, NOW),)
    waiting = waits("office", Word.ALARM, CRITICAL)
    (clear,) = told(over(WORSE), OFFICE, pending=(waiting,), heard=heard).made
    assert (clear.word, clear.severity) == (Word.ALL_CLEAR, WARNING)
    assert (clear.try_at, clear.attempts) == (waiting.try_at, waiting.attempts)


def test_what_nobody_heard_ends_unheard() -> None:
    """An alarm that is over, or not bad enough any more, before it was delivered is dropped."""
    waiting = waits("office", Word.ALARM)
    assert told(over(KNOWN), OFFICE, pending=(waiting,)) == Telling(obsolete=[waiting])
    waiting = waits("pager", Word.ALARM, CRITICAL)
    assert told(lasting(KNOWN), PAGER, pending=(waiting,)) == Telling(obsolete=[waiting])


def test_an_alarm_that_comes_back_before_the_all_clear_went_out_goes_on() -> None:
    """Who still believes that it lasts is right."""
    heard = (Heard("office", ALARM.key, WARNING, NOW),)
    waiting = waits("office", Word.ALL_CLEAR)
    assert told(Changes(), OFFICE, pending=(waiting,), heard=heard) == Telling()
    telling = told(lasting(KNOWN), OFFICE, pending=(waiting,), heard=heard)
    assert telling == Telling(obsolete=[waiting])


def test_what_waits_is_made_anew_only_when_it_does_not_fit() -> None:
    """Another severity, or figures that are a day old."""
    waiting = waits("office", Word.ALARM)
    assert told(lasting(KNOWN), OFFICE, pending=(waiting,)) == Telling()
    (worse,) = told(lasting(WORSE), OFFICE, pending=(waiting,)).made
    assert (worse.severity, worse.try_at) == (CRITICAL, waiting.try_at)
    (fresh,) = told(lasting(KNOWN), OFFICE, pending=(waiting,), now=NOW + DAY).made
    assert (fresh.word, fresh.text != waiting.text) == (Word.ALARM, True)


def test_nothing_is_decided_while_a_cause_may_come_back() -> None:
    """What waits goes on waiting; who did not hear of it does not hear of it now."""
    settling = replace(KNOWN, gone_at=NOW)
    waiting = waits("office", Word.ALARM)
    assert told(lasting(settling), OFFICE | PAGER, pending=(waiting,)) == Telling()
    assert told(lasting(settling), OFFICE) == Telling()


def test_a_moment_is_told_though_it_is_over() -> None:
    """And neither its end nor a reminder."""
    moment = KnownAlarm(replace(ALARM, kind="gap"), NOW, NOW)
    heard = Heard("office", moment.alarm.key, WARNING, NOW)
    waiting = replace(waits("office", Word.ALARM), topic=moment.alarm.key)
    assert words(told(lasting(moment), OFFICE)) == [("office", Word.ALARM, WARNING)]
    assert told(lasting(moment), OFFICE, heard=(heard,), now=NOW + 9 * DAY) == Telling()
    assert told(over(moment), OFFICE, heard=(heard,)) == Telling(forgotten=[heard])
    assert told(over(moment), OFFICE, pending=(waiting,)) == Telling()
    assert told(Changes(), OFFICE, heard=(heard,)) == Telling(forgotten=[heard])


def test_whether_he_heard_is_unknown_so_he_is_told_again_and_the_end_as_well() -> None:
    """Of a notice that was under way when the program was killed."""
    alarm = waits("office", Word.ALARM)
    doubted = tuple(in_doubt([alarm], NOW))
    assert doubted == (Heard("office", ALARM.key, WARNING, NOW, certain=False),)
    assert told(lasting(KNOWN), OFFICE, pending=(alarm,), heard=doubted) == Telling()
    assert words(told(over(KNOWN), OFFICE, pending=(alarm,), heard=doubted)) == [
        ("office", Word.ALL_CLEAR, WARNING)
    ]
    clear = waits("office", Word.ALL_CLEAR)
    assert words(told(lasting(KNOWN), OFFICE, pending=(clear,), heard=doubted)) == [
        ("office", Word.ALARM, WARNING)
    ]


def test_only_alarms_and_reminders_leave_something_open() -> None:
    """An all-clear, a summary and a test do not."""
    notices = [waits("office", word) for word in Word]
    assert [each.at for each in as_told(notices, NOW)] == [NOW, NOW]
    assert len(in_doubt(notices, NOW)) == 3


def test_who_is_no_receiver_any_more_is_forgotten() -> None:
    """With all that waits for him, and all he heard."""
    waiting, heard = waits("gone", Word.ALARM), Heard("gone", ALARM.key, WARNING, NOW)
    telling = told(Changes(), OFFICE, pending=(waiting,), heard=(heard,))
    assert telling == Telling(obsolete=[waiting], forgotten=[heard])
    assert words(told(lasting(KNOWN), {"new": WARNING})) == [("new", Word.ALARM, WARNING)]
