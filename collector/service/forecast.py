"""How long disk and mailbox last at the present rate.

Rule: a rate is told only when it was seen for a day; a guess is worse than none.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from collector.ledger.ledger import Ledger

WINDOW = timedelta(days=28)
SEEN_MIN = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Rate:
    """What arrives in a day.

    Attributes:
        stored_bytes_day: what it takes on the disk, compressed.
        seen_days: how long it was looked at.
    """

    messages_day: float
    size_bytes_day: float
    stored_bytes_day: float
    seen_days: float


def arrival_rate(ledger: Ledger, now: datetime, mailbox: str = "") -> Rate | None:
    """Return the rate of one mailbox or of all, ``None`` when it is not known."""
    arrived = ledger.accounts.arrivals(now - WINDOW, mailbox)
    if arrived.first_at is None or now - arrived.first_at < SEEN_MIN:
        return None
    days = (now - arrived.first_at) / timedelta(days=1)
    return Rate(arrived.count / days, arrived.size_bytes / days, arrived.stored_bytes / days, days)
