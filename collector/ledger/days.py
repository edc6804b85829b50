"""Figures of a period by day and folder, as a completeness report needs them.

Rule: one pass over the entries since the period began, in the order they were committed,
inside one snapshot; every entry is counted exactly once, by the state it has now.  What
is counted nowhere is told as ``unexplained``, never left out.
"""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from collector.domain import uids
from collector.domain.custody import State
from collector.domain.mailbox import MailboxId
from collector.ledger import accounting
from collector.ledger.database import LedgerDatabase, Row
from collector.ledger.encoding import decode_instant, encode_instant
from collector.ledger.exposures import exposed_s, nearest_rank
from collector.ledger.models import Folder
from collector.ledger.query import Balance, DayFigures, Exposure, Period, Silence
from collector.ledger.rows import mailbox_of

_PROVEN_AT = "(SELECT MIN(p.proven_at) FROM proofs p WHERE p.seq = e.seq) AS proven_at"
_ENTRIES = f"""
SELECT r.committed_at, r.internal_date, r.duplicate_of, r.quarantined, e.state,
    r.folder_id, {_PROVEN_AT}
FROM receipts r JOIN entries e ON e.seq = r.seq WHERE r.committed_at >= ? ORDER BY r.seq
"""  # noqa: S608 - our own text
_NEWEST = f"""
SELECT r.internal_date, {_PROVEN_AT} FROM receipts r JOIN entries e ON e.seq = r.seq
WHERE e.seq > (SELECT COALESCE(MAX(seq), 0) FROM entries) - ? AND r.committed_at >= ?
"""  # noqa: S608
_COUNTS = "SELECT folder_id, day, seen_count, gone_count, void_count FROM day_counts"
_SET_ASIDE = (
    "SELECT folder_id, SUBSTR(first_at, 1, 10) AS day, COUNT(*) AS set_aside FROM set_aside "
    "WHERE first_at >= ? AND first_at < ? GROUP BY folder_id, SUBSTR(first_at, 1, 10)"
)
_ARCHIVED = "SELECT folder_id, SUM(entries_count) AS archived FROM state_counts GROUP BY folder_id"
_COUNTED = {
    State.EXPUNGED.value: "expunged",
    State.VANISHED.value: "vanished",
    State.SUPERSEDED.value: "superseded",
    State.COMMITTED.value: "in_mailbox",
    State.CLEARED.value: "in_mailbox",
}

Key = tuple[str, int]
"""Day (ISO 8601) and folder."""
DAY_CHARS = 10


def period(database: LedgerDatabase, since: datetime, before: datetime, now: datetime) -> Period:
    """Return the figures of every day and folder in [since, before) with anything to tell.

    Args:
        since, before: midnights (UTC).
        now: no silence lasts longer than until then.
    """
    with database.snapshot():
        pass_ = _Pass(database, since, before, now)
        for row in database.each_named(_ENTRIES, [encode_instant(since)]):
            pass_.take(row)
        return pass_.told()


def exposure(database: LedgerDatabase, since: datetime, most: int) -> Exposure:
    """Return the exposure of entries committed since then, of the last ``most``."""
    rows = database.named(_NEWEST, [most, encode_instant(since)])
    return _exposure([each for row in rows if (each := exposed_s(row)) is not None])


@dataclass(slots=True)
class _Folder:
    """What is known of one folder."""

    mailbox: MailboxId
    silent_since: datetime
    archived_before: int = 0
    archived_in: int = 0
    archived_later: int = 0
    silences: list[tuple[datetime, datetime]] = field(default_factory=list)
    """The one the period began with, and the longest behind it."""


class _Pass:
    """One reading of the ledger."""

    def __init__(
        self, database: LedgerDatabase, since: datetime, before: datetime, now: datetime
    ) -> None:
        self._database = database
        self._since, self._before, self._now = since, before, now
        self._rows = database.rows(Folder.select().order_by(Folder.mailbox, Folder.folder))
        self._folders = {
            row["id"]: _Folder(mailbox_of(row["mailbox"], row["folder"]), since)
            for row in self._rows
        }
        self._figures: dict[Key, Counter[str]] = defaultdict(Counter)
        self._exposed: dict[Key, array[float]] = defaultdict(lambda: array("d"))

    def take(self, row: Row) -> None:
        """Count one entry."""
        folder = self._folders[row["folder_id"]]
        at = decode_instant(row["committed_at"])
        if at >= self._before:
            folder.archived_later += 1
            return
        folder.archived_in += 1
        self._heard(folder, at)
        key = row["committed_at"][:DAY_CHARS], row["folder_id"]
        figures = self._figures[key]
        figures["archived"] += 1
        figures[_COUNTED[row["state"]]] += 1
        if row["duplicate_of"] is not None:
            figures["duplicates"] += 1
        if row["quarantined"]:
            figures["quarantined"] += 1
        if (each_s := exposed_s(row)) is not None:
            self._exposed[key].append(each_s)

    def _heard(self, folder: _Folder, at: datetime) -> None:
        """Note how long no message had come."""
        since, folder.silent_since = folder.silent_since, at
        silences = folder.silences
        if len(silences) < 2:
            silences.append((since, at))
        elif at - since > silences[1][1] - silences[1][0]:
            silences[1] = since, at

    def told(self) -> Period:
        """Return what was counted, balanced."""
        self._set_aside()
        whole = array("d")
        for exposed in self._exposed.values():
            whole.extend(exposed)
        balances = self._balances()
        silences = [each for folder in self._folders.values() for each in self._silence(folder)]
        days = [
            DayFigures(
                day=date.fromisoformat(day),
                mailbox=self._folders[folder].mailbox,
                exposure=_exposure(self._exposed.get((day, folder), ())),
                **figures,
            )
            for (day, folder), figures in self._figures.items()
        ]
        days.sort(key=lambda each: (each.day, str(each.mailbox)))
        return Period(days, balances, silences, _exposure(whole))

    def _silence(self, folder: _Folder) -> Iterator[Silence]:
        """Yield the longest; what lies before the first message of all is none."""
        self._heard(folder, max(folder.silent_since, min(self._before, self._now)))
        known = folder.silences[0 if folder.archived_before else 1 :]
        told = (Silence(folder.mailbox, *each) for each in known)
        yield from sorted(told, key=lambda each: -each.seconds)[:1]

    def _set_aside(self) -> None:
        limits = [encode_instant(self._since), encode_instant(self._before)]
        for row in self._database.named(_SET_ASIDE, limits):
            self._figures[row["day"], row["folder_id"]]["set_aside"] = row["set_aside"]

    def _balances(self) -> list[Balance]:
        """Carry what waits from day to day; compare the end with what waits now."""
        sums = self._seen()
        archived = {
            row["folder_id"]: row["archived"] for row in self._database.named(_ARCHIVED, [])
        }
        balances = []
        for row in self._rows:
            folder, known = row["id"], self._folders[row["id"]]
            (earlier, later) = sums[folder]
            total = int(archived.get(folder) or 0)
            known.archived_before = total - known.archived_in - known.archived_later
            before = earlier - known.archived_before
            waiting = before
            for key in sorted(key for key in self._figures if key[1] == folder):
                day = self._figures[key]
                waiting += day["seen"] - day["gone"] - day["void"] - day["archived"]
                day["waiting"] = waiting
            now = waiting + later - known.archived_later
            there = self._waiting_now(row)
            balances.append(Balance(known.mailbox, before, waiting, there, now - there))
        return balances

    def _seen(self) -> dict[int, tuple[int, int]]:
        """Note what was seen by day; return the net sums before and after the period."""
        sums: dict[int, tuple[int, int]] = defaultdict(lambda: (0, 0))
        first, end = (encode_instant(each)[:DAY_CHARS] for each in (self._since, self._before))
        for row in self._database.named(_COUNTS, []):
            day, folder = row["day"], row["folder_id"]
            seen, gone, void = (row[f"{name}_count"] for name in ("seen", "gone", "void"))
            earlier, later = sums[folder]
            net = seen - gone - void
            if day < first:
                sums[folder] = earlier + net, later
            elif day >= end:
                sums[folder] = earlier, later + net
            else:
                self._figures[day, folder].update(seen=seen, gone=gone, void=void)
        return sums

    def _waiting_now(self, row: Row) -> int:
        """Return how many messages were listed last and are not ours."""
        if row["uidvalidity"] is None or not row["pending"]:
            return 0
        pending = accounting.Pending.decode(row["pending"])
        ours = accounting.open_uids(self._database, row["id"], row["uidvalidity"])
        return uids.count(pending.without(uids.ranges_of(ours)).exact)


def _exposure(seconds: Sequence[float]) -> Exposure:
    """Return count, median, 99th percentile (nearest rank) and maximum."""
    if not seconds:
        return Exposure()
    ordered = sorted(seconds)

    def at_least(share: float) -> float:
        return round(nearest_rank(ordered, share), 3)

    return Exposure(len(ordered), at_least(0.5), at_least(0.99), at_least(1.0))
