"""The next thing is made ready while the one before is worked on."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator

import pytest

from collector.custody.ahead import ahead

NEVER_S = 0.2
"""So long is waited for what must not happen."""
SOON_S = 10.0


class Made:
    """Items that are counted when they are begun, and an error behind them."""

    def __init__(self, count: int, error: Exception | None = None) -> None:
        self.begun = 0
        self.closed = False
        self._count = count
        self._error = error

    def items(self) -> Generator[int, None, None]:
        """Make them."""
        try:
            while self.begun < self._count:
                self.begun += 1
                yield self.begun
            if self._error:
                raise self._error
        finally:
            self.closed = True

    def has_begun(self, count: int) -> bool:
        """Wait until so many were begun."""
        until_s = time.monotonic() + SOON_S
        while self.begun < count and time.monotonic() < until_s:
            time.sleep(0.001)
        return self.begun >= count


@pytest.mark.parametrize("most", [1, 2, 3])
def test_so_many_are_made_ahead_and_no_more(most: int) -> None:
    """Each is a batch of mail in memory; the next is begun when one is taken."""
    made = Made(10)
    with ahead(made.items(), most) as items:
        for taken in range(5):
            assert made.has_begun(taken + most)
            time.sleep(NEVER_S if taken == 1 else 0)
            assert made.begun <= taken + most
            assert next(items) == taken + 1


def test_none_is_made_before_it_is_asked_for() -> None:
    """With nothing ahead, in the thread that asks."""
    made = Made(3)
    with ahead(made.items(), 0) as items:
        time.sleep(NEVER_S)
        assert (made.begun, next(items), made.begun) == (0, 1, 1)


def test_an_error_comes_behind_what_was_made() -> None:
    """In its turn, where items are taken."""
    made = Made(3, ZeroDivisionError())
    taken: list[int] = []
    with pytest.raises(ZeroDivisionError), ahead(made.items(), 1) as items:
        taken.extend(items)
    assert taken == [1, 2, 3]


def test_nothing_runs_once_the_block_is_left() -> None:
    """Whatever was left over; what made it has ended, too."""
    before = threading.active_count()
    for most in (1, 3):
        made = Made(10)
        with ahead(made.items(), most) as items:
            assert next(items) == 1
        assert made.closed
        assert threading.active_count() == before
        assert made.begun <= 1 + most
