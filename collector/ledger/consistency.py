"""Looks whether the ledger agrees with itself.

Rule: names what is wrong, in at most ``PROBLEMS_MAX`` lines, and changes
nothing.  Whether it agrees with the segments is the audit's question.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from peewee import JOIN, Select, fn

from collector.domain.custody import State
from collector.domain.errors import IntegrityError
from collector.ledger.database import PROBLEMS_MAX, LedgerDatabase
from collector.ledger.memory_models import Traffic
from collector.ledger.models import Entry, Envelope, Proof, Receipt, Recipient, StateCount
from collector.ledger.states import SETTLED


def problems(database: LedgerDatabase) -> list[str]:
    """Return what is wrong; empty when nothing is."""
    found: list[str] = []
    try:
        with database.reading():
            for text in islice(_problems(database), PROBLEMS_MAX):
                found.append(text)  # noqa: PERF402 - what was found before an error counts
    except IntegrityError as error:
        found.append(str(error))
    return found


def _problems(database: LedgerDatabase) -> Iterator[str]:
    yield from database.problems()
    yield from _numbers(database)
    yield from _counts(database)
    yield from _traffic(database)
    for what, query in _disagreements():
        for row in database.rows(query.limit(PROBLEMS_MAX)):
            yield f"entry {row['seq']}: {what}"


def _numbers(database: LedgerDatabase) -> Iterator[str]:
    total = StateCount.select(fn.SUM(StateCount.entries_count))
    query = Entry.select(
        fn.COUNT(Entry.seq).alias("count"), fn.MAX(Entry.seq).alias("last"), total.alias("total")
    )
    row = database.rows(query)[0]
    if row["count"] != (row["last"] or 0):
        yield f"the last entry is {row['last']}, but there are {row['count']}: some are missing"
    if row["count"] != (row["total"] or 0):
        yield f"there are {row['count']} entries, but {row['total']} were counted"


def _counts(database: LedgerDatabase) -> Iterator[str]:
    counted = (
        Entry.select(Entry.folder, Entry.state, fn.COUNT(Entry.seq).alias("count"))
        .group_by(Entry.folder, Entry.state)
        .alias("counted")
    )
    mine = (StateCount.folder == counted.c.folder_id) & (StateCount.state == counted.c.state)
    kept = fn.COALESCE(StateCount.entries_count, 0)
    query = (
        Select([counted], [counted.c.folder_id, counted.c.state, counted.c.count])
        .join(StateCount, JOIN.LEFT_OUTER, on=mine)
        .where(kept != counted.c.count)
    )
    for row in database.rows(query.limit(PROBLEMS_MAX)):
        yield f"folder {row['folder_id']}: the count of {row['state']} is not {row['count']}"


def _traffic(database: LedgerDatabase) -> Iterator[str]:
    arrived = fn.COALESCE(fn.SUM(Traffic.arrived_count), 0)
    collected = fn.COALESCE(fn.SUM(Traffic.collected_count), 0)
    row = database.rows(Traffic.select(arrived.alias("arrived"), collected.alias("collected")))[0]
    (entries,) = database.rows(Entry.select(fn.COUNT(Entry.seq).alias("count")))
    for what in ("arrived", "collected"):
        if row[what] != entries["count"]:
            yield f"there are {entries['count']} entries, but {row[what]} {what} by the hour"


def _disagreements() -> Iterator[tuple[str, Any]]:
    """Yield what must not be, and the query that selects it."""
    receipts = Entry.select(Entry.seq).join(Receipt, JOIN.LEFT_OUTER, on=(Receipt.seq == Entry.seq))
    yield "it has no receipt", receipts.where(Receipt.seq.is_null())
    yield (
        "its receipt and its location name different bytes",
        receipts.where(
            (Receipt.digest != Entry.blob_digest) | (Receipt.size_bytes != Entry.blob_bytes)
        ),
    )
    yield (
        "its receipt is of another message",
        receipts.where(
            (Receipt.folder != Entry.folder)
            | (Receipt.uidvalidity != Entry.uidvalidity)
            | (Receipt.uid != Entry.uid)
        ),
    )
    settled = Entry.state.in_(sorted(SETTLED))
    yield (
        "its state and the time it was settled contradict each other",
        Entry.select(Entry.seq).where(
            (Entry.settled_at.is_null() & settled)
            | (Entry.settled_at.is_null(is_null=False) & ~settled)
        ),
    )
    first = Entry.alias()
    yield (
        "it does not lie where its first copy lies",
        receipts.join(first, on=(first.seq == Receipt.duplicate_of)).where(
            (first.blob_digest != Entry.blob_digest)
            | (first.segment != Entry.segment)
            | (first.frame_offset != Entry.frame_offset)
            | (first.blob_offset != Entry.blob_offset)
        ),
    )
    envelopes = Entry.select(Entry.seq).join(
        Envelope, JOIN.LEFT_OUTER, on=(Envelope.seq == Entry.seq)
    )
    counted = Recipient.select(fn.COUNT(Recipient.position)).where(Recipient.seq == Entry.seq)
    yield "it has no envelope", envelopes.where(Envelope.seq.is_null())
    yield (
        "some of its recipients are missing",
        envelopes.where(Envelope.recipients_count != counted),
    )
    proofs = Proof.select(Proof.id).where(Proof.seq == Entry.seq, Proof.digest == Entry.blob_digest)
    yield (
        "its deletion was asked for without a proof",
        Entry.select(Entry.seq).where(Entry.state == State.CLEARED.value, ~fn.EXISTS(proofs)),
    )
