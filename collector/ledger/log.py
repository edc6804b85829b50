"""The log: leaves in the order they became durable, and the tree over them.

Rule: a leaf is added in the transaction that writes what it stands for down, in
the order in which the segments hold it, and is never changed; so a ledger made
anew from the segments has the same tree.

An event is recorded by any process at once and has no leaf yet; the one process
that writes the archive puts it into a segment and then gives it one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from peewee import fn

from collector.domain.custody import LedgerEntry
from collector.domain.errors import IntegrityError
from collector.domain.evidence import Event, InclusionProof
from collector.ledger import merkle, models
from collector.ledger.database import VALUE, LedgerDatabase, Row, written
from collector.ledger.encoding import (
    decode_instant,
    decode_json,
    decode_text,
    encode_instant,
    encode_json,
    encode_text,
    entry_leaf,
    event_leaf,
)
from collector.ledger.merkle import Tree, leaf_hash
from collector.ledger.models import Leaf, Node

KEYS_CHARS_MAX = 16 * 1024
"""Of the JSON of an event's keys; what is longer is cut, and says so."""

_LAST = written(Leaf.select(fn.MAX(Leaf.position)))
_LEAF = written(Leaf.select(Leaf.hash).where(Leaf.position == VALUE))
_NODE = written(Node.select(Node.hash).where(Node.level == VALUE, Node.place == VALUE))
_POSITION = written(Leaf.select(Leaf.position).where(Leaf.entry_seq == VALUE))
_LAST_LOGGED = written(Leaf.select(fn.MAX(Leaf.event_number)))
_EVENTS_AFTER = written(
    models.Event.select().where(models.Event.id > VALUE).order_by(models.Event.id).limit(VALUE)
)
_EVENT = written(models.Event.select().where(models.Event.id == VALUE))
_INSTANT = """SELECT COALESCE(r.committed_at, e.at) FROM leaves l
LEFT JOIN receipts r ON r.seq = l.entry_seq LEFT JOIN events e ON e.id = l.event_number
WHERE l.position = ?"""
_LEAF_COLUMNS = ("position", "hash", "entry_seq", "event_number")
_NODE_COLUMNS = ("level", "index", "hash")


@dataclass(frozen=True, slots=True)
class Log:
    """The tree over the ledger, as it is read."""

    database: LedgerDatabase

    def size(self) -> int:
        """Return the number of leaves."""
        with self.database.reading():
            return size(self.database)

    def head(self) -> tuple[int, bytes]:
        """Return the number of leaves and the root hash over them.

        Raises:
            IntegrityError: as ``root``.
        """
        tree_size = self.size()
        return tree_size, self.root(tree_size)

    def continues(self, old: int, old_root: bytes, new: int, new_root: bytes) -> bool:
        """Prove that the log of ``new`` leaves begins with the one of ``old``, and check it.

        Raises:
            IntegrityError: as ``root``.
            ValueError: the old tree is the larger one.
        """
        proof = self.prove_consistency(old, new)
        return merkle.verify_consistency(old, new, proof, old_root, new_root)

    def root(self, tree_size: int) -> bytes:
        """Return the root hash over the first ``tree_size`` leaves.

        Raises:
            IntegrityError: there are not so many, or a node is missing.
        """
        with self.database.reading():
            return merkle.root(tree_size, _reader(self.database))

    def instants(self, tree_sizes: Iterable[int]) -> dict[int, datetime]:
        """Return when the newest of the first so many leaves was recorded, by tree size.

        A head of that size was not signed before.  What is not in the log, or cannot be
        read, is left out.
        """
        found: dict[int, datetime] = {}
        with self.database.reading():
            for tree_size in tree_sizes:
                row = next(self.database.tuples(_INSTANT, [tree_size - 1]), None)
                with suppress(ValueError, TypeError):
                    if row is not None:
                        found[tree_size] = decode_instant(row[0])
        return found

    def position(self, seq: int) -> int | None:
        """Return where the leaf of an entry is, ``None`` when it has none."""
        with self.database.reading():
            found = next(self.database.tuples(_POSITION, [seq]), None)
        return None if found is None else int(found[0])

    def prove_inclusion(self, position: int, tree_size: int) -> InclusionProof:
        """Return the way from a leaf to the root of so many leaves (RFC 9162, 2.1.3.1).

        Raises:
            IntegrityError: as ``root``.
            ValueError: there is no such leaf in a tree of that size.
        """
        with self.database.reading():
            return merkle.prove_inclusion(position, tree_size, _reader(self.database))

    def prove_consistency(self, old: int, new: int) -> tuple[bytes, ...]:
        """Return that the first ``old`` of ``new`` leaves are the same (RFC 9162, 2.1.4.1).

        Raises:
            IntegrityError: as ``root``.
            ValueError: the old tree is the larger one.
        """
        with self.database.reading():
            return merkle.prove_consistency(old, new, _reader(self.database))


def size(database: LedgerDatabase) -> int:
    """Return the number of leaves."""
    ((last,),) = database.tuples(_LAST, [])
    return 0 if last is None else int(last) + 1


def add_entries(database: LedgerDatabase, entries: Sequence[LedgerEntry]) -> None:
    """Give entries their leaves, in their order; inside the transaction that inserts them."""
    _add(database, ((entry_leaf(each.receipt), each.seq, None) for each in entries))


def unlogged_events(database: LedgerDatabase, limit: int) -> list[Event]:
    """Return the oldest events that have no leaf yet, in the order recorded."""
    found = database.named(_EVENTS_AFTER, [_last_logged(database), limit])
    return [decode_event(row) for row in found]


def add_events(database: LedgerDatabase, events: Iterable[Event]) -> int:
    """Give events their leaves, in their order, and return how many had none.

    One that the ledger does not hold (it is made anew) is written down as well.

    Raises:
        IntegrityError: the ledger holds another one of that number.
    """
    last = _last_logged(database)
    added = [event for event in events if event.number > last]
    for event in added:
        found = find_event(database, event.number)
        if found is None:
            database.insert(models.Event, [event_row(event)])
        elif found != event:
            raise IntegrityError(
                "the ledger's event differs from the stored one",
                subject=f"event {event.number}",
                hint="run `collector verify`; the segments are right",
            )
    _add(database, ((encode_event_leaf(event), None, event.number) for event in added))
    return len(added)


def find_event(database: LedgerDatabase, number: int) -> Event | None:
    """Return one event, ``None`` when there is none of that number."""
    found = database.named(_EVENT, [number])
    return decode_event(found[0]) if found else None


def record_event(
    database: LedgerDatabase, name: str, at: datetime, mailbox: str, keys: dict[str, object]
) -> None:
    """Write an event down; it has no leaf yet."""
    text = encode_json(keys)
    if len(text) > KEYS_CHARS_MAX:
        text = encode_json({"cut": text[:KEYS_CHARS_MAX]})
    row = {
        "at": encode_instant(at),
        "name": encode_text(name),
        "mailbox": encode_text(mailbox),
        "keys": text,
    }
    database.insert(models.Event, [row])


def event_row(event: Event) -> Row:
    """Return the row of ``events``."""
    return {
        "id": event.number,
        "at": encode_instant(event.at),
        "name": encode_text(event.name),
        "mailbox": encode_text(event.mailbox),
        "keys": encode_json(event.keys),
    }


def decode_event(row: Row) -> Event:
    """The opposite of ``event_row``.

    Raises:
        IntegrityError: somebody else changed the row, so that it cannot be read.
    """
    try:
        return Event(
            number=row["id"],
            at=decode_instant(row["at"]),
            name=decode_text(row["name"]),
            mailbox=decode_text(row["mailbox"]),
            keys=decode_json(row["keys"]),
        )
    except (ValueError, TypeError) as error:
        raise IntegrityError(
            "an event in the ledger is not what was written",
            subject=f"event {row['id']}",
            hint="run `collector verify`, and `collector rebuild` for a ledger from the segments",
        ) from error


def encode_event_leaf(event: Event) -> bytes:
    """Return the canonical bytes of an event."""
    return event_leaf(event.number, event.at, event.name, event.mailbox, event.keys)


def _last_logged(database: LedgerDatabase) -> int:
    ((number,),) = database.tuples(_LAST_LOGGED, [])
    return int(number or 0)


def _add(database: LedgerDatabase, leaves: Iterable[tuple[bytes, int | None, int | None]]) -> None:
    """Append leaves, and the nodes that are complete by them."""
    first = size(database)
    tree = Tree(first, lru_cache(_reader(database)) if first else None)
    rows: list[tuple[Any, ...]] = []
    nodes: list[tuple[Any, ...]] = []
    for position, (leaf, seq, number) in enumerate(leaves, first):
        hashed = leaf_hash(leaf)
        rows.append((position, hashed, seq, number))
        nodes += ((node.level, node.index, node.hash) for node in tree.append(hashed)[1:])
    database.insert_rows("leaves", _LEAF_COLUMNS, rows)
    database.insert_rows("nodes", _NODE_COLUMNS, nodes)


def _reader(database: LedgerDatabase) -> merkle.ReadNode:
    def read(level: int, index: int) -> bytes:
        wanted = (
            database.tuples(_NODE, [level, index]) if level else database.tuples(_LEAF, [index])
        )
        found = next(wanted, None)
        if found is None:
            raise IntegrityError(
                "a hash of the log is missing",
                subject=f"level {level}, index {index}",
                hint="run `collector verify`, then `collector rebuild`",
            )
        return bytes(found[0])

    return read
