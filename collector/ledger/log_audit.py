"""Looks whether the log is the one over these rows, and the one that was signed.

Rule: one pass over all of it, in one snapshot; names the entry, and changes nothing.

    rows -> leaves -> nodes -> roots

A row that somebody changed no longer gives its leaf; a leaf changed with it no
longer gives the nodes above it; nodes changed with both no longer give a root
that was signed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from collector.domain.errors import IntegrityError
from collector.ledger.database import LedgerDatabase
from collector.ledger.encoding import STORED_ENTRY, leaf_of
from collector.ledger.log import decode_event, encode_event_leaf
from collector.ledger.merkle import Node, Tree, leaf_hash
from collector.ledger.query import LogProblem

STEP_LEAVES = 1000
"""Leaves between two calls of ``progress``."""

_COLUMNS = ", ".join(
    f"f.{name}" if name in {"mailbox", "folder"} else f"r.{name}" for name in STORED_ENTRY
)
_LEAVES = f"""
SELECT l.position, l.hash, l.entry_seq, l.event_number, {_COLUMNS}
FROM leaves l
LEFT JOIN receipts r ON r.seq = l.entry_seq
LEFT JOIN folders f ON f.id = r.folder_id
ORDER BY l.position
"""  # noqa: S608 - our own names
_EVENT = "SELECT * FROM events WHERE id = ?"
_NODES = 'SELECT "index", hash FROM nodes WHERE "level" = ? ORDER BY "index"'
_LEVELS = 'SELECT DISTINCT "level" FROM nodes ORDER BY 1'
_INSERTED_ENTRIES = """
SELECT e.seq FROM entries e LEFT JOIN leaves l ON l.entry_seq = e.seq
WHERE l.position IS NULL ORDER BY e.seq
"""
_INSERTED_EVENTS = """
SELECT e.id FROM events e LEFT JOIN leaves l ON l.event_number = e.id
WHERE l.position IS NULL AND e.id < (SELECT MAX(event_number) FROM leaves) ORDER BY e.id
"""


def problems(
    database: LedgerDatabase, roots: Mapping[int, bytes], progress: Callable[[int], None]
) -> Iterator[LogProblem]:
    """Yield what is wrong with the log.

    Args:
        roots: by number of leaves, as they were signed.
        progress: called with the number of leaves looked at since the last call.

    Raises:
        IntegrityError: the database is damaged.
    """
    with database.snapshot():
        yield from _Audit(database, roots, progress).run()
        for (seq,) in database.tuples(_INSERTED_ENTRIES, []):
            yield LogProblem("it is not in the log: somebody inserted it", seq)
        for (number,) in database.tuples(_INSERTED_EVENTS, []):
            yield LogProblem(f"event {number} is not in the log: somebody inserted it")


@dataclass(slots=True)
class _Leaf:
    """A leaf and the row it stands for; ``entry`` has the columns of ``STORED_ENTRY``."""

    position: int
    hash: object
    seq: int | None
    number: int | None
    entry: Sequence[Any]


class _Audit:
    def __init__(
        self,
        database: LedgerDatabase,
        roots: Mapping[int, bytes],
        progress: Callable[[int], None],
    ) -> None:
        self._database = database
        self._roots = roots
        self._progress = progress
        self._tree = Tree()
        self._nodes: dict[int, Iterator[tuple[Any, ...]]] = {}
        self._seq = 0
        self._number = 0
        self._disagrees = False

    def run(self) -> Iterator[LogProblem]:
        """Walk through the leaves once."""
        for position, hashed, seq, number, *entry in self._database.tuples(_LEAVES, []):
            if position != self._tree.size:
                yield LogProblem(f"leaf {self._tree.size} is missing: somebody removed it")
                return
            yield from self._leaf(_Leaf(position, hashed, seq, number, entry))
            yield from self._above(self._tree.append(bytes(hashed)))
            yield from self._signed()
            if self._tree.size % STEP_LEAVES == 0:
                self._progress(STEP_LEAVES)
        self._progress(self._tree.size % STEP_LEAVES)
        yield from self._end()

    def _leaf(self, leaf: _Leaf) -> Iterator[LogProblem]:
        """Compare a leaf with the row it stands for."""
        if (leaf.seq is None) == (leaf.number is None):
            yield LogProblem(f"leaf {leaf.position} stands for nothing")
        elif leaf.seq is not None:
            if leaf.seq <= self._seq:
                yield LogProblem("its leaf is not in its place", leaf.seq)
            self._seq = leaf.seq
            yield from _entry(leaf)
        elif leaf.number is not None:
            if leaf.number <= self._number:
                yield LogProblem(f"the leaf of event {leaf.number} is not in its place")
            self._number = leaf.number
            yield from self._event(leaf.number, leaf.hash)

    def _event(self, number: int, hashed: object) -> Iterator[LogProblem]:
        found = self._database.named(_EVENT, [number])
        if not found:
            yield LogProblem(f"event {number} is in the log, but not in the ledger")
        elif not _same(lambda: encode_event_leaf(decode_event(found[0])), hashed):
            yield LogProblem(f"event {number} is not what was logged: its row was changed")

    def _above(self, complete: list[Node]) -> Iterator[LogProblem]:
        """Compare the nodes that are complete by a leaf with those that are kept."""
        for node in complete[1:]:
            kept = self._nodes.get(node.level)
            if kept is None:
                kept = self._nodes[node.level] = self._database.tuples(_NODES, [node.level])
            if next(kept, None) != (node.index, node.hash) and not self._disagrees:
                self._disagrees = True  # all nodes above differ as well
                first, last = node.index << node.level, (node.index + 1 << node.level) - 1
                yield LogProblem(f"the tree over leaves {first} to {last} is not the one kept")

    def _signed(self) -> Iterator[LogProblem]:
        root = self._roots.get(self._tree.size)
        if root is not None and root != self._tree.root():
            yield LogProblem(
                f"the first {self._tree.size} leaves are not those of the checkpoint: entries or "
                "events up to there were changed after it was signed"
            )

    def _end(self) -> Iterator[LogProblem]:
        size = self._tree.size
        if missing := [each for each in self._roots if each > size]:
            yield LogProblem(
                f"the log has {size} leaves, but {max(missing)} were signed: it was rolled back"
            )
        for (level,) in self._database.tuples(_LEVELS, []):
            kept = self._nodes.get(level)
            if kept is None or next(kept, None) is not None:
                yield LogProblem(f"the tree has nodes of level {level} over no leaves")


def _entry(leaf: _Leaf) -> Iterator[LogProblem]:
    if leaf.entry[0] is None:
        yield LogProblem("it is in the log, but no longer in the ledger", leaf.seq)
    elif not _same(lambda: leaf_of(leaf.entry), leaf.hash):
        yield LogProblem("it is not what was logged: its row was changed", leaf.seq)


def _same(leaf: Callable[[], bytes], hashed: object) -> bool:
    try:
        return leaf_hash(leaf()) == hashed
    except (ValueError, TypeError, IntegrityError):
        return False
