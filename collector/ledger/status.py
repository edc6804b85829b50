"""How the mailboxes stand, what happened, and what was set aside.

Rule: a fixed number of queries; none reads more than what is open, quarantined,
set aside or asked for, however large the ledger is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from peewee import fn

from collector.domain import evidence
from collector.domain.custody import State
from collector.domain.mailbox import MailboxId, MessageRef
from collector.ledger.database import LedgerDatabase
from collector.ledger.encoding import (
    decode_instant,
    decode_optional,
    decode_summary,
    decode_text,
    encode_instant,
    encode_text,
)
from collector.ledger.folders import is_mailbox
from collector.ledger.log import decode_event
from collector.ledger.models import Entry, Event, Folder, Receipt, SetAside, StateCount
from collector.ledger.query import MailboxStatus, SetAsideMessage
from collector.ledger.rows import mailbox_of


def mailbox_status(database: LedgerDatabase) -> list[MailboxStatus]:
    """Return one line for every folder that was ever polled or collected, by name."""
    states = _state_counts(database)
    oldest = _oldest_waiting(database)
    quarantined = _count(database, Receipt, Receipt.quarantined == True)  # noqa: E712 - SQL
    set_aside = _count(database, SetAside, SetAside.closed_at.is_null())
    return [
        MailboxStatus(
            mailbox=mailbox_of(row["mailbox"], row["folder"]),
            waiting_count=row["waiting_count"],
            oldest_waiting_at=oldest.get(row["id"]),
            polled_at=decode_optional(row["polled_at"]),
            last_cycle_at=decode_optional(row["last_cycle_at"]),
            last_summary=decode_summary(row["last_summary"]),
            last_error=decode_text(row["last_error"]),
            last_proof_at=decode_optional(row["last_proof_at"]),
            entries_count=sum(states[row["id"]].values()),
            quarantined_count=quarantined.get(row["id"], 0),
            set_aside_count=set_aside.get(row["id"], 0),
            state_counts=tuple(
                (state.value, states[row["id"]][state.value])
                for state in State
                if states[row["id"]].get(state.value)
            ),
        )
        for row in database.rows(Folder.select().order_by(Folder.mailbox, Folder.folder))
    ]


def _state_counts(database: LedgerDatabase) -> dict[int, dict[str, int]]:
    counts: dict[int, dict[str, int]] = defaultdict(dict)
    for row in database.rows(StateCount.select()):
        counts[row["folder_id"]][row["state"]] = row["entries_count"]
    return counts


def _oldest_waiting(database: LedgerDatabase) -> dict[int, datetime]:
    """Return when the lowest open entry of every folder was committed."""
    lowest = (
        Entry.select(fn.MIN(Entry.seq)).where(Entry.settled_at.is_null()).group_by(Entry.folder)
    )
    query = Receipt.select(Receipt.folder, Receipt.committed_at).where(Receipt.seq.in_(lowest))
    return {row["folder_id"]: decode_instant(row["committed_at"]) for row in database.rows(query)}


def _count(
    database: LedgerDatabase, table: type[Receipt | SetAside], wanted: object
) -> dict[int, int]:
    counted = fn.COUNT(table.folder).alias("count")
    query = table.select(table.folder, counted).where(wanted).group_by(table.folder)
    return {row["folder_id"]: row["count"] for row in database.rows(query)}


def set_aside_count(database: LedgerDatabase, mailbox: MailboxId | None) -> int:
    """Return how many messages are set aside, in one folder or in all."""
    query = SetAside.select(fn.COUNT(SetAside.uid).alias("count")).join(
        Folder, on=(Folder.id == SetAside.folder)
    )
    wanted = [] if mailbox is None else [is_mailbox(mailbox)]
    return int(database.rows(query.where(SetAside.closed_at.is_null(), *wanted))[0]["count"])


def set_aside_messages(database: LedgerDatabase, limit: int) -> list[SetAsideMessage]:
    """Return what is set aside, tried most often first."""
    query = (
        SetAside.select(
            Folder.mailbox,
            Folder.folder,
            SetAside.uidvalidity,
            SetAside.uid,
            SetAside.attempts,
            SetAside.what,
            SetAside.first_at,
            SetAside.next_try_at,
        )
        .join(Folder, on=(Folder.id == SetAside.folder))
        .where(SetAside.closed_at.is_null())
        .order_by(SetAside.attempts.desc(), SetAside.first_at, SetAside.uid)
        .limit(limit)
    )
    return [
        SetAsideMessage(
            ref=MessageRef(
                mailbox_of(row["mailbox"], row["folder"]), row["uidvalidity"], row["uid"]
            ),
            attempts=row["attempts"],
            what=decode_text(row["what"]),
            first_at=decode_instant(row["first_at"]),
            next_try_at=decode_instant(row["next_try_at"]),
        )
        for row in database.rows(query)
    ]


def events(
    database: LedgerDatabase,
    names: Sequence[str],
    since: datetime | None,
    before: datetime | None,
    limit: int,
) -> list[evidence.Event]:
    """Return events in [since, before), newest first."""
    query = Event.select().order_by(Event.at.desc(), Event.id.desc()).limit(limit)
    if names:
        query = query.where(Event.name.in_([encode_text(name) for name in names]))
    if since is not None:
        query = query.where(Event.at >= encode_instant(since))
    if before is not None:
        query = query.where(Event.at < encode_instant(before))
    return [decode_event(row) for row in database.rows(query)]
