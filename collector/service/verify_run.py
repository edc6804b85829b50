"""One verification under way: counts, moves the bar, saves how far it is, stops.

Rule: what an interrupted one has read is not read again; what it found is told again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from collector.custody import resumption
from collector.custody.audit import Audit, Follower, Problem
from collector.custody.resumption import Position
from collector.custody.watch import utc_now
from collector.domain.custody import LedgerEntry
from collector.service.selection import Wanted, chosen
from collector.store.layout import is_sealed

SAVE_S = 10.0
"""Between two notes of how far a full verification is."""

STORED_STEP = 500

Move = Callable[[int, int | None], None]


class StoppedError(Exception):
    """Somebody wants the verification to end now."""


class Run(Follower):
    """Follows an audit."""

    def __init__(
        self,
        root: Path,
        position: Position,
        wanted: Wanted,
        total: int,
        move: Move,
        stop: Callable[[], bool],
    ) -> None:
        self._root, self._position, self._wanted = root, position, wanted
        self._total, self._move, self._stop = total, move, stop
        self._done = position.entries_count if wanted.full else 0
        self._stored = 0
        self._save_at_s = time.monotonic() + SAVE_S
        self.entries = position.entries_count if wanted.full else 0

    def audit(self, audit: Audit, problems: list[Problem]) -> None:
        """Put everything that is found into ``problems``."""
        found = self._position.problems
        known = set(found)
        problems.extend(found)
        problems.extend(audit.without_bodies())
        if not self._wanted.full:
            entries = chosen(audit.ledger, self._wanted) if self._wanted.bodies else ()
            problems.extend(audit.messages(entries))
            return
        problems.extend(audit.foreign_files())
        remaining = audit.ledger.entries(self._position.seq + 1, readable=True)
        walked = frozenset(self._position.segments)
        for steps in (audit.messages(remaining), audit.segments(walked)):
            for problem in steps:
                if problem not in known:  # a segment that was half scanned is scanned again
                    known.add(problem)
                    found.append(problem)
                    problems.append(problem)

    def close(self, *, finished: bool) -> None:
        """Keep how far it is, or forget it when it is done."""
        if self._wanted.full:
            with suppress(OSError):  # a read-only copy
                resumption.clear(self._root) if finished else self._save()

    def leaves(self, count: int) -> None:
        """So many more leaves were compared."""
        self._step(count)

    def otherwise(self, entry: LedgerEntry) -> None:
        """Its index tells something else, for a reason that was logged."""
        self._position.otherwise.add(entry.seq)

    def uncompared(self, entry: LedgerEntry) -> None:
        """Its index could not be compared."""
        self._position.uncompared.add(entry.seq)

    def reread(self, entries: Sequence[LedgerEntry]) -> None:
        """The bytes of these were compared."""
        self.entries += len(entries)
        if self._wanted.full:
            self._position.seq = entries[-1].seq
            self._position.entries_count = self.entries
        self._step(len(entries))

    def stored(self, count: int) -> None:
        """So many more stored messages were compared."""
        self._stored += count
        if self._stored >= STORED_STEP:
            self._step(self._stored)
            self._stored = 0

    def scanned(self, segment: str) -> None:
        """All of a segment was; one that is still open may grow, and is walked again."""
        if is_sealed(segment):
            self._position.segments.append(segment)
        self._step(self._stored)
        self._stored = 0

    def _step(self, count: int) -> None:
        self._done += count
        self._move(min(self._done, self._total), self._total)
        if self._stop():
            raise StoppedError
        if self._wanted.full and time.monotonic() >= self._save_at_s:
            self._save_at_s = time.monotonic() + SAVE_S
            with suppress(OSError):
                self._save()

    def _save(self) -> None:
        resumption.save(self._root, self._position, utc_now())
