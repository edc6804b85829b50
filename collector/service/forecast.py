"""How fast a mailbox fills, for the forecast of its quota.

Rule: a rate is told only when it was seen for a day; a guess is worse than none.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from collector.ledger.ledger import Ledger

WINDOW = timedelta(days=28)
SEEN_MIN = timedelta(days=1)


def arrived_bytes_day(ledger: Ledger, now: datetime, mailbox: str) -> float | None:
    """Return what arrives in a mailbox in a day; ``None``: not known."""
    arrived = ledger.accounts.arrivals(now - WINDOW, mailbox)
    if arrived.first_at is None or now - arrived.first_at < SEEN_MIN:
        return None
    return arrived.size_bytes / ((now - arrived.first_at) / timedelta(days=1))
