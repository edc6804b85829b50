"""Reads entries and whole records, in the order of ``seq``.

Rule: every window is a few short reads, so a long list never keeps SQLite from
checkpointing, and memory does not grow with the archive.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any, TypeVar

from peewee import SQL, Model, fn

from collector.domain.custody import LedgerEntry
from collector.domain.errors import IntegrityError
from collector.ledger import models
from collector.ledger.database import (
    INTEGER_MAX,
    VALUE,
    LedgerDatabase,
    Row,
    contains,
    values,
    written,
)
from collector.ledger.encoding import decode_text, encode_instant, encode_text
from collector.ledger.entries import select_entries
from collector.ledger.models import Entry, Envelope, Folder, Receipt, Recipient
from collector.ledger.query import Filter, Record
from collector.ledger.rows import (
    decode_entry,
    decode_original,
    decode_recipient,
    decode_unwrapped,
)

WINDOW_ENTRIES = 500
WINDOW_CHARS_MAX = 8 * 1024 * 1024
RECIPIENT_CHARS = 200
"""Text held in memory at once, unless one message alone has more; a recipient counts as
so much."""

Part = TypeVar("Part")

_WINDOW = written(
    select_entries().where(Entry.seq >= VALUE, Entry.seq <= VALUE).order_by(Entry.seq).limit(VALUE)
)
_SAME_MESSAGE = (
    "SELECT seq FROM envelopes WHERE message_digest ="
    " (SELECT message_digest FROM envelopes WHERE seq = ?) ORDER BY seq"
)


def entries(
    database: LedgerDatabase, seq_from: int, seq_to: int | None, *, readable: bool = False
) -> Iterator[LedgerEntry]:
    """Yield entries, both ends included; with ``readable`` pass over rows that nobody can read."""
    while True:
        bounds = _storable(seq_from), INTEGER_MAX if seq_to is None else _storable(seq_to)
        with database.reading():
            rows = database.named(_WINDOW, [*bounds, WINDOW_ENTRIES])
        if not rows:
            return
        for row in rows:
            try:
                yield decode_entry(row)
            except IntegrityError:
                if not readable:
                    raise
        seq_from = rows[-1]["seq"] + 1


def records(database: LedgerDatabase, wanted: Filter) -> Iterator[Record]:
    """Yield the records ``wanted`` selects, read window by window."""
    after, left = 0, wanted.limit
    while left is None or left > 0:
        size = WINDOW_ENTRIES if left is None else min(left, WINDOW_ENTRIES)
        with database.reading():
            window = database.rows(_select_window(wanted, after, size))
        for seqs in _portions_by_weight(window):
            with database.reading():
                assembled = _assemble(database, seqs)
            yield from assembled
        if len(window) < size:
            return
        after = window[-1]["seq"]
        left = None if left is None else left - len(window)


def record(database: LedgerDatabase, seq: int) -> Record | None:
    """Return one record, ``None`` when there is no such entry; a fifth of what a filter costs."""
    with database.reading():
        return next(iter(_assemble(database, [_storable(seq)])), None)


def messages(database: LedgerDatabase, wanted: Filter) -> Iterator[list[Record]]:
    """Yield each message that a selected report is about, with all reports of it.

    By the first selected report; the numbers of these are held in memory, 8 bytes each.
    """
    query = _joined(fn.MIN(Entry.seq)).where(*_conditions(wanted))
    grouped = query.group_by(Envelope.message_digest).order_by(SQL("1")).limit(wanted.limit)
    with database.reading():
        firsts = array("Q", (seq for (seq,) in grouped.bind(database).tuples().iterator()))
    for seq in firsts:
        with database.reading():
            yield _assemble(database, [other for (other,) in database.tuples(_SAME_MESSAGE, [seq])])


def count(database: LedgerDatabase, wanted: Filter) -> int:
    """Return how many records ``wanted`` selects."""
    query = _joined(fn.COUNT(Entry.seq).alias("count")).where(*_conditions(wanted))
    found = int(database.rows(query)[0]["count"])
    return found if wanted.limit is None else min(found, wanted.limit)


def _select_window(wanted: Filter, after: int, size: int) -> Any:  # noqa: ANN401 - peewee
    """Return the query for the numbers of a window, and how much text each has."""
    weight = Envelope.raw_chars + Envelope.recipients_count * RECIPIENT_CHARS
    query = _joined(Entry.seq, weight.alias("chars"))
    return query.where(*_conditions(wanted, after)).order_by(Entry.seq).limit(size)


def _joined(*columns: Any) -> Any:  # noqa: ANN401 - peewee
    """Return a query over everything a filter can ask for."""
    return (
        Entry.select(*columns)
        .join(Receipt, on=(Receipt.seq == Entry.seq))
        .join(Folder, on=(Folder.id == Receipt.folder))
        .join(Envelope, on=(Envelope.seq == Entry.seq))
    )


def _conditions(wanted: Filter, after: int = 0) -> list[Any]:
    """Return the conditions that are set, for entries behind ``after``.

    There is one lower bound: of two, SQLite begins at whichever it likes, and reads a
    long list from its start for every window.
    """
    first = max(after + 1, _storable(wanted.seq_from or 1))
    arrived = fn.COALESCE(Receipt.internal_date, Receipt.fetched_at)
    last_digit = "g"  # the first character after the hexadecimal digits
    tests: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
        (wanted.mailbox, lambda name: Folder.mailbox == encode_text(name)),
        (wanted.folder, lambda name: Folder.folder == encode_text(name)),
        (wanted.seq_to, lambda seq: Entry.seq <= _storable(seq)),
        (wanted.since, lambda at: arrived >= encode_instant(at)),
        (wanted.before, lambda at: arrived < encode_instant(at)),
        (wanted.sender, lambda text: contains(Envelope.sender, encode_text(text))),
        (wanted.recipient, _has_recipient),
        (wanted.subject, lambda text: contains(Envelope.subject, encode_text(text))),
        (wanted.message_id, lambda text: Envelope.message_id == encode_text(text)),
        (wanted.digest, lambda text: Entry.blob_digest >= text.lower()),
        (wanted.digest, lambda text: Entry.blob_digest < text.lower() + last_digit),
        (wanted.kind, lambda kind: Envelope.kind == kind.value),
        (wanted.state, lambda state: Entry.state == state.value),
        (wanted.quarantined, lambda flag: Receipt.quarantined == flag),
    )
    return [Entry.seq >= first, *(test(value) for value, test in tests if value is not None)]


def _has_recipient(text: str) -> Any:  # noqa: ANN401 - peewee's expressions
    found = Recipient.select(Recipient.position).where(
        Recipient.seq == Entry.seq, contains(Recipient.address, encode_text(text))
    )
    return fn.EXISTS(found)


def _storable(seq: int) -> int:
    return min(seq, INTEGER_MAX)


def _portions_by_weight(window: Sequence[Row]) -> Iterator[list[int]]:
    """Cut a window where its text would fill the memory."""
    seqs: list[int] = []
    chars = 0
    for row in window:
        if seqs and chars + row["chars"] > WINDOW_CHARS_MAX:
            yield seqs
            seqs, chars = [], 0
        seqs.append(row["seq"])
        chars += row["chars"]
    if seqs:
        yield seqs


def _assemble(database: LedgerDatabase, seqs: Sequence[int]) -> list[Record]:
    """Put entries, envelopes and their lists together; five queries for all of them."""
    rows = database.named(_records(len(seqs)), seqs)
    nested = _parts(database, models.NestedEnvelope, seqs, dict)
    recipients = _parts(database, models.Recipient, seqs, decode_recipient)
    originals = _parts(database, models.Original, seqs, decode_original)
    flags = _parts(database, models.Flag, seqs, lambda row: decode_text(row["flag"]))
    return [
        Record(
            decode_entry(row),
            decode_unwrapped(
                {**row, "kind": row["envelope_kind"]},
                nested[row["seq"]],
                recipients[row["seq"]],
                originals[row["seq"]],
                flags[row["seq"]],
            ),
        )
        for row in rows
    ]


@lru_cache(maxsize=64)
def _records(count: int) -> str:
    others = [
        column
        for column in Envelope._meta.sorted_fields  # noqa: SLF001 - the form peewee offers
        if column not in {Envelope.seq, Envelope.kind}
    ]
    whole = select_entries(Envelope.kind.alias("envelope_kind"), *others)
    joined = whole.join(Envelope, on=(Envelope.seq == Entry.seq))
    return written(joined.where(Entry.seq.in_(values(count))).order_by(Entry.seq))


def _parts(
    database: LedgerDatabase, table: type[Model], seqs: Sequence[int], decode: Callable[[Row], Part]
) -> dict[int, list[Part]]:
    parts: dict[int, list[Part]] = defaultdict(list)
    for row in database.each_named(_rows_of(table, len(seqs)), seqs):
        parts[row["seq"]].append(decode(row))
    return parts


@lru_cache(maxsize=64)
def _rows_of(table: type[Model], count: int) -> str:
    mine = table.seq.in_(values(count))  # type: ignore[attr-defined]
    return written(table.select().where(mine).order_by(table.seq, table.position))  # type: ignore[attr-defined]
