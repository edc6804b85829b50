"""Notices when the wall clock jumps: times in the archive are then not what they seem.

Rule: compares the wall clock with one that nobody can set.  That one goes on while the
machine sleeps, so a sleep is no jump.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime

from collector.domain.evidence import Event

JUMP_S = 5.0
"""More than a clock is slewed between two looks: at 500 ppm that is 0.02 s in 30 s."""


def _steady_s() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Clock:
    """The wall clock since the last look.

    Args:
        wall_s, steady_s: both clocks, in seconds.
    """

    def __init__(
        self, wall_s: Callable[[], float] = time.time, steady_s: Callable[[], float] = _steady_s
    ) -> None:
        self._wall_s, self._steady_s = wall_s, steady_s
        self._offset_s = wall_s() - steady_s()

    def jumped_s(self) -> float | None:
        """Return how far the wall clock was set since the last look, ``None`` if it was not.

        Positive: it was set ahead.
        """
        before_s, self._offset_s = self._offset_s, self._wall_s() - self._steady_s()
        jump_s = self._offset_s - before_s
        return jump_s if abs(jump_s) > JUMP_S else None


def behind_s(latest: Event | None, now: datetime) -> float | None:
    """Return by how much ``now`` lies before the latest event, ``None`` if it does not."""
    if latest is None:
        return None
    behind = (latest.at - now).total_seconds()
    return behind if behind > JUMP_S else None
