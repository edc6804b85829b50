"""What an exposure is: the time from a message's arrival to the first proof of its copy.

Rule: one definition for report, status and figures; they differ in the messages they
look at (a period's, the latest proofs), not in what they tell of one.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

from collector.ledger.database import Row
from collector.ledger.encoding import decode_instant


def exposed_s(row: Row) -> float | None:
    """Return the seconds from arrival (INTERNALDATE) to the first proof, if both are known."""
    if row["internal_date"] is None or row["proven_at"] is None:
        return None
    arrived, proven = decode_instant(row["internal_date"]), decode_instant(row["proven_at"])
    return max(0.0, (proven - arrived).total_seconds())


def nearest_rank(ordered: Sequence[float], share: float) -> float:
    """Return what so large a share of ascending values did not exceed (nearest rank)."""
    return ordered[max(1, ceil(share * len(ordered))) - 1]
