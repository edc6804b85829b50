"""How fast the archive grows on its disk: the one forecast that alarms, summary and check tell.

Rule: pure.  A rate is told only when it was seen for days; a guess is worse than none.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from collector.ledger.watched import TrafficHour
from collector.watch.limits import DAY_S, GROWTH_S

DAYS_MIN = 3
"""Days of traffic before a forecast means anything."""
WINDOW = timedelta(seconds=GROWTH_S)


@dataclass(frozen=True, slots=True)
class Growth:
    """What a day adds to the archive.

    Attributes:
        disk_bytes_day: of segments and ledger together.
        seen_days: how long it was looked at.
    """

    messages_day: float
    disk_bytes_day: float
    seen_days: float

    def seconds_left(self, free_bytes: float) -> float | None:
        """Return when so much is full; ``None``: never."""
        if not self.disk_bytes_day:
            return None
        return max(0.0, free_bytes) / self.disk_bytes_day * DAY_S


def growth_of(
    traffic: Iterable[TrafficHour], ledger_bytes: int, entries_count: int, now: datetime
) -> Growth | None:
    """Return the rate of the last weeks; ``None``: not known.

    What older mail took (a backfill) counts too while it is fresh: it is a rate like any.

    Args:
        ledger_bytes, entries_count: what rows take, and of how many messages.
    """
    recent = [each for each in traffic if now - each.hour <= WINDOW]
    if not recent:
        return None
    days = (now - min(each.hour for each in recent)) / timedelta(days=1)
    if days < DAYS_MIN:
        return None
    count = sum(each.collected_count for each in recent)
    rows_bytes = count * ledger_bytes / max(entries_count, 1)
    stored_bytes = sum(each.stored_bytes for each in recent)
    return Growth(count / days, (stored_bytes + rows_bytes) / days, days)
