"""Sets of UIDs as ranges: the same as sets of numbers, in fewer places."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.domain import uids

SETS = st.sets(st.integers(1, 60))


def ranges(numbers: set[int]) -> list[uids.UidRange]:
    """Return a set as ranges."""
    return list(uids.ranges_of(sorted(numbers)))


@given(SETS, SETS)
def test_ranges_are_what_sets_are(one: set[int], other: set[int]) -> None:
    """Union, difference, intersection, count and membership agree with Python's own sets."""
    ours, theirs = ranges(one), ranges(other)
    assert list(uids.union(ours, theirs)) == ranges(one | other)
    assert list(uids.subtract(ours, theirs)) == ranges(one - other)
    assert list(uids.intersect(ours, theirs)) == ranges(one & other)
    assert uids.count(ours) == len(one)
    assert all(uids.contains(ours, uid) is (uid in one) for uid in range(62))


@given(SETS)
def test_the_text_of_a_set_reads_back(numbers: set[int]) -> None:
    """Encoding and decoding are opposites; the empty set is the empty text."""
    text = uids.encode_uids(ranges(numbers))
    assert list(uids.decode_uids(text)) == ranges(numbers)
    assert bool(text) is bool(numbers)


@pytest.mark.parametrize("text", ["0", "3:1", "5,4", "1:3,3", "a", "1,,2", "-1"])
def test_what_is_no_ascending_set_is_refused(text: str) -> None:
    """A damaged row is an error, never another set."""
    with pytest.raises(ValueError, match=r"UIDs|invalid literal"):
        list(uids.decode_uids(text))


def test_a_million_neighbours_cost_one_range() -> None:
    """What is neighbourly stays small, whatever its number."""
    assert list(uids.ranges_of(range(1, 1_000_001))) == [(1, 1_000_000)]
