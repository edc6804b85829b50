"""Time that counts: hours, days, holidays, and clocks that are set forward."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

import pytest

from collector.watch.office_hours import OfficeHours

BERLIN = OfficeHours(zone=ZoneInfo("Europe/Berlin"))
HOUR_S = 3600.0


def at(text: str) -> datetime:
    """Return an instant in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("since", "now", "hours"),
    [
        ("2026-03-04T09:00", "2026-03-04T12:00", 3),  # within a Wednesday
        ("2026-03-04T16:00", "2026-03-05T08:00", 2),  # over a night: 17-18 and 08-09 local
        ("2026-03-06T17:00", "2026-03-09T07:00", 0),  # a whole weekend
        ("2026-03-06T16:00", "2026-03-09T08:00", 2),  # and its edges
        ("2026-03-04T12:00", "2026-03-04T11:00", 0),  # the clock was set back
    ],
)
def test_only_office_time_counts(since, now, hours):
    """Nights and weekends pass without being counted."""
    assert BERLIN.elapsed_s(at(since), at(now)) == hours * HOUR_S


def test_a_holiday_does_not_count():
    """Neither one of this year nor one of every year."""
    calendar = OfficeHours(
        zone=UTC, holidays=frozenset({date(2026, 3, 4)}), yearly=frozenset({(3, 5)})
    )
    assert calendar.elapsed_s(at("2026-03-04T00:00"), at("2026-03-06T00:00")) == 0
    assert calendar.elapsed_s(at("2027-03-04T00:00"), at("2027-03-06T00:00")) == 10 * HOUR_S


def test_an_office_that_never_closes():
    """Opening and closing at the same time means day and night."""
    always = OfficeHours(time(), time(), frozenset(range(7)), zone=UTC)
    assert always.elapsed_s(at("2026-03-04T09:00"), at("2026-03-08T09:00")) == 96 * HOUR_S


def test_an_office_that_works_at_night():
    """Hours over midnight belong to the day they begin on, and to the morning of every day."""
    night = OfficeHours(time(22), time(6), zone=UTC)
    assert night.is_open(at("2026-03-04T23:00"))
    assert night.is_open(at("2026-03-04T05:00"))
    assert not night.is_open(at("2026-03-04T12:00"))


def test_the_day_the_clock_goes_forward_is_as_long_as_it_is():
    """From midnight to midnight, 29 March 2026 has 23 hours in Berlin."""
    always = OfficeHours(time(), time(), frozenset(range(7)), zone=ZoneInfo("Europe/Berlin"))
    since = datetime(2026, 3, 29, tzinfo=always.zone).astimezone(UTC)
    before = datetime(2026, 3, 30, tzinfo=always.zone).astimezone(UTC)
    assert always.elapsed_s(since, before) == 23 * HOUR_S


def test_an_endless_silence_is_bounded():
    """A clock in 1970 does not make the program count for years."""
    assert BERLIN.elapsed_s(at("1970-01-01T00:00"), at("2026-03-04T12:00")) > 100 * HOUR_S
