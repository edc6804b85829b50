"""What the index holds of one message, as values that are ready to be inserted.

Rule: pure but for ``insert``.  The values are plain, so that they can be made in another
process than the one that commits them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from peewee import Model

from collector.domain.blob import Digest
from collector.domain.custody import Indexed, Values
from collector.domain.journal import Unwrapped
from collector.ledger import models
from collector.ledger.database import LedgerDatabase, Row
from collector.ledger.limits import within_limits
from collector.ledger.rows import (
    envelope_row,
    flag_rows,
    nested_rows,
    original_rows,
    recipient_rows,
)

LISTS: tuple[tuple[type[Model], Callable[[int, Unwrapped], Iterator[Row]]], ...] = (
    (models.NestedEnvelope, nested_rows),
    (models.Recipient, recipient_rows),
    (models.Original, original_rows),
    (models.Flag, flag_rows),
)

_SEQ = "seq"
_UNNUMBERED = 0


@dataclass(frozen=True, slots=True)
class _Table:
    """A table of the index; its columns without the number of the entry."""

    name: str
    columns: tuple[str, ...]
    values_of: Callable[[Row], Values]


def _table(model: type[Any]) -> _Table:
    meta = model._meta  # noqa: SLF001 - the form peewee offers
    names = (field.column_name for field in meta.sorted_fields)
    columns = tuple(name for name in names if name != _SEQ)
    return _Table(meta.table_name, columns, itemgetter(*columns))


_ENVELOPES = _table(models.Envelope)
_LISTS = tuple((_table(model), rows_of) for model, rows_of in LISTS)
_TABLES = (_ENVELOPES, *(table for table, _ in _LISTS))


def indexed(unwrapped: Unwrapped, raw: Digest) -> Indexed:
    """Return what the index shall hold of a message; ``raw`` is the digest of its bytes."""
    kept = within_limits(unwrapped)
    envelope = envelope_row(_UNNUMBERED, kept, unwrapped.message_digest(raw))
    lists = (tuple(map(table.values_of, rows_of(_UNNUMBERED, kept))) for table, rows_of in _LISTS)
    return Indexed(
        unwrapped.kind.value,
        unwrapped.quarantined,
        unwrapped.trust.value,
        ((_ENVELOPES.values_of(envelope),), *lists),
    )


def insert_index(database: LedgerDatabase, numbered: Iterable[tuple[int, Indexed]]) -> None:
    """Insert what the index holds of entries, by ``seq``."""
    entries = list(numbered)
    for place, table in enumerate(_TABLES):
        rows = ((seq, *row) for seq, each in entries for row in each.tables[place])
        database.insert_rows(table.name, (_SEQ, *table.columns), rows)
