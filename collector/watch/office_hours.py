"""When mail is expected: office hours, days of the week, holidays.

Rule: pure, and bounded: at most ``DAYS_MAX`` days are looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

DAYS_MAX = 400
"""A silence longer than that is long enough in any calendar."""


@dataclass(frozen=True, slots=True)
class OfficeHours:
    """The calendar of one mailbox.

    Attributes:
        opens, closes: local time; equal: open day and night.
        weekdays: 0 is Monday.
        holidays: days on which nobody works.
        yearly: the same, as (month, day) of every year.
        zone: of these times; ``None``: that of the machine.
    """

    opens: time = time(8)
    closes: time = time(18)
    weekdays: frozenset[int] = frozenset(range(5))
    holidays: frozenset[date] = frozenset()
    yearly: frozenset[tuple[int, int]] = frozenset()
    zone: tzinfo | None = None

    def is_office_day(self, day: date) -> bool:
        """Say whether anybody works on ``day``."""
        is_holiday = day in self.holidays or (day.month, day.day) in self.yearly
        return day.weekday() in self.weekdays and not is_holiday

    def local_day(self, at: datetime) -> date:
        """Return the day an instant falls on, there."""
        return at.astimezone(self.zone).date()

    def is_open(self, at: datetime) -> bool:
        """Say whether an instant lies within office hours."""
        return any(begin <= at < end for begin, end in self._spans(self.local_day(at)))

    def elapsed_s(self, since: datetime, now: datetime) -> float:
        """Return the seconds of office time in [since, now)."""
        first, last = self.local_day(since), self.local_day(now)
        days = min((last - first).days, DAYS_MAX)
        total = timedelta()
        for back in range(days + 1):
            for begin, end in self._spans(last - timedelta(days=back)):
                total += max(timedelta(), min(end, now) - max(begin, since))
        return total.total_seconds()

    def _spans(self, day: date) -> list[tuple[datetime, datetime]]:
        """Return the office time of one day, as (begin, end) in UTC."""
        if not self.is_office_day(day):
            return []
        if self.opens == self.closes:
            return [(self._at(day, time()), self._at(day + timedelta(days=1), time()))]
        if self.opens < self.closes:
            return [(self._at(day, self.opens), self._at(day, self.closes))]
        return [
            (self._at(day, time()), self._at(day, self.closes)),
            (self._at(day, self.opens), self._at(day + timedelta(days=1), time())),
        ]

    def _at(self, day: date, clock: time) -> datetime:
        naive = datetime.combine(day, clock)
        aware = naive.astimezone() if self.zone is None else naive.replace(tzinfo=self.zone)
        return aware.astimezone(UTC)
