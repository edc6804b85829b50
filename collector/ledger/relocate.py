"""Points entries to the places their messages have in a segment that was written anew.

Rule: all entries of a segment in one transaction, or none; afterwards no entry
names the old file, or nothing was changed.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain

from peewee import fn

from collector.domain.blob import BlobRef
from collector.domain.errors import IntegrityError
from collector.ledger.database import VALUE, LedgerDatabase, written
from collector.ledger.encoding import encode_text
from collector.ledger.ledger import Ledger
from collector.ledger.models import Entry

_AT = (
    Entry.blob_digest == VALUE,
    Entry.segment == VALUE,
    Entry.frame_offset == VALUE,
    Entry.blob_offset == VALUE,
)
_FIRST = written(Entry.select(fn.MIN(Entry.seq)).where(*_AT))
_COUNT = written(
    Entry.select(fn.COUNT(Entry.seq)).where(Entry.seq >= VALUE, Entry.segment == VALUE)
)
_MOVE = (
    "UPDATE entries SET segment = ?, frame_offset = ?, frame_bytes = ?, blob_offset = ?,"
    " stored_bytes = ? WHERE blob_digest = ? AND segment = ? AND frame_offset = ?"
    " AND blob_offset = ?"
)
"""Found by digest, so entries with the bytes of another (duplicates) are among them.

``segment`` must have no index: SQLite would prefer it, and 50,000 entries would
take 500 s instead of 0.5 s.
"""


def relocate(ledger: Ledger, segment: str, moves: Iterable[tuple[BlobRef, BlobRef]]) -> int:
    """Switch every entry of ``segment``, durably; return how many there were.

    ``moves`` gives the place of each message of the segment, before and after, in
    the order written.  May be repeated after a crash: then there is nothing left
    to switch.

    Raises:
        IntegrityError: an entry names a place in the segment where there was no
            message with its digest, or as all methods of ``Ledger``.
        CycleError: as all methods of ``Ledger``.
    """
    database = ledger._database  # noqa: SLF001 - of the same room
    moves = iter(moves)
    head = next(moves, None)
    with database.writing():
        # Nothing before the first message of a segment can name a place in it.
        first = _first(database, head[0]) if head else 0
        count = _count(database, segment, first)
        if head and count:
            database.each(_MOVE, (_values(*move) for move in chain([head], moves)))
        if left := _count(database, segment, first):
            raise IntegrityError(
                f"{left} of {count} entries name bytes that their segment does not hold",
                subject=f"segment {segment}",
                hint="nothing was changed; run `collector verify` and look at the disk",
            )
    return count


def _first(database: LedgerDatabase, blob: BlobRef) -> int:
    ((seq,),) = database.tuples(_FIRST, _place(blob))
    return seq or 0


def _count(database: LedgerDatabase, segment: str, first: int) -> int:
    ((count,),) = database.tuples(_COUNT, [first, encode_text(segment)])
    return int(count)


def _values(before: BlobRef, after: BlobRef) -> tuple[str | int, ...]:
    return (
        encode_text(after.segment),
        after.frame_offset,
        after.frame_bytes,
        after.offset,
        after.stored_bytes,
        *_place(before),
    )


def _place(blob: BlobRef) -> tuple[str | int, ...]:
    return blob.digest.hex, encode_text(blob.segment), blob.frame_offset, blob.offset
