"""One rate of growth, for alarms, summary and check."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from situation_samples import NOW, hour

from collector.watch.growth import growth_of

DAY = timedelta(days=1)


def test_segments_and_ledger_grow_together() -> None:
    """Bytes of frames as they were stored, and of rows by their share of the ledger."""
    hours = [replace(hour(ago * DAY, 10), stored_bytes=4_000) for ago in (10, 5, 1)]
    growth = growth_of(hours, ledger_bytes=50_000, entries_count=100, now=NOW)
    assert growth is not None
    days = (NOW - hours[0].hour) / DAY
    assert growth.seen_days == pytest.approx(days)
    assert growth.messages_day == pytest.approx(30 / days)
    assert growth.disk_bytes_day == pytest.approx((3 * 4_000 + 30 * 500) / days)
    assert growth.seconds_left(27_000) == pytest.approx(days * 86_400)
    assert growth.seconds_left(-1) == 0.0


def test_what_was_not_seen_for_days_is_no_rate() -> None:
    """Nor is what is older than four weeks; where nothing grows, nothing is ever full."""
    few, old = [hour(2 * DAY, 10), hour(DAY, 10)], [hour(40 * DAY, 10)]
    assert [growth_of(each, 1, 1, NOW) for each in ([], few, old)] == [None, None, None]
    still = growth_of([hour(5 * DAY, 0)], 1, 1, NOW)
    assert still is not None
    assert still.seconds_left(1) is None
