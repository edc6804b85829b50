"""What a cycle needs from outside to know when it is, when to stop, and to show life.

Rule: custody reads no clock and waits for nobody by itself; the edges hand
these in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime


def utc_now() -> datetime:
    """Return the present instant, aware, in UTC."""
    return datetime.now(UTC)


def _never() -> bool:
    return False


def _nothing() -> None:
    return None


def _nobody_looks(_done_count: int, _total_count: int) -> None:
    return None


@dataclass(frozen=True, slots=True)
class Watch:
    """Clock, stop sign, heartbeat and progress bar.

    Attributes:
        now: the present instant in UTC.
        stop: ``True`` once the current message shall be the last.
        progress: called after every message and every poll.
        advanced: called after every commit with the number of messages collected in
            this cycle and the number the listing showed.
    """

    now: Callable[[], datetime] = utc_now
    stop: Callable[[], bool] = _never
    progress: Callable[[], None] = _nothing
    advanced: Callable[[int, int], None] = _nobody_looks
