"""What canaries say: the grade of one, and the alarms of a path."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from collector.domain.alarm import Severity
from collector.domain.canary import Canary, CanaryGrade, CanaryPath
from collector.domain.journal import (
    Envelope,
    Kind,
    Recipient,
    RecipientKind,
    Redirection,
    Unwrapped,
)
from collector.watch.canary import CanaryFacts, alarms, grade

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
PATH = CanaryPath(
    name="outside",
    sender="canary@example.net",
    to=("first@example.net",),
    bcc=("hidden@example.net",),
    lists=("team@example.net",),
    members=("member@example.net",),
    mailbox="journal",
    expected=CanaryGrade.COMPLETE,
    interval_s=3600.0,
    late_after_s=600.0,
    lost_after_s=7200.0,
)
FIRST = Recipient("First@Example.net", RecipientKind.TO)
HIDDEN = Recipient("hidden@example.net", RecipientKind.BCC)
MEMBER = Recipient(
    "member@example.net", RecipientKind.TO, (Redirection("expanded", "team@example.net"),)
)
TEAM = Recipient("team@example.net", RecipientKind.RECIPIENT)


def copy(*recipients: Recipient, sender: str = "canary@example.net", **changes) -> Unwrapped:
    """Return a report that names these recipients."""
    return Unwrapped(
        Kind.EXCHANGE, envelope=Envelope(sender=sender, recipients=recipients), **changes
    )


def sent(minutes: float, **changes) -> Canary:
    """Return a canary that was taken by the mail server so long ago."""
    at = NOW - timedelta(minutes=minutes)
    return replace(Canary("0" * 32, "outside", "<c@example.net>", at, accepted_at=at), **changes)


def arrived(minutes: float, result: CanaryGrade = CanaryGrade.COMPLETE) -> Canary:
    """Return a canary whose copy came a minute after it was sent."""
    at = NOW - timedelta(minutes=minutes - 1)
    return sent(minutes, arrived_at=at, seq=7, grade=result, closed_at=at)


def kinds(*canaries: Canary, path: CanaryPath = PATH) -> list[str]:
    """Return the kinds of alarms for these canaries, newest first."""
    return [alarm.kind for alarm in alarms(CanaryFacts(path, canaries), NOW)]


@pytest.mark.parametrize(
    ("copies", "expected"),
    [
        ([copy(FIRST, HIDDEN, MEMBER)], CanaryGrade.COMPLETE),
        ([copy(FIRST), copy(HIDDEN, MEMBER)], CanaryGrade.COMPLETE),
        ([copy(FIRST, HIDDEN, MEMBER, sender="")], CanaryGrade.SENDER_DIFFERS),
        ([copy(FIRST, HIDDEN, TEAM)], CanaryGrade.LIST_NOT_EXPANDED),
        ([copy(FIRST, MEMBER)], CanaryGrade.BCC_MISSING),
        ([copy(HIDDEN, MEMBER)], CanaryGrade.RECIPIENTS_MISSING),
        ([copy(FIRST, HIDDEN)], CanaryGrade.RECIPIENTS_MISSING),
        ([copy(replace(FIRST, derived=True))], CanaryGrade.ENVELOPE_MISSING),
        ([copy(replace(FIRST, level=1))], CanaryGrade.ENVELOPE_MISSING),
        ([copy()], CanaryGrade.ENVELOPE_MISSING),
        ([], CanaryGrade.COPY_MISSING),
    ],
)
def test_the_grade_is_what_the_copies_tell_together(copies, expected):
    """Only what a server recorded counts, over all reports, in any case of letters."""
    assert grade(PATH, copies) is expected


def test_a_list_without_known_members_is_told_by_its_address():
    """Where nobody says who is on a list, naming it is all that can be asked."""
    path = replace(PATH, members=())
    assert grade(path, [copy(FIRST, HIDDEN, TEAM)]) is CanaryGrade.COMPLETE
    assert grade(path, [copy(FIRST, HIDDEN, MEMBER)]) is CanaryGrade.COMPLETE
    assert grade(path, [copy(FIRST, HIDDEN)]) is CanaryGrade.RECIPIENTS_MISSING


@pytest.mark.parametrize(
    ("canaries", "expected"),
    [
        ([], []),
        ([sent(5)], []),
        ([sent(11)], ["canary-late"]),
        ([sent(11), arrived(70)], ["canary-late"]),
        ([sent(121)], ["canary-lost"]),
        ([sent(5), sent(121), arrived(200)], ["canary-lost"]),
        ([arrived(60), sent(121)], []),
        ([arrived(60, CanaryGrade.BCC_MISSING)], ["canary-envelope"]),
        ([arrived(5), arrived(60, CanaryGrade.BCC_MISSING)], []),
        ([sent(1, accepted_at=None, error="refused"), arrived(60)], ["canary-unsent"]),
        ([sent(500, accepted_at=None, error="refused")], ["canary-unsent"]),
        ([sent(200, accepted_at=None)], ["canary-unsent"]),
    ],
)
def test_alarms_last_as_long_as_their_cause(canaries, expected):
    """Late until it comes or is lost; lost until a later one comes; unsent is never lost."""
    assert kinds(*canaries) == expected


def test_a_silent_sender_is_an_alarm():
    """When none was sent for three intervals, nobody would notice a dead journal."""
    assert kinds(arrived(170)) == []
    assert kinds(arrived(181)) == ["canary-unsent"]


def test_a_known_weakness_of_the_source_is_no_alarm():
    """What the administrator expects is fine, anything worse is told, and better is fine."""
    path = replace(PATH, expected=CanaryGrade.BCC_MISSING)
    assert kinds(arrived(5, CanaryGrade.BCC_MISSING), path=path) == []
    assert kinds(arrived(5, CanaryGrade.SENDER_DIFFERS), path=path) == []
    assert kinds(arrived(5, CanaryGrade.ENVELOPE_MISSING), path=path) == ["canary-envelope"]
    assert kinds(arrived(5), path=path) == []


def test_an_alarm_names_the_path_and_no_address():
    """Losing two in a row is critical; texts go to logs and chat rooms."""
    (alarm,) = alarms(CanaryFacts(PATH, [sent(130), sent(190)]), NOW)
    assert (alarm.key, alarm.severity) == ("canary-lost:outside", Severity.CRITICAL)
    assert alarm.problem.startswith("2 canaries in a row")
    assert "@" not in f"{alarm}"
