"""What the listings of a mailbox say: what is due, set aside, lost, gone.

Rule: functions on an open database.  A message is gone when a complete listing
under its own UIDVALIDITY no longer shows it; nothing else is evidence.  A UID
means nothing any more once UIDVALIDITY changed, or UIDNEXT fell: then a mailbox
was restored and its UIDs are handed out a second time.

What is open (ours, and not known to have left the mailbox) lies in an index of
its own, so a poll costs what the mailbox holds and not what the archive holds.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import lru_cache

from collector.domain.custody import Settlement, State, Summary
from collector.domain.errors import MessageError
from collector.domain.mailbox import Horizon, Listing, MailboxId, MessageRef
from collector.domain.uids import contains
from collector.ledger import accounting
from collector.ledger.database import VALUE, LedgerDatabase, Row, portions, written
from collector.ledger.encoding import (
    decode_optional,
    decode_text,
    encode_instant,
    encode_summary,
    encode_text,
)
from collector.ledger.entries import is_open, standings
from collector.ledger.folders import ensure_folder, find_folder, folder_row
from collector.ledger.models import Entry, Folder, SetAside
from collector.ledger.query import Observation
from collector.ledger.readings import note_failure
from collector.ledger.rows import decode_standing
from collector.ledger.watched import Failure

PAUSE_FIRST = timedelta(minutes=1)
PAUSE_MAX = timedelta(days=1)
DOUBLINGS_MAX = 20
ABSENT_LISTINGS = 2
"""Complete listings in a row without a message before it counts as vanished: servers
leave UIDs out of single answers.  One is enough where the server says it was expunged."""

OPEN_ENTRIES = written(
    Entry.select(Entry.seq, Entry.uidvalidity, Entry.uid, Entry.absent_count).where(
        Entry.folder == VALUE, Entry.settled_at.is_null()
    )
)
"""Must be answered from the index ``entries_open`` alone; a test looks at the plan."""

_SET_ASIDE_UNTIL = written(
    SetAside.select(SetAside.uid, SetAside.next_try_at).where(
        SetAside.folder == VALUE,
        SetAside.uidvalidity == VALUE,
        SetAside.uid.between(VALUE, VALUE),
        SetAside.closed_at.is_null(),
    )
)
_CLOSE = written(
    SetAside.update({SetAside.closed_at: VALUE}).where(
        SetAside.folder == VALUE, SetAside.uidvalidity == VALUE, SetAside.uid == VALUE
    )
)
_COUNT_ABSENT = written(Entry.update({Entry.absent_count: VALUE}).where(Entry.seq == VALUE))


def due(database: LedgerDatabase, refs: Sequence[MessageRef], now: datetime) -> list[MessageRef]:
    """Return what is to be fetched: new messages first, then those set aside before."""
    folder = find_folder(database, refs[0].mailbox) if refs else None
    if folder is None:
        return list(refs)
    new: list[MessageRef] = []
    again: list[MessageRef] = []
    present, horizon = encode_instant(now), encode_instant(now + PAUSE_MAX)
    for portion in portions(refs):
        uids = [ref.uid for ref in portion]
        place = [folder, portion[0].uidvalidity]
        ours = {uid for (uid,) in database.tuples(_open_uids(len(uids)), [*place, *uids])}
        limits = [*place, min(uids), max(uids)]
        tried = dict(database.tuples(_SET_ASIDE_UNTIL, limits))
        for ref in portion:
            if ref.uid in ours:
                continue
            if ref.uid not in tried:
                new.append(ref)
            elif not present < tried[ref.uid] <= horizon:  # beyond it: the clock was set back
                again.append(ref)
    return new + again


@lru_cache(maxsize=512)
def _open_uids(count: int) -> str:
    return written(Entry.select(Entry.uid).where(*is_open(count)))


def set_aside(database: LedgerDatabase, ref: MessageRef, error: MessageError, now: datetime) -> int:
    """Note one more failed attempt and when to try again; return the number of attempts."""
    folder = ensure_folder(database, ref.mailbox)
    this = (
        (SetAside.folder == folder)
        & (SetAside.uidvalidity == ref.uidvalidity)
        & (SetAside.uid == ref.uid)
    )
    found = database.rows(SetAside.select().where(this))
    again = bool(found) and found[0]["closed_at"] is None
    attempts = found[0]["attempts"] + 1 if again else 1
    pause = min(PAUSE_FIRST * 2 ** min(attempts - 1, DOUBLINGS_MAX), PAUSE_MAX)
    changes = {
        "attempts": attempts,
        "what": encode_text(str(error)),
        "first_at": found[0]["first_at"] if again else encode_instant(now),
        "next_try_at": encode_instant(now + pause),
        "closed_at": None,
    }
    if found:
        SetAside.update(changes).where(this).execute(database)
    else:
        key = {"folder_id": folder, "uidvalidity": ref.uidvalidity, "uid": ref.uid}
        database.insert(SetAside, [{**key, **changes}])
    return attempts


def uidnext_fell(before: Row, listing: Listing) -> bool:
    """Say whether the mailbox was restored since the poll that left the row ``before``."""
    return (
        before["uidvalidity"] == listing.uidvalidity
        and bool(before["uidnext"] and listing.uidnext)
        and listing.uidnext < before["uidnext"]
    )


def observe(database: LedgerDatabase, listing: Listing, now: datetime) -> Observation:
    """Keep what a poll said of the folder itself; compare it with the poll before."""
    folder = ensure_folder(database, listing.mailbox)
    before = folder_row(database, listing.mailbox)
    assert before is not None, "it was just ensured"  # noqa: S101
    renumbered = before["uidvalidity"] not in {None, listing.uidvalidity}
    fell = uidnext_fell(before, listing)
    accounted_to = None if renumbered or fell else before["accounted_to"]
    given_out = max(listing.uidnext, listing.uids[-1] + 1 if listing.uids else 0)
    counts = listing.complete and given_out > 0
    modseq = (listing.modseq or None) if listing.complete else before["modseq"]
    account = accounting.account(database, before, listing, now, void=renumbered or fell)
    Folder.update(
        uidvalidity=listing.uidvalidity,
        uidnext=listing.uidnext or (None if renumbered else before["uidnext"]),
        accounted_to=max(given_out, accounted_to or 0) if counts else accounted_to,
        modseq=None if renumbered and not listing.complete else modseq,
        pending=account.pending,
        polled_at=encode_instant(now),
        waiting_count=len(listing.uids),
    ).where(Folder.id == folder).execute(database)
    accounting.forget_flagged(database, folder, listing)
    return Observation(
        uidvalidity_before=before["uidvalidity"] if renumbered else None,
        uidnext_before=before["uidnext"] if fell else None,
        lost=_close_lost(database, listing, folder, now, fell=fell),
        gap=tuple(gaps(listing, accounted_to)) if counts and accounted_to else (),
        gone=account.gone,
        polled_before=decode_optional(before["polled_at"]),
        error_before=decode_text(before["last_error"]),
        flagged=accounting.note_flagged(database, folder, listing.uidvalidity, listing.flagged),
    )


def horizon(database: LedgerDatabase, mailbox: MailboxId) -> Horizon | None:
    """Return up to where the server has told of changes; ``None`` when it never has."""
    row = folder_row(database, mailbox)
    if row is None or not (row["uidvalidity"] and row["modseq"]):
        return None
    return Horizon(row["uidvalidity"], row["modseq"])


def gaps(listing: Listing, start: int) -> Iterator[tuple[int, int]]:
    """Yield the ranges of UIDs from ``start`` to below UIDNEXT that a listing does not show.

    A server gives UIDs out in ascending order (RFC 9051, section 2.3.1.1).
    """
    for uid in listing.uids[bisect_left(listing.uids, start) :]:
        if uid > start:
            yield start, uid - 1
        start = max(start, uid + 1)
    if start < listing.uidnext:
        yield start, listing.uidnext - 1


def _close_lost(
    database: LedgerDatabase, listing: Listing, folder: int, now: datetime, *, fell: bool
) -> tuple[MessageRef, ...]:
    """Close what was set aside under a void reference, or is gone; return what is gone.

    A message under a void reference is not lost: it comes again under a new one.
    """
    rows = database.rows(
        SetAside.select(SetAside.uidvalidity, SetAside.uid)
        .where(SetAside.folder == folder, SetAside.closed_at.is_null())
        .order_by(SetAside.uid)
    )
    listed = frozenset(listing.uids if rows else ())
    void, lost = [], []
    for uidvalidity, uid in [(row["uidvalidity"], row["uid"]) for row in rows]:
        if fell or uidvalidity != listing.uidvalidity:
            void.append((uidvalidity, uid))
        elif listing.complete and uid not in listed:
            lost.append((uidvalidity, uid))
    closed_at = encode_instant(now)
    database.each(_CLOSE, ((closed_at, folder, *key) for key in [*void, *lost]))
    return tuple(MessageRef(listing.mailbox, *key) for key in lost)


def unsettled(
    database: LedgerDatabase, listing: Listing, now: datetime
) -> tuple[list[Settlement], list[tuple[int, int]]]:
    """Hold what is open against a listing; to be called once for each.

    Returns:
        What is settled by it, by ``seq``; and for how many listings in a row an
        entry was absent, as (count, ``seq``), where that changes.
    """
    folder = folder_row(database, listing.mailbox)
    if folder is None:
        return [], []
    fell = uidnext_fell(folder, listing)
    listed = frozenset(listing.uids)
    void: list[int] = []
    absent: dict[int, int] = {}
    counts: list[tuple[int, int]] = []
    for seq, uidvalidity, uid, absent_count in database.tuples(OPEN_ENTRIES, [folder["id"]]):
        if fell or uidvalidity != listing.uidvalidity:
            void.append(seq)
        elif uid in listed:
            if absent_count:
                counts.append((0, seq))
        elif listing.complete:
            absent[seq] = absent_count + 1
    settlements = []
    told = listing.vanished or ()
    for portion in portions([*void, *absent]):
        for row in database.named(standings(len(portion)), portion):
            seq = row["seq"]
            before, cleared_at = decode_standing(row)
            listings = ABSENT_LISTINGS if contains(told, row["uid"]) else absent.get(seq, 0)
            state = _settled_state(before, listings) if seq in absent else State.SUPERSEDED
            if state is not None:
                settlements.append(Settlement(seq, state, cleared_at, now))
            else:
                counts.append((absent[seq], seq))
    settlements.sort(key=lambda each: each.seq)
    return settlements, counts


def _settled_state(before: State, absent_count: int) -> State | None:
    if before is State.CLEARED:
        return State.EXPUNGED
    return State.VANISHED if absent_count >= ABSENT_LISTINGS else None


def count_absent(database: LedgerDatabase, counts: Sequence[tuple[int, int]]) -> None:
    """Write down for how many listings in a row these entries were absent."""
    database.each(_COUNT_ABSENT, counts)


def note_cycle(
    database: LedgerDatabase, mailbox: MailboxId, at: datetime, ended: Summary | Failure
) -> None:
    """Keep how the last cycle ended; the figures of the last success stay."""
    failure = ended if isinstance(ended, Failure) else None
    changes = {
        Folder.last_cycle_at: encode_instant(at),
        Folder.last_error: encode_text(failure.text if failure else ""),
    }
    if isinstance(ended, Summary):
        changes[Folder.last_summary] = encode_summary(ended)
    folder = ensure_folder(database, mailbox)
    Folder.update(changes).where(Folder.id == folder).execute(database)
    note_failure(database, str(mailbox), at, failure)
