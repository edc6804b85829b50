"""Figures of a period by day and folder, as a completeness report needs them.

Rule: one pass over the entries of the period in the order they were committed;
every entry is counted exactly once, by the state it has now.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, datetime

from collector.domain.custody import State
from collector.domain.mailbox import MailboxId
from collector.ledger.database import LedgerDatabase, Row
from collector.ledger.encoding import decode_instant, encode_instant
from collector.ledger.query import DayFigures
from collector.ledger.rows import mailbox_of

_ENTRIES = """
SELECT r.committed_at, r.internal_date, r.duplicate_of, r.quarantined, e.state,
    f.mailbox, f.folder,
    (SELECT MIN(p.proven_at) FROM proofs p WHERE p.seq = e.seq) AS proven_at
FROM receipts r JOIN entries e ON e.seq = r.seq JOIN folders f ON f.id = r.folder_id
WHERE r.committed_at >= ? AND r.committed_at < ? ORDER BY r.seq
"""
_COUNTED = {
    State.EXPUNGED.value: "expunged",
    State.VANISHED.value: "vanished",
    State.SUPERSEDED.value: "superseded",
    State.COMMITTED.value: "in_mailbox",
    State.CLEARED.value: "in_mailbox",
}


def day_figures(database: LedgerDatabase, since: datetime, before: datetime) -> list[DayFigures]:
    """Return the figures of every day and folder in [since, before) that archived anything."""
    days = _Days(since)
    with database.snapshot():
        period = [encode_instant(since), encode_instant(before)]
        for row in database.each_named(_ENTRIES, period):
            days.take(row)
    return sorted(days.figures.values(), key=lambda each: (each.day, str(each.mailbox)))


@dataclass(slots=True)
class _Days:
    since: datetime
    figures: dict[tuple[date, MailboxId], DayFigures] = field(default_factory=dict)
    _last_at: dict[MailboxId, datetime] = field(default_factory=dict)

    def take(self, row: Row) -> None:
        """Count one entry."""
        mailbox = mailbox_of(row["mailbox"], row["folder"])
        at = decode_instant(row["committed_at"])
        key = (at.date(), mailbox)
        before = self.figures.get(key) or DayFigures(*key)
        counted = _COUNTED[row["state"]]
        silence_s = (at - self._last_at.get(mailbox, self.since)).total_seconds()
        self._last_at[mailbox] = at
        changes = {
            "archived": before.archived + 1,
            "duplicates": before.duplicates + (row["duplicate_of"] is not None),
            "quarantined": before.quarantined + bool(row["quarantined"]),
            counted: getattr(before, counted) + 1,
            "exposed_s_max": _longer(before.exposed_s_max, _exposed_s(row)),
            "silence_s_max": _longer(before.silence_s_max, silence_s),
        }
        self.figures[key] = replace(before, **changes)


def _exposed_s(row: Row) -> float | None:
    if row["internal_date"] is None or row["proven_at"] is None:
        return None
    arrived, proven = decode_instant(row["internal_date"]), decode_instant(row["proven_at"])
    return max(0.0, (proven - arrived).total_seconds())


def _longer(one: float | None, other: float | None) -> float | None:
    known = [each for each in (one, other) if each is not None]
    return max(known) if known else None
