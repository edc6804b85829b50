"""How many messages came, and were taken over, in each hour.

Rule: functions on an open database; kept in the transaction that commits, so that it
costs a question as much as there are hours, not as there are messages.  Made anew with
everything else when the segments are read again.

A message belongs to the hour it arrived in (by INTERNALDATE) where it is a question of
silence, and to the hour of its commit in all others: work made up after an outage, and a
backfill, are not traffic of that hour.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from collector.domain.custody import PendingEntry, Receipt
from collector.domain.journal import Trust
from collector.ledger.database import LedgerDatabase
from collector.ledger.encoding import decode_optional, encode_instant, encode_optional
from collector.ledger.rows import mailbox_of
from collector.ledger.watched import TrafficHour, TrafficTotal

_ADD = """
INSERT INTO traffic (folder_id, hour, arrived_count, last_arrival_at, collected_count,
    quarantined_count, unverified_count, conflicting_count, raw_bytes, stored_bytes)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (folder_id, hour) DO UPDATE SET
    arrived_count = traffic.arrived_count + excluded.arrived_count,
    last_arrival_at = CASE
        WHEN excluded.last_arrival_at > COALESCE(traffic.last_arrival_at, '')
        THEN excluded.last_arrival_at ELSE traffic.last_arrival_at END,
    collected_count = traffic.collected_count + excluded.collected_count,
    quarantined_count = traffic.quarantined_count + excluded.quarantined_count,
    unverified_count = traffic.unverified_count + excluded.unverified_count,
    conflicting_count = traffic.conflicting_count + excluded.conflicting_count,
    raw_bytes = traffic.raw_bytes + excluded.raw_bytes,
    stored_bytes = traffic.stored_bytes + excluded.stored_bytes
"""
_SINCE = """
SELECT f.mailbox, f.folder, t.* FROM traffic t JOIN folders f ON f.id = t.folder_id
WHERE t.hour >= ? ORDER BY f.mailbox, f.folder, t.hour
"""
_TOTALS = """
SELECT f.mailbox, f.folder, MIN(t.hour) AS first_hour, SUM(t.raw_bytes) AS raw_bytes,
    SUM(t.stored_bytes) AS stored_bytes, MAX(t.last_arrival_at) AS last_arrival_at
FROM traffic t JOIN folders f ON f.id = t.folder_id GROUP BY f.id ORDER BY f.mailbox, f.folder
"""


@dataclass(slots=True)
class _Sums:
    """What a batch adds to one hour of one folder."""

    arrived: int = 0
    last_arrival_at: datetime | None = None
    collected: int = 0
    quarantined: int = 0
    unverified: int = 0
    conflicting: int = 0
    raw_bytes: int = 0
    stored_bytes: int = 0


def add_traffic(
    database: LedgerDatabase, pending: Sequence[PendingEntry], folders: Sequence[int]
) -> None:
    """Count a batch; inside the transaction that inserts it."""
    sums: dict[tuple[int, str], _Sums] = defaultdict(_Sums)
    for each, folder in zip(pending, folders, strict=True):
        receipt = each.receipt
        arrived_at = arrival_of(receipt)
        coming = sums[folder, hour_of(arrived_at)]
        coming.arrived += 1
        coming.last_arrival_at = max(arrived_at, coming.last_arrival_at or arrived_at)
        taken = sums[folder, hour_of(receipt.committed_at)]
        taken.collected += 1
        taken.quarantined += receipt.quarantined
        taken.unverified += each.indexed.trust == Trust.UNVERIFIED.value
        taken.conflicting += each.indexed.trust == Trust.CONFLICTING.value
        taken.raw_bytes += receipt.size_bytes
        taken.stored_bytes += 0 if receipt.duplicate_of else each.blob.stored_bytes
    database.each(_ADD, (_row(*key, each) for key, each in sums.items()))


def _row(folder: int, hour: str, sums: _Sums) -> tuple[object, ...]:
    return (
        folder,
        hour,
        sums.arrived,
        encode_optional(sums.last_arrival_at),
        sums.collected,
        sums.quarantined,
        sums.unverified,
        sums.conflicting,
        sums.raw_bytes,
        sums.stored_bytes,
    )


def arrival_of(receipt: Receipt) -> datetime:
    """Return when a message arrived; never later than it was taken over."""
    return min(receipt.internal_date or receipt.fetched_at, receipt.committed_at)


def hour_of(at: datetime) -> str:
    """Return the hour (UTC) of an instant; sorts by time."""
    return encode_instant(at)[:13]


def _instant_of(hour: str) -> datetime:
    return datetime.strptime(hour, "%Y-%m-%dT%H").replace(tzinfo=UTC)


def traffic_since(database: LedgerDatabase, since: datetime) -> list[TrafficHour]:
    """Return every hour from the one of ``since`` on in which anything came, by folder."""
    return [
        TrafficHour(
            mailbox=mailbox_of(row["mailbox"], row["folder"]),
            hour=_instant_of(row["hour"]),
            arrived_count=row["arrived_count"],
            collected_count=row["collected_count"],
            quarantined_count=row["quarantined_count"],
            unverified_count=row["unverified_count"],
            conflicting_count=row["conflicting_count"],
            raw_bytes=row["raw_bytes"],
            stored_bytes=row["stored_bytes"],
        )
        for row in database.named(_SINCE, [hour_of(since)])
    ]


def traffic_totals(database: LedgerDatabase) -> list[TrafficTotal]:
    """Return what each folder's traffic came to since its first message."""
    return [
        TrafficTotal(
            mailbox=mailbox_of(row["mailbox"], row["folder"]),
            first_at=_instant_of(row["first_hour"]),
            last_arrival_at=decode_optional(row["last_arrival_at"]),
            raw_bytes=row["raw_bytes"],
            stored_bytes=row["stored_bytes"],
        )
        for row in database.named(_TOTALS, [])
    ]
