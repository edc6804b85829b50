"""The only maker of ``Proof``: reads the stored copy back and compares.

Rule: a proof is made of what the medium and the database say now, through
fresh handles, never of what is remembered (integrity reference, 1.4 and 1.7).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from collector.domain.custody import LedgerEntry, Proof
from collector.domain.errors import IntegrityError
from collector.ledger.ledger import Ledger
from collector.store.archive import Archive


def prove(
    entries: Sequence[LedgerEntry], archive: Archive, ledger: Ledger, now: datetime
) -> list[Proof]:
    """Return one proof for every entry, in their order.

    Raises:
        IntegrityError: a row is not what was committed, or the bytes read from
            the medium are not those the row names.  Nothing may be deleted then.
    """
    rows = ledger.reread([entry.seq for entry in entries])
    for entry, row in zip(entries, rows, strict=True):
        if row.receipt != entry.receipt:  # its place may be another: a segment was sealed
            raise _broken(entry, "the ledger's row is not what was committed")
        if (row.receipt.digest, row.receipt.size_bytes) != (row.blob.digest, row.blob.size_bytes):
            raise _broken(entry, "the ledger's receipt and location name different bytes")
    found = {reread.blob: reread for reread in archive.reread([row.blob for row in rows])}
    for row in rows:
        reread = found.get(row.blob)
        if reread is None or reread.digest != row.receipt.digest:
            problem = reread.problem if reread else "it was not read"
            raise _broken(row, problem or "its bytes have another digest")
    return [
        Proof(row.seq, row.ref, row.receipt.digest, row.receipt.size_bytes, now) for row in rows
    ]


def _broken(entry: LedgerEntry, problem: str) -> IntegrityError:
    return IntegrityError(
        f"the stored copy could not be proven: {problem}",
        subject=f"seq {entry.seq}, {entry.receipt.digest}, segment {entry.blob.segment}",
        hint="nothing is deleted; run `collector verify` and look at the disk before restarting",
    )
