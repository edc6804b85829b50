"""What the time stamps of one authority date, and how late they came.

Rule: pure.  A stamp over a checkpoint dates everything in its tree, so the first stamp
behind a checkpoint dates it, whichever checkpoint it lies beside.  An authority that
was away for hours leaves no gap, but a stamp that comes late for all it is the first
over.

When a checkpoint was made is the time of its newest leaf: that stands in the log.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from collector.domain.evidence import StampState
from collector.evidence.timestamp import stamp_state


@dataclass(frozen=True, slots=True)
class Judged:
    """How one stamp stands, or what has none.

    Attributes:
        state: ``LATE`` or ``AHEAD`` of a stamp; ``OVERDUE`` or ``AWAITED`` of checkpoints
            behind the last stamp.
        size: of the checkpoint that was stamped; of the newest one without a stamp.
        first: of the oldest checkpoint it dates too late, or that has none.
        count: how many checkpoints these are.
        by: how late, how far ahead, or how long without a stamp.
    """

    state: StampState
    size: int
    first: int
    count: int
    by: timedelta


def judge_stamps(
    made_at: Mapping[int, datetime],
    stamped_at: Mapping[int, datetime],
    *,
    now: datetime,
    late_after: timedelta,
) -> list[Judged]:
    """Return what is to be said of an authority's stamps, oldest checkpoint first.

    Args:
        made_at: when each checkpoint was made, by size.
        stamped_at: the times in the stamps, by size of what they lie beside.
    """
    found: dict[tuple[StampState, int], Judged] = {}
    dated_by: int | None = None
    newest = max(made_at, default=0)
    for size in sorted(made_at, reverse=True):
        own = stamped_at.get(size)
        if own is not None and (dated_by is None or own <= stamped_at[dated_by]):
            dated_by = size
        at = None if dated_by is None else stamped_at[dated_by]
        state = stamp_state(made_at[size], at, now=now, late_after=late_after)
        if state is StampState.AHEAD and dated_by != size:
            state = StampState.ON_TIME  # said of the stamp's own checkpoint
        if state is not StampState.ON_TIME:
            by = abs((at or now) - made_at[size])
            place = (state, newest if dated_by is None else dated_by)
            before = found.get(place)
            count, longest = (before.count, before.by) if before else (0, timedelta())
            found[place] = Judged(state, place[1], size, count + 1, max(by, longest))
    return sorted(found.values(), key=lambda each: each.first)


def span(length: timedelta) -> str:
    """Return a length of time in words, in its two largest units."""
    seconds = int(length.total_seconds())
    for (unit, unit_s), (smaller, smaller_s) in (
        (("d", 86400), ("h", 3600)),
        (("h", 3600), ("min", 60)),
        (("min", 60), ("s", 1)),
    ):
        if seconds >= unit_s:
            rest = seconds % unit_s // smaller_s
            return (
                f"{seconds // unit_s} {unit} {rest} {smaller}"
                if rest
                else (f"{seconds // unit_s} {unit}")
            )
    return f"{seconds} s"
