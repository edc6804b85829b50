"""The only maker of ``Proof``: reads the stored copy back and compares.

Rule: a proof is made of what the medium and the database say now, through
fresh handles, never of what is remembered (integrity reference, 1.4 and 1.7).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from collector.custody.rereading import Found
from collector.domain.custody import LedgerEntry, Proof
from collector.domain.errors import IntegrityError
from collector.ledger.encoding import entry_leaf


def prove(
    entries: Sequence[LedgerEntry],
    read_back: Callable[[Sequence[int]], Sequence[Found]],
    now: datetime,
) -> list[Proof]:
    """Return one proof for every entry, in their order.

    Args:
        entries: as they were committed.
        read_back: reads what medium and database hold of entries, by ``seq``.
        now: the present instant, in UTC.

    Raises:
        IntegrityError: a row is not what was committed, or the bytes read from
            the medium are not those the row names.  Nothing may be deleted then.
    """
    found = read_back([entry.seq for entry in entries])
    for entry, each in zip(entries, found, strict=True):
        receipt = entry.receipt
        if each.leaf != entry_leaf(receipt):  # its place may be another: a segment was sealed
            raise _broken(entry, each, "the ledger's row is not what was committed")
        if (each.blob_digest, each.blob_bytes) != (receipt.digest.hex, receipt.size_bytes):
            raise _broken(entry, each, "the ledger's receipt and location name different bytes")
        if each.digest != receipt.digest.hex:
            raise _broken(entry, each, each.problem or "its bytes have another digest")
    return [
        Proof(each.seq, each.ref, each.receipt.digest, each.receipt.size_bytes, now)
        for each in entries
    ]


def _broken(entry: LedgerEntry, found: Found, problem: str) -> IntegrityError:
    return IntegrityError(
        f"the stored copy could not be proven: {problem}",
        subject=f"seq {entry.seq}, {entry.receipt.digest}, segment {found.segment}",
        hint="nothing is deleted; run `collector verify` and look at the disk before restarting",
    )
