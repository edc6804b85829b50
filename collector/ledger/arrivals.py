"""How much arrives in a mailbox: a figure of the newest entries, for forecasts.

Rule: a fixed number of the newest entries is looked at, however large the ledger is; a
time that is not the server's is the time of the fetch.
"""

from __future__ import annotations

from datetime import datetime

from collector.domain.errors import IntegrityError
from collector.ledger.database import LedgerDatabase
from collector.ledger.encoding import decode_optional, encode_instant, encode_text
from collector.ledger.query import Arrivals

NEWEST_MAX = 20_000

_NEWEST = """
SELECT COALESCE(SUM(size_bytes), 0) AS size_bytes, MIN(at) AS first_at
FROM (
    SELECT r.size_bytes, COALESCE(r.internal_date, r.fetched_at) AS at
    FROM receipts r JOIN folders f ON f.id = r.folder_id
    WHERE r.seq > (SELECT COALESCE(MAX(seq), 0) FROM entries) - ? AND f.mailbox = ?
) AS newest WHERE at >= ?
"""


def arrivals(database: LedgerDatabase, since: datetime, mailbox: str) -> Arrivals:
    """Return what arrived since then, as far as it is among the newest entries."""
    values = [NEWEST_MAX, encode_text(mailbox), encode_instant(since)]
    for row in database.named(_NEWEST, values):
        return Arrivals(row["size_bytes"], decode_optional(row["first_at"]))
    raise IntegrityError("the ledger does not count its entries")
