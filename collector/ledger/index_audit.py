"""Compares the rows that tell what a message is with those that its bytes give.

Rule: compares rows as they are stored, so that one nobody can read is a difference and
no error; names tables and columns, never what stands in them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import zip_longest
from typing import Any

from peewee import Model

from collector.domain.blob import Digest
from collector.domain.errors import IntegrityError
from collector.domain.journal import Unwrapped
from collector.ledger import models
from collector.ledger.database import LedgerDatabase, Row, values, written
from collector.ledger.indexing import LISTS
from collector.ledger.limits import within_limits
from collector.ledger.rows import envelope_row


@dataclass(frozen=True, slots=True)
class Derived:
    """What the bytes of an entry give.

    Attributes:
        digest: of the bytes.
    """

    seq: int
    digest: Digest
    unwrapped: Unwrapped


@dataclass(frozen=True, slots=True)
class Index:
    """The index of a ledger, as it is compared."""

    database: LedgerDatabase

    def differences(self, derived: Sequence[Derived]) -> dict[int, list[str]]:
        """Return what the ledger tells otherwise, by ``seq``: columns of the envelope, lists.

        At most as many at once as a query has places for values: some hundreds.
        """
        try:
            with self.database.reading():
                return dict(_differences(self.database, derived))
        except IntegrityError:  # a value that is none, or a damaged page: find out whose
            if len(derived) == 1:
                return {derived[0].seq: ["unreadable"]}
            return {
                seq: names for each in derived for seq, names in self.differences([each]).items()
            }


def _differences(
    database: LedgerDatabase, derived: Sequence[Derived]
) -> Iterator[tuple[int, list[str]]]:
    seqs = [each.seq for each in derived]
    envelopes = _rows(database, models.Envelope, seqs)
    lists = [(table, rows_of, _rows(database, table, seqs)) for table, rows_of in LISTS]
    for each in derived:
        kept = within_limits(each.unwrapped)
        message = each.unwrapped.message_digest(each.digest)
        expected = envelope_row(each.seq, kept, message)
        names = _columns(envelopes[each.seq], expected)
        for table, rows_of, found in lists:
            if not _same(found[each.seq], rows_of(each.seq, kept)):
                names.append(table._meta.table_name)  # noqa: SLF001 - the form peewee offers
        if names:
            yield each.seq, names


def _same(found: Sequence[Row], expected: Iterator[Row]) -> bool:
    """Compare row by row: one message may have 100,000 recipients."""
    return all(one == other for one, other in zip_longest(found, expected))


def _columns(found: Sequence[Row], expected: Row) -> list[str]:
    """Return the columns that differ, or that there is no such row."""
    if not found:
        return ["envelope"]
    return [name for name, value in expected.items() if found[0].get(name) != value]


def _rows(
    database: LedgerDatabase, table: type[Model], seqs: Sequence[int]
) -> dict[int, list[Row]]:
    rows: dict[int, list[Row]] = defaultdict(list)
    for row in database.each_named(_of(table, len(seqs)), seqs):
        rows[row["seq"]].append(row)
    return rows


@lru_cache(maxsize=512)
def _of(table: type[Any], count: int) -> str:
    order = (table.position,) if hasattr(table, "position") else ()
    return written(table.select().where(table.seq.in_(values(count))).order_by(table.seq, *order))
