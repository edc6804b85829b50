"""Which checkpoints a stamp dates, and how late it came for them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.domain.evidence import StampState
from collector.evidence.lateness import Judged, judge_stamps, span

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
LIMIT = timedelta(hours=2)


def at(minutes: float) -> datetime:
    """Return an instant so many minutes after noon."""
    return NOON + timedelta(minutes=minutes)


def judge(made: dict[int, float], stamped: dict[int, float], now: float = 0) -> list[Judged]:
    """Judge stamps by minutes after noon."""
    return judge_stamps(
        {size: at(minutes) for size, minutes in made.items()},
        {size: at(minutes) for size, minutes in stamped.items()},
        now=at(now),
        late_after=LIMIT,
    )


def test_what_was_stamped_within_the_hour_is_in_time() -> None:
    """A checkpoint without a stamp of its own is dated by the next one that has one."""
    assert judge({1: 0, 2: 30, 3: 60}, {1: 0.1, 3: 60.1}, now=61) == []


def test_an_authority_that_was_away_makes_its_first_stamp_late() -> None:
    """It is named once, for the oldest checkpoint that it is the first to date."""
    made = {1: 0, 2: 10, 3: 100, 4: 250, 5: 300}
    assert judge(made, {1: 0, 5: 300}, now=301) == [
        Judged(StampState.LATE, 5, 2, 2, timedelta(minutes=290))
    ]


def test_what_has_no_stamp_is_awaited_and_then_overdue() -> None:
    """Behind the last stamp; how long the oldest one waits is told."""
    assert judge({1: 0, 2: 10, 3: 20}, {1: 0}, now=60) == [
        Judged(StampState.AWAITED, 3, 2, 2, timedelta(minutes=50))
    ]
    assert judge({1: 0, 2: 10, 3: 200}, {1: 0}, now=201) == [
        Judged(StampState.OVERDUE, 3, 2, 1, timedelta(minutes=191)),
        Judged(StampState.AWAITED, 3, 3, 1, timedelta(minutes=1)),
    ]


def test_a_stamp_from_before_the_checkpoint_shows_a_clock_that_was_ahead() -> None:
    """By how much; a few seconds are what two honest clocks differ by."""
    assert judge({1: 10}, {1: 0}, now=11) == [
        Judged(StampState.AHEAD, 1, 1, 1, timedelta(minutes=10))
    ]
    assert judge({1: 0.05}, {1: 0}, now=11) == []


def test_an_archive_that_is_stamped_from_now_on_has_one_late_stamp() -> None:
    """All that came before is dated by the first stamp, years later."""
    made = {size: -size for size in range(1, 500)}
    (only,) = judge({500 - size: minutes * 1440 for size, minutes in made.items()}, {499: 0})
    assert (only.state, only.size, only.first) == (StampState.LATE, 499, 1)
    assert span(only.by) == "499 d"


@given(
    st.dictionaries(st.integers(1, 60), st.integers(0, 5000), min_size=1, max_size=30),
    st.sets(st.integers(1, 60)),
    st.integers(0, 300),
)
def test_every_checkpoint_is_judged_by_the_first_stamp_behind_it(
    made: dict[int, int], sizes: set[int], delay: int
) -> None:
    """The number of those judged is what a search through all pairs finds."""
    made = dict(zip(sorted(made), sorted(made.values()), strict=True))
    stamped = {size: made[size] + delay for size in sizes & made.keys()}
    expected = 0
    for size, minutes in made.items():
        behind = [stamp for each, stamp in stamped.items() if each >= size]
        expected += not behind or not timedelta(0) <= at(min(behind)) - at(minutes) <= LIMIT
    assert sum(each.count for each in judge(made, stamped, now=10_000)) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0, "0 s"), (59, "59 s"), (60, "1 min"), (3599, "59 min 59 s"), (7200, "2 h"),
     (18_120, "5 h 2 min"), (90_000, "1 d 1 h"), (86_400 * 812, "812 d")],
)  # fmt: skip
def test_a_length_of_time_in_words(seconds: int, expected: str) -> None:
    """The two largest units."""
    assert span(timedelta(seconds=seconds)) == expected
