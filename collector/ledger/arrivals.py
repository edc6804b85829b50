"""How much arrives: figures of the newest entries, for forecasts.

Rule: a fixed number of the newest entries is looked at, however large the ledger is; a
time that is not the server's is the time of the fetch.
"""

from __future__ import annotations

from datetime import datetime

from collector.domain.errors import IntegrityError
from collector.ledger.database import LedgerDatabase
from collector.ledger.encoding import decode_instant, encode_instant, encode_text
from collector.ledger.query import Arrivals

NEWEST_MAX = 20_000

_NEWEST = """
SELECT COUNT(*) AS count, COALESCE(SUM(size_bytes), 0) AS size_bytes,
    COALESCE(SUM(stored_bytes), 0) AS stored_bytes, MIN(at) AS first_at
FROM (
    SELECT r.size_bytes, e.stored_bytes, COALESCE(r.internal_date, r.fetched_at) AS at
    FROM receipts r JOIN entries e ON e.seq = r.seq JOIN folders f ON f.id = r.folder_id
    WHERE r.seq > (SELECT COALESCE(MAX(seq), 0) FROM entries) - ? AND (? = '' OR f.mailbox = ?)
) AS newest WHERE at >= ?
"""


def arrivals(database: LedgerDatabase, since: datetime, mailbox: str) -> Arrivals:
    """Return what arrived since then, as far as it is among the newest entries."""
    name = encode_text(mailbox)
    values = [NEWEST_MAX, name, name, encode_instant(since)]
    for row in database.named(_NEWEST, values):
        first_at = decode_instant(row["first_at"]) if row["first_at"] else None
        return Arrivals(row["count"], row["size_bytes"], row["stored_bytes"], first_at)
    raise IntegrityError("the ledger does not count its entries")
