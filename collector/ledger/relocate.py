"""Points entries to the places their messages have in a segment that was written anew.

Rule: all entries of a segment in one transaction, or none; afterwards no entry
names the old file, or nothing was changed.
"""

from __future__ import annotations

from collections.abc import Iterable

from peewee import fn

from collector.domain.blob import BlobRef
from collector.domain.errors import IntegrityError
from collector.ledger.database import VALUE, LedgerDatabase, written
from collector.ledger.encoding import encode_text
from collector.ledger.ledger import Ledger
from collector.ledger.models import Entry

_COUNT = written(Entry.select(fn.COUNT(Entry.seq)).where(Entry.segment == VALUE))
_MOVE = (
    "UPDATE entries SET segment = ?, frame_offset = ?, frame_bytes = ?, blob_offset = ?,"
    " stored_bytes = ? WHERE blob_digest = ? AND segment = ? AND frame_offset = ?"
    " AND blob_offset = ?"
)
"""By digest, which has an index: entries with the bytes of another (duplicates) are among them."""


def relocate(ledger: Ledger, segment: str, moves: Iterable[tuple[BlobRef, BlobRef]]) -> int:
    """Switch every entry of ``segment``, durably; return how many there were.

    ``moves`` gives the place of each message of the segment, before and after.  May
    be repeated after a crash: then there is nothing left to switch.

    Raises:
        IntegrityError: an entry names a place in the segment where there was no
            message with its digest, or as all methods of ``Ledger``.
        CycleError: as all methods of ``Ledger``.
    """
    database = ledger._database  # noqa: SLF001 - of the same room
    with database.writing():
        count = _count(database, segment)
        if count:
            database.each(_MOVE, (_values(before, after) for before, after in moves))
        if left := _count(database, segment):
            raise IntegrityError(
                f"{left} of {count} entries name bytes that their segment does not hold",
                subject=f"segment {segment}",
                hint="nothing was changed; run `collector verify` and look at the disk",
            )
    return count


def _count(database: LedgerDatabase, segment: str) -> int:
    ((count,),) = database.tuples(_COUNT, [encode_text(segment)])
    return int(count)


def _values(before: BlobRef, after: BlobRef) -> tuple[str | int, ...]:
    return (
        encode_text(after.segment),
        after.frame_offset,
        after.frame_bytes,
        after.offset,
        after.stored_bytes,
        before.digest.hex,
        encode_text(before.segment),
        before.frame_offset,
        before.offset,
    )
