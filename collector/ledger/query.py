"""What can be asked of a ledger, and the answers.

Rule: values only; the SQL is in ``records`` and ``status``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum
from typing import Any

from collector.domain.custody import LedgerEntry, State, Summary
from collector.domain.journal import Kind, Unwrapped
from collector.domain.mailbox import MailboxId, MessageRef


@dataclass(frozen=True, slots=True)
class Filter:
    """Which entries are wanted; ``None`` means no condition, all others must hold.

    Attributes:
        mailbox, folder: exactly these names.
        seq_from, seq_to: both included.
        since, before: arrived in [since, before), by INTERNALDATE, by the time of the
            fetch when the server did not tell it.
        sender, recipient, subject: contained in it, in whatever case; a recipient of
            any report, those inside included.
        message_id: exactly this Message-ID.
        digest: the first hexadecimal digits.
        kind: as in ``Unwrapped``.
        limit: at most so many entries, the lowest ``seq`` first.
    """

    mailbox: str | None = None
    folder: str | None = None
    seq_from: int | None = None
    seq_to: int | None = None
    since: datetime | None = None
    before: datetime | None = None
    sender: str | None = None
    recipient: str | None = None
    subject: str | None = None
    message_id: str | None = None
    digest: str | None = None
    kind: Kind | None = None
    state: State | None = None
    quarantined: bool | None = None
    limit: int | None = None


EVERYTHING = Filter()


@dataclass(frozen=True, slots=True)
class Record:
    """An entry and what its message turned out to be."""

    entry: LedgerEntry
    unwrapped: Unwrapped


@dataclass(frozen=True, slots=True)
class Observation:
    """What a listing changed.

    Attributes:
        uidvalidity_before: the last one, when it was another.
        uidnext_before: the last one, when UIDNEXT fell under the same UIDVALIDITY.
        lost: set aside before, and no longer listed; told once.
        gap: UIDs that were given out since the last complete listing and never listed,
            as (first, last); told once.
    """

    uidvalidity_before: int | None
    uidnext_before: int | None
    lost: tuple[MessageRef, ...]
    gap: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class SetAsideMessage:
    """A message the server does not hand over.

    Attributes:
        what: what the last attempt failed with.
    """

    ref: MessageRef
    attempts: int
    what: str
    first_at: datetime
    next_try_at: datetime


@dataclass(frozen=True, slots=True)
class DayFigures:
    """What became of the messages that one folder had archived on one day (UTC).

    Every entry is counted once among ``expunged`` to ``in_mailbox``; together they are
    ``archived``.

    Attributes:
        duplicates, quarantined: of those archived.
        in_mailbox: not known to have left the mailbox.
        exposed_s_max: longest time from arrival (INTERNALDATE) to the first proof, of
            those that have both.
        silence_s_max: longest time without an arrival that ended on this day, in this
            folder, within the period asked for.
    """

    day: date
    mailbox: MailboxId
    archived: int = 0
    duplicates: int = 0
    quarantined: int = 0
    expunged: int = 0
    vanished: int = 0
    superseded: int = 0
    in_mailbox: int = 0
    exposed_s_max: float | None = None
    silence_s_max: float | None = None


@dataclass(frozen=True, slots=True)
class LogProblem:
    """One thing about the log that is not as it was recorded.

    Attributes:
        seq: the entry concerned, ``None`` when it is not one entry.
    """

    what: str
    seq: int | None = None


@dataclass(frozen=True, slots=True)
class MailboxStatus:
    """How one folder of a mailbox stands.

    Attributes:
        waiting_count: messages the last listing showed.
        oldest_waiting_at: when the oldest message became ours that is not known to
            have left the mailbox.
        last_error: of the last cycle; empty when it succeeded.
        last_summary: of the last cycle that succeeded.
        state_counts: entries in each state that occurs.
    """

    mailbox: MailboxId
    waiting_count: int
    oldest_waiting_at: datetime | None
    polled_at: datetime | None
    last_cycle_at: datetime | None
    last_summary: Summary | None
    last_error: str
    last_proof_at: datetime | None
    entries_count: int
    quarantined_count: int
    set_aside_count: int
    state_counts: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class TrafficHour:
    """What one folder's messages of one hour came to.

    Attributes:
        hour: its beginning, UTC.
        arrived_count: messages that arrived in it; all other figures are of those that
            were taken over in it.
        raw_bytes, stored_bytes: before and after compression; a duplicate takes nothing.
    """

    mailbox: MailboxId
    hour: datetime
    arrived_count: int
    collected_count: int
    quarantined_count: int
    unverified_count: int
    conflicting_count: int
    raw_bytes: int
    stored_bytes: int


@dataclass(frozen=True, slots=True)
class TrafficTotal:
    """What one folder's messages came to since the first.

    Attributes:
        first_at: the hour the first arrived, or was taken over.
    """

    mailbox: MailboxId
    first_at: datetime
    last_arrival_at: datetime | None
    raw_bytes: int


@dataclass(frozen=True, slots=True)
class Exposure:
    """How long messages lay in a mailbox before they were proven, of the latest proofs.

    Attributes:
        seconds: from arrival (INTERNALDATE) to the first proof, ascending.
    """

    mailbox: MailboxId
    seconds: tuple[float, ...]

    def quantile(self, share: float) -> float:
        """Return what so large a share of them did not exceed (nearest rank)."""
        rank = max(1, math.ceil(share * len(self.seconds)))
        return self.seconds[rank - 1]


@dataclass(frozen=True, slots=True)
class Reading:
    """What was last seen of something: a quota, a certificate, a failure.

    Attributes:
        subject: what it is about (``journal:INBOX``).
        name: what was looked at (``quota``).
        facts: JSON values.
    """

    subject: str
    name: str
    at: datetime
    facts: dict[str, Any]


class FailureKind(Enum):
    """Why a cycle could not be run."""

    LOGIN = "login"
    THROTTLED = "throttled"
    CONFIGURATION = "configuration"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True)
class Failure:
    """How a cycle failed.

    Attributes:
        text: the error, with its hint.
        pause_s: until it is tried again.
        oldest_waiting_s: age of the oldest message that was still to be collected.
    """

    kind: FailureKind
    text: str
    pause_s: float
    oldest_waiting_s: float | None = None
