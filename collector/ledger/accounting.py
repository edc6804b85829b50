"""Accounts for every message a listing showed: it is archived, waits, or is gone.

    seen = archived + gone + void + waiting

Rule: functions on an open database, inside the transaction of the poll.  ``Pending`` is
what a listing showed and the ledger did not hold then; what of it is neither listed nor
ours at the next complete listing was deleted by somebody else before it was collected.

What settles leaves ``Pending`` in the transaction that settles it, so a crash between
two polls never makes an archived message look lost.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from collector.domain import uids
from collector.domain.mailbox import Flagged, Listing
from collector.domain.uids import UidRange, ranges_of, subtract
from collector.ledger.account_models import DayCount, FlaggedMessage
from collector.ledger.database import VALUE, LedgerDatabase, Row, portions, values, written
from collector.ledger.encoding import encode_instant
from collector.ledger.models import Entry, Folder

RANGES_MAX = 10_000
"""Of ``Pending``, in one row; what lies beyond is remembered as one range it lies in."""
FLAGGED_MAX = 10_000
"""Messages of one folder whose flags are remembered."""

OPEN_UIDS = written(
    Entry.select(Entry.uid)
    .where(Entry.folder == VALUE, Entry.uidvalidity == VALUE, Entry.settled_at.is_null())
    .order_by(Entry.uid)
)
"""Must be answered from the index ``entries_open`` alone; a test looks at the plan."""

_PENDING = written(Folder.select(Folder.uidvalidity, Folder.pending).where(Folder.id == VALUE))
_SET_PENDING = written(Folder.update({Folder.pending: VALUE}).where(Folder.id == VALUE))
_ADD = written(
    DayCount.update(
        {
            DayCount.seen_count: DayCount.seen_count + VALUE,
            DayCount.gone_count: DayCount.gone_count + VALUE,
            DayCount.void_count: DayCount.void_count + VALUE,
        }
    ).where(DayCount.folder == VALUE, DayCount.day == VALUE)
)
_DAY = written(DayCount.select(DayCount.day).where(DayCount.folder == VALUE, DayCount.day == VALUE))


@dataclass(frozen=True, slots=True)
class Pending:
    """Messages that were listed and not archived.

    Attributes:
        exact: all of them, at most ``RANGES_MAX`` ranges.
        beyond: where the rest lies, when there are more.
    """

    exact: tuple[UidRange, ...] = ()
    beyond: tuple[UidRange, ...] = ()

    @classmethod
    def of(cls, ranges: Iterable[UidRange]) -> Pending:
        """Return these, cut where there are too many."""
        remaining = iter(ranges)
        exact = tuple(islice(remaining, RANGES_MAX))
        rest = list(remaining)
        return cls(exact, ((rest[0][0], rest[-1][1]),) if rest else ())

    @classmethod
    def decode(cls, text: str) -> Pending:
        """The opposite of ``encode``."""
        exact, _, beyond = text.partition(";")
        return cls(tuple(uids.decode_uids(exact)), tuple(uids.decode_uids(beyond)))

    def encode(self) -> str:
        """Return the text of the column: ``1:3,7`` or ``1:3,7;9:400``."""
        exact, beyond = uids.encode_uids(self.exact), uids.encode_uids(self.beyond)
        return f"{exact};{beyond}" if beyond else exact

    def without(self, ours: Iterable[UidRange]) -> Pending:
        """Return what remains when these are archived or settled."""
        return Pending(tuple(subtract(self.exact, ours)), self.beyond)


@dataclass(frozen=True, slots=True)
class Account:
    """What a listing means for the account.

    Attributes:
        pending: for the row of the folder.
        gone: listed before, never archived, and listed no more.
    """

    pending: str
    gone: tuple[UidRange, ...]


def account(
    database: LedgerDatabase, before: Row, listing: Listing, now: datetime, *, void: bool
) -> Account:
    """Hold a listing against what was pending, and add to the counts of the day.

    Args:
        before: the row of the folder as the last poll left it.
        void: UIDs from before mean nothing any more.
    """
    known = Pending.decode(before["pending"])
    voided = uids.count(known.exact) if void else 0
    known = Pending() if void else known
    ours = open_uids(database, before["id"], listing.uidvalidity)
    waiting = subtract(ranges_of(listing.uids), ranges_of(ours))
    gone: tuple[UidRange, ...] = ()
    if listing.complete:
        unlisted = subtract(known.exact, ranges_of(listing.uids))
        gone = tuple(subtract(unlisted, ranges_of(ours)))
    else:
        waiting = uids.union(subtract(known.exact, ranges_of(ours)), waiting)
    now_waiting = list(waiting)
    seen = uids.count(subtract(now_waiting, uids.union(known.exact, known.beyond)))
    if seen or gone or voided:
        _add_day(database, before["id"], now, (seen, uids.count(gone), voided))
    return Account(Pending.of(now_waiting).encode(), gone)


def open_uids(database: LedgerDatabase, folder: int, uidvalidity: int) -> array[int]:
    """Return the UIDs of what is ours and not known to have left the mailbox, ascending."""
    return array("Q", (uid for (uid,) in database.tuples(OPEN_UIDS, [folder, uidvalidity])))


def forget_pending(
    database: LedgerDatabase, settled: Mapping[tuple[int, int], Sequence[int]]
) -> None:
    """Take settled messages, UIDs by (folder, UIDVALIDITY), out of what is pending."""
    for (folder, uidvalidity), settled_uids in settled.items():
        (row,) = database.named(_PENDING, [folder])
        if not row["pending"] or row["uidvalidity"] != uidvalidity:
            continue
        left = Pending.decode(row["pending"]).without(ranges_of(sorted(set(settled_uids))))
        database.each(_SET_PENDING, [(left.encode(), folder)])


def _add_day(database: LedgerDatabase, folder: int, at: datetime, counts: Sequence[int]) -> None:
    day = encode_instant(at)[:10]
    if not database.named(_DAY, [folder, day]):
        zero = {"seen_count": 0, "gone_count": 0, "void_count": 0}
        database.insert(DayCount, [{"folder_id": folder, "day": day, **zero}])
    database.each(_ADD, [(*counts, folder, day)])


def assume_seen(database: LedgerDatabase) -> None:
    """Count as seen what is archived, day by day: a ledger made anew knows no listing."""
    columns = "folder_id, day, seen_count, gone_count, void_count"
    database.each(
        f"INSERT INTO day_counts ({columns}) "  # noqa: S608 - our own names
        "SELECT folder_id, SUBSTR(committed_at, 1, 10), COUNT(*), 0, 0 FROM receipts "
        "GROUP BY folder_id, SUBSTR(committed_at, 1, 10)",
        [()],
    )


def note_flagged(
    database: LedgerDatabase, folder: int, uidvalidity: int, flagged: Sequence[Flagged]
) -> tuple[Flagged, ...]:
    r"""Return those not told of before, and remember them.

    ``\Deleted`` on a message whose deletion we asked for is our own flag.
    """
    new: list[Flagged] = []
    (known_count,) = next(
        database.tuples("SELECT COUNT(*) FROM flagged_messages WHERE folder_id = ?", [folder])
    )
    for portion in portions(flagged):
        here = [folder, uidvalidity, *(each.uid for each in portion)]
        asked = {uid for (uid,) in database.tuples(_asked_uids(len(portion)), here)}
        told = {uid for (uid,) in database.tuples(_told_uids(len(portion)), here)}
        new += [
            each
            for each in portion
            if each.uid not in told and not (each.uid in asked and each.flags == ("deleted",))
        ]
    new = new[: max(0, FLAGGED_MAX - known_count)]
    rows = [{"folder_id": folder, "uidvalidity": uidvalidity, "uid": each.uid} for each in new]
    database.insert(FlaggedMessage, rows)
    return tuple(new)


def forget_flagged(database: LedgerDatabase, folder: int, listing: Listing) -> None:
    """Forget flags of messages that a complete listing no longer shows."""
    query = FlaggedMessage.select(FlaggedMessage.uidvalidity, FlaggedMessage.uid)
    rows = database.rows(query.where(FlaggedMessage.folder == folder))
    if not rows or not listing.complete:
        return
    listed = list(ranges_of(listing.uids))
    over = [
        (folder, row["uidvalidity"], row["uid"])
        for row in rows
        if row["uidvalidity"] != listing.uidvalidity or not uids.contains(listed, row["uid"])
    ]
    database.each(
        "DELETE FROM flagged_messages WHERE folder_id = ? AND uidvalidity = ? AND uid = ?", over
    )


def _asked_uids(count: int) -> str:
    return written(
        Entry.select(Entry.uid).where(
            Entry.folder == VALUE,
            Entry.uidvalidity == VALUE,
            Entry.uid.in_(values(count)),
            Entry.settled_at.is_null(),
            Entry.cleared_at.is_null(is_null=False),
        )
    )


def _told_uids(count: int) -> str:
    return written(
        FlaggedMessage.select(FlaggedMessage.uid).where(
            FlaggedMessage.folder == VALUE,
            FlaggedMessage.uidvalidity == VALUE,
            FlaggedMessage.uid.in_(values(count)),
        )
    )
