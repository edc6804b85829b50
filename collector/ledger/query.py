"""What can be asked of a ledger, and the answers.

Rule: values only; the SQL is in ``records`` and ``status``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

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
class Throttled:
    """What a mail server asked for.

    Attributes:
        throttle: what it limits, as in ``ThrottledError``.
        until_at: it wants to be left alone until then.
    """

    throttle: str
    until_at: datetime


@dataclass(frozen=True, slots=True)
class Downloaded:
    """How much a mailbox handed over in the hour that began at ``hour_at``."""

    hour_at: datetime
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Arrivals:
    """What arrived in a period, by INTERNALDATE.

    Attributes:
        stored_bytes: what it takes on the disk, compressed.
        first_at: when the first of it arrived, ``None`` when nothing did.
    """

    count: int
    size_bytes: int
    stored_bytes: int
    first_at: datetime | None


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
