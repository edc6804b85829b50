"""How many bytes a mailbox may still hand over today: a budget over the last 24 hours.

Rule: it only ever makes us wait.  What was downloaded is kept in the ledger, so a restart
does not begin a new day; the hours roll, because an account that is locked for a day does
not look at the calendar.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from collector.domain.errors import CycleError
from collector.ledger.throttles import HOUR, Throttles

DAY = timedelta(days=1)
LOOK_AGAIN = timedelta(minutes=30)
"""A mailbox that may hand over nothing is still listed: arrivals and gaps are seen."""


@dataclass(frozen=True, slots=True)
class LedgerRation:
    """The budget of one mailbox, over all its folders; a ``Ration`` of the source.

    Attributes:
        mailbox: its name in the configuration.
        now: the present instant in UTC.
    """

    mailbox: str
    throttles: Throttles
    now: Callable[[], datetime]

    def left_bytes(self, daily_bytes_max: int) -> int:
        """Return how much may be handed over now.

        Raises:
            CycleError: nothing, and when there will be more.
        """
        now = self.now()
        taken = self.throttles.downloads(self.mailbox, now - DAY)
        left_bytes = daily_bytes_max - sum(each.size_bytes for each in taken)
        if left_bytes > 0:
            return left_bytes
        more_at = taken[0].hour_at + HOUR + DAY
        raise CycleError(
            f"the {daily_bytes_max // 1_000_000} MB of a day are used up",
            hint=f"it goes on by itself at {more_at:%Y-%m-%d %H:%M} UTC; see daily_size_max",
            retry_after_s=min(more_at - now, LOOK_AGAIN).total_seconds(),
        )

    def took(self, size_bytes: int) -> None:
        """Count what was handed over."""
        self.throttles.note_download(self.mailbox, size_bytes, self.now())
