"""What can be asked of a ledger, and the answers.

Rule: values only; the SQL is in ``records`` and ``status``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from collector.domain.blob import Digest
from collector.domain.custody import LedgerEntry, State, Summary
from collector.domain.journal import Kind, Unwrapped
from collector.domain.mailbox import Flagged, MailboxId, MessageRef
from collector.domain.uids import UidRange


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
        gap: UIDs that were given out since the last complete listing and never listed;
            told once.
        gone: UIDs that were listed, never archived, and are listed no more; told once.
        polled_before: the poll before, ``None`` for the first.
        error_before: of the last cycle; empty when it succeeded.
        flagged: messages on which somebody else set flags; each told once.
    """

    uidvalidity_before: int | None
    uidnext_before: int | None
    lost: tuple[MessageRef, ...]
    gap: tuple[UidRange, ...] = ()
    gone: tuple[UidRange, ...] = ()
    polled_before: datetime | None = None
    error_before: str = ""
    flagged: tuple[Flagged, ...] = ()


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
    """What arrived in one mailbox in a period, by INTERNALDATE.

    Attributes:
        first_at: when the first of it arrived, ``None`` when nothing did.
    """

    size_bytes: int
    first_at: datetime | None


@dataclass(frozen=True, slots=True)
class ProofRow:
    """What was read back from the archive before a deletion was asked for.

    The ``Proof`` itself lived only until then.
    """

    digest: Digest
    size_bytes: int
    proven_at: datetime


@dataclass(frozen=True, slots=True)
class DeletionReceipt:
    """What is known of how a message left the mailbox.

    Attributes:
        by: ``collector``, ``somebody else``, ``nobody`` (its reference is void, it came
            again under another) or empty while it is not known to have left.
        asked_at: when we were about to ask for its deletion; each time.
        proofs: one for each time it was asked for.
        gone_at: when a complete listing no longer showed it.
        evidence: of that, in words.
    """

    by: str
    asked_at: tuple[datetime, ...]
    proofs: tuple[ProofRow, ...]
    gone_at: datetime | None
    evidence: str


@dataclass(frozen=True, slots=True)
class Exposure:
    """How long messages lay in the mailbox unproven: from INTERNALDATE to the first proof.

    Attributes:
        count: of those that have both instants; the seconds are ``None`` when it is 0.
    """

    count: int = 0
    median_s: float | None = None
    p99_s: float | None = None
    max_s: float | None = None


@dataclass(frozen=True, slots=True)
class DayFigures:
    """What was seen and archived in one folder on one day (UTC), and what became of it.

    Two sums leave nothing over: what waited the evening before, and ``seen``, less
    ``archived``, ``gone`` and ``void``, is ``waiting``; ``archived`` is ``expunged``,
    ``vanished``, ``superseded`` and ``in_mailbox`` together.

    Attributes:
        seen: listed for the first time.
        gone: listed before, and deleted by somebody else before they were archived.
        void: waited when the mailbox was renumbered or restored; seen again since.
        waiting: seen and not archived at the end of the day.
        set_aside: not handed over by the server, for the first time; they wait.
        duplicates, quarantined: of those archived.
        vanished: deleted by somebody else, after they were archived.
        in_mailbox: not known to have left the mailbox.
    """

    day: date
    mailbox: MailboxId
    seen: int = 0
    gone: int = 0
    void: int = 0
    waiting: int = 0
    set_aside: int = 0
    archived: int = 0
    duplicates: int = 0
    quarantined: int = 0
    expunged: int = 0
    vanished: int = 0
    superseded: int = 0
    in_mailbox: int = 0
    exposure: Exposure = Exposure()


@dataclass(frozen=True, slots=True)
class Balance:
    """How the account of one folder stands.

    Attributes:
        before, waiting: what waited when the period began and when it ended, as counted.
        waiting_now: what the last listing showed and the archive does not hold.
        unexplained: what all counts together leave over against ``waiting_now``; not 0
            only when a message was counted wrongly, or nowhere.
    """

    mailbox: MailboxId
    before: int
    waiting: int
    waiting_now: int
    unexplained: int


@dataclass(frozen=True, slots=True)
class Silence:
    """The longest time within a period in which no message came to one folder."""

    mailbox: MailboxId
    since: datetime
    until: datetime

    @property
    def seconds(self) -> float:
        """How long."""
        return (self.until - self.since).total_seconds()


@dataclass(frozen=True, slots=True)
class Period:
    """The account of a period: by day and folder, by folder, its silences and exposure."""

    days: list[DayFigures]
    balances: list[Balance]
    silences: list[Silence]
    exposure: Exposure


@dataclass(frozen=True, slots=True)
class SettingChange:
    """A setting that has another value; ``None`` where it had none, or has none now."""

    key: str
    before: str | None
    after: str | None


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
