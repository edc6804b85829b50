"""Every rule raises its alarm while the cause lasts, and no other; and nothing when all is well."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta

import pytest
from situation_samples import (
    FINE,
    HOUR,
    NOW,
    failure,
    hour,
    with_archive,
    with_folder,
    with_reading,
)

from collector.domain.alarm import Alarm
from collector.domain.custody import Summary
from collector.domain.evidence import Event
from collector.watch import rules
from collector.watch.rule import RuleSource, amount, lasting
from collector.watch.situation import Situation

WEEK = timedelta(weeks=1)
USUAL = [hour(week * WEEK + HOUR, 100) for week in range(1, 5)]
BACKLOG = [[(NOW - timedelta(minutes=70)).isoformat(), 900]]


def event(name: str, **keys: object) -> Situation:
    """Return the situation after an event of an hour ago."""
    return replace(FINE, events=(Event(9, NOW - HOUR, name, "journal:INBOX", keys),))


def broken(**keys: object) -> Situation:
    """Return the situation after a verification that found something."""
    return replace(FINE, damaged=Event(8, NOW - HOUR, "archive.verified", "", {"broken": 2}))


def silent(days: float) -> Situation:
    """Return the situation without mail for so long."""
    folder = FINE.figures.folders[0]
    total = replace(folder.total, last_arrival_at=NOW - timedelta(days=days))
    return with_folder(total=total)


def expiring(days: int) -> Situation:
    """Return the situation with a secret that ends in so many days."""
    day = date(2026, 11, 25) + timedelta(days=days)
    return replace(FINE, limits=replace(FINE.limits, expires_on={"secret": day}))


CASES: dict[str, tuple[Callable[[], Situation], Callable[[], Situation]]] = {
    "login": (lambda: failure("login", timedelta()), lambda: failure("throttled", timedelta())),
    "configuration": (lambda: failure("configuration", timedelta()), lambda: FINE),
    "unreachable": (
        lambda: failure("unreachable", timedelta(minutes=31)),
        lambda: failure("unreachable", timedelta(minutes=29)),
    ),
    "throttled": (
        lambda: failure("throttled", timedelta(), pause_s=86400.0),
        lambda: failure("throttled", timedelta(minutes=50)),
    ),
    "stalled": (
        lambda: with_folder(
            dict.fromkeys(("polled_at", "last_cycle_at", "last_proof_at"), NOW - 2 * HOUR)
        ),
        lambda: with_folder({"polled_at": NOW - 2 * HOUR}),
    ),
    "backlog": (
        lambda: replace(
            with_folder({"waiting_count": 1000}),
            readings=with_reading("backlog", samples=BACKLOG).readings,
        ),
        lambda: with_folder({"waiting_count": 1000}),
    ),
    "oldest": (
        lambda: with_folder(oldest_waiting_s=5 * 3600.0),
        lambda: with_folder(oldest_waiting_s=3 * 3600.0),
    ),
    "refused": (lambda: with_folder({"last_summary": Summary(refused=2)}), with_folder),
    "set_aside": (lambda: with_folder({"set_aside_count": 1}), with_folder),
    "quota": (
        lambda: with_reading("quota", quotas=[["STORAGE", 81, 100]]),
        lambda: with_reading("quota", quotas=[["STORAGE", 79, 100], ["MESSAGE", 1, 0]]),
    ),
    "silence": (lambda: silent(1), lambda: silent(0.1)),
    "quiet": (
        lambda: replace(FINE, traffic=(*USUAL, hour(HOUR, 10))),
        lambda: replace(FINE, traffic=(*USUAL, hour(HOUR, 30))),
    ),
    "quarantined": (
        lambda: replace(FINE, traffic=(hour(HOUR, 5, quarantined_count=1),)),
        lambda: replace(FINE, traffic=(hour(30 * HOUR, 5, quarantined_count=1),)),
    ),
    "trust": (
        lambda: replace(FINE, traffic=(hour(HOUR, 5, conflicting_count=1),)),
        lambda: replace(FINE, traffic=(hour(HOUR, 5, unverified_count=1),)),
    ),
    "gap": (
        lambda: event("mailbox.gap", uids_count=3, server="gmail", evidence="expunged"),
        lambda: event("mailbox.gap", uids_count=3, server="gmail", evidence="unaccounted"),
    ),
    "flagged": (lambda: event("message.flagged", uids_count=2), lambda: FINE),
    "unwatched": (lambda: event("mailbox.unwatched"), lambda: FINE),
    "clock": (lambda: event("clock.jumped"), lambda: FINE),
    "vanished": (lambda: event("message.vanished"), lambda: FINE),
    "replaced": (lambda: event("message.replaced"), lambda: FINE),
    "renumbered": (lambda: event("mailbox.renumbered"), lambda: FINE),
    "restored": (lambda: event("mailbox.restored"), lambda: FINE),
    "key_changed": (
        lambda: event("log.key_changed", keys_count=2),
        lambda: event("log.key_changed", keys_count=1),
    ),
    "disk": (lambda: with_archive(free_bytes=10**9), lambda: with_archive(free_bytes=3 * 10**9)),
    "damaged": (broken, lambda: FINE),
    "unverified": (
        lambda: replace(FINE, verified=None),
        lambda: replace(FINE, verified=None, since=NOW - timedelta(days=30)),
    ),
    "checkpoint": (
        lambda: with_archive(leaves_count=121, checkpoint_at=NOW - timedelta(days=2)),
        lambda: with_archive(checkpoint_at=NOW - timedelta(days=2)),
    ),
    "stamp": (
        lambda: with_archive(stamps=(("tsa.example", NOW - timedelta(days=2)),)),
        lambda: with_archive(stamps=(("tsa.example", NOW - timedelta(days=1)),)),
    ),
    "certificate": (
        lambda: with_reading(
            "certificate", "journal", expires_at=(NOW + 20 * 24 * HOUR).isoformat()
        ),
        lambda: with_reading(
            "certificate", "journal", expires_at=(NOW + 22 * 24 * HOUR).isoformat()
        ),
    ),
    "expiry": (lambda: expiring(20), lambda: expiring(30)),
}
"""By kind: a situation that raises it, and one that just does not."""

ELSEWHERE = {"broken", "rule", "canary-unsent", "canary-late", "canary-lost", "canary-envelope"}
"""Raised by the service itself, or tested with what they are made of."""


def kinds_in(situation: Situation) -> set[str]:
    """Return the kinds of all alarms."""
    return {alarm.kind for alarm in rules.alarms(situation)}


def test_nothing_is_raised_when_all_is_well() -> None:
    """No rule cries wolf."""
    assert rules.alarms(FINE) == []


def test_every_kind_has_its_case() -> None:
    """A rule without a test of both sides cannot be added."""
    assert set(CASES) | ELSEWHERE == set(rules.KINDS)


@pytest.mark.parametrize("kind", CASES)
def test_an_alarm_is_raised_for_its_cause_and_not_before(kind: str) -> None:
    """On one side of its limit it is there, on the other it is not; with a hint, on one line."""
    raising, sparing = CASES[kind]
    (alarm,) = [each for each in rules.alarms(raising()) if each.kind == kind]
    assert kind not in kinds_in(sparing())
    assert alarm.hint
    assert "\n" not in alarm.problem
    assert [each.key for each in rules.alarms(raising())].count(alarm.key) == 1


def test_what_lasts_is_critical() -> None:
    """A server that is away for hours, or nobody can log in to, is looked at at once."""
    severities = [
        rules.alarms(failure(kind, since))[0].severity.value
        for kind, since in (
            ("unreachable", timedelta(minutes=31)),
            ("unreachable", timedelta(hours=2)),
            ("login", timedelta()),
        )
    ]
    assert severities == ["warning", "critical", "critical"]


def test_a_rule_that_fails_does_not_silence_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """It becomes an alarm of its own."""

    def failing(_situation: Situation) -> list[Alarm]:
        raise RuntimeError("no")

    source = RuleSource(kinds={}, rules=(failing,))
    monkeypatch.setattr(rules, "SOURCES", (source, *rules.SOURCES))
    found = rules.alarms(with_folder({"set_aside_count": 1}))
    assert [each.key for each in found] == ["rule:failing", "set_aside:journal:INBOX"]


def test_silence_is_measured_in_office_time() -> None:
    """From Friday evening to Monday morning nobody writes."""
    (folder,) = FINE.figures.folders
    friday, monday = NOW.replace(day=20, hour=18), NOW.replace(day=23, hour=9)
    folder = replace(folder, total=replace(folder.total, last_arrival_at=friday))
    for now, expected in ((monday, set()), (monday + 9 * HOUR, {"silence"})):
        figures = replace(FINE.figures, at=now, folders=(folder,))
        assert kinds_in(replace(FINE, figures=figures)) & {"silence"} == expected


@pytest.mark.parametrize(("seconds", "said"), [(45, "45 s"), (7200, "2 h"), (10**6, "12 days")])
def test_times_are_said_as_people_say_them(seconds: float, said: str) -> None:
    """The largest unit of which there are at least two."""
    assert lasting(seconds) == said


def test_sizes_are_said_as_people_say_them() -> None:
    """In binary units, as the configuration takes them."""
    assert [amount(size) for size in (10, 3 * 1024**2, 1.5 * 1024**4)] == [
        "10 bytes",
        "3.0 MiB",
        "1.5 TiB",
    ]
