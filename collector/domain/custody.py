"""A message on its way from the mailbox into the archive, and the proof of it.

Rule: only ``custody/verify.py`` makes a ``Proof``; the architecture test
checks that.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import Enum
from typing import Any

from collector.domain.blob import BlobRef, Digest
from collector.domain.journal import UNCONFIGURED, JournalProfile
from collector.domain.mailbox import MessageRef


class State(Enum):
    """Where a committed message stands (ledger/README.md has the table).

    ``VANISHED``: gone from the mailbox before we asked for its deletion.
    ``SUPERSEDED``: its UIDVALIDITY is void; the message is collected anew.
    """

    COMMITTED = "committed"
    CLEARED = "cleared"
    EXPUNGED = "expunged"
    VANISHED = "vanished"
    SUPERSEDED = "superseded"


class Verdict(Enum):
    """What shall happen to a committed message in the mailbox."""

    EXPUNGE = "expunge"
    KEEP = "keep"


@dataclass(frozen=True, slots=True)
class Receipt:
    """What is known of an arrival; lies beside the bytes and is all a rebuild needs.

    Attributes:
        seq: position in the archive, from 1, without gaps.
        digest: SHA-256 of the raw message.
        internal_date, fetched_at, committed_at: UTC.  ``committed_at`` is taken
            when the batch is handed to the archive, just before it is durable.
        kind: the format verdict at the time of collection.
        quarantined: as in ``Unwrapped.quarantined``.
        duplicate_of: ``seq`` of the entry that holds the same bytes; then only
            the receipt is stored.
        fetch_flags: remarks about the hand-over.
    """

    seq: int
    digest: Digest
    size_bytes: int
    ref: MessageRef
    internal_date: datetime | None
    fetched_at: datetime
    committed_at: datetime
    kind: str
    quarantined: bool
    duplicate_of: int | None = None
    fetch_flags: tuple[str, ...] = ()


Values = tuple[Any, ...]
"""Of one row, in the order of its columns."""


@dataclass(frozen=True, slots=True)
class Indexed:
    """What the index shall hold of one message; made by ``ledger.indexing``.

    Attributes:
        kind, trust: values of ``Kind`` and ``Trust``.
        tables: rows for each table of the index, without the number of the entry.
    """

    kind: str
    quarantined: bool
    trust: str
    tables: tuple[tuple[Values, ...], ...]


@dataclass(frozen=True, slots=True)
class PendingEntry:
    """Durable in a segment, not yet named by the ledger."""

    receipt: Receipt
    blob: BlobRef
    indexed: Indexed


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """A message that is ours.

    Attributes:
        cleared_at: when its deletion was last asked for, ``None`` before.
        clear_attempts: how often it was asked for.
    """

    receipt: Receipt
    blob: BlobRef
    state: State
    cleared_at: datetime | None = None
    clear_attempts: int = 0

    @property
    def seq(self) -> int:
        """Position in the archive."""
        return self.receipt.seq

    @property
    def ref(self) -> MessageRef:
        """Its name on the server."""
        return self.receipt.ref


@dataclass(frozen=True, slots=True)
class Proof:
    """Evidence, just re-read from the medium, that entry and bytes agree.

    Nothing but a list of these makes the source delete.
    """

    seq: int
    ref: MessageRef
    digest: Digest
    size_bytes: int
    proven_at: datetime


@dataclass(frozen=True, slots=True)
class Settlement:
    """What became of a committed message in the mailbox, and when we saw it.

    Attributes:
        state: ``EXPUNGED``, ``VANISHED`` or ``SUPERSEDED``.
        cleared_at: when its deletion was asked for, ``None`` if never.
        settled_at: when a listing no longer showed it.
    """

    seq: int
    state: State
    cleared_at: datetime | None
    settled_at: datetime


@dataclass(frozen=True, slots=True)
class Policy:
    """The limits and choices a cycle works under.

    Attributes:
        journal: what the mailbox is configured to hold, and what is believed there.
        since, before: collect only messages that arrived in [since, before), by
            INTERNALDATE; ``None`` means no bound.
        delete: ``False`` collects without deleting (backfill).
        keep_unrecognised: quarantined messages stay in the mailbox as well.
        window_messages_max: messages between two deletions.
        batch_messages_max, batch_bytes_max: limits of one commit.
        ahead_batches_max: batches made ready for the next step; 0: one step after the other.
        watched: nobody else should use the folder: what others do there is written down.
        unwatched_after: a longer time between two polls is, too.
    """

    journal: JournalProfile = UNCONFIGURED
    since: date | None = None
    before: date | None = None
    delete: bool = True
    keep_unrecognised: bool = False
    window_messages_max: int = 1000
    batch_messages_max: int = 500
    batch_bytes_max: int = 3 * 1024 * 1024
    ahead_batches_max: int = 1
    watched: bool = True
    unwatched_after: timedelta = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Summary:
    """What one or more cycles did.

    Attributes:
        waiting: messages the last listing showed.
        set_aside: messages the server would not hand over.
        vanished: messages that were gone before we asked for their deletion.
        refused: committed messages that the mailbox does not let go.
        unaccounted: UIDs given out and never listed, where the server skips none by itself.
        oldest_waiting_s: age of the oldest message that was to be collected, by INTERNALDATE;
            ``None`` when there was none, or the server did not tell.
        interrupted: the stop sign came before the end.
    """

    waiting: int = 0
    collected: int = 0
    cleared: int = 0
    expunged: int = 0
    set_aside: int = 0
    quarantined: int = 0
    vanished: int = 0
    refused: int = 0
    unaccounted: int = 0
    interrupted: bool = False
    oldest_waiting_s: float | None = None

    def plus(self, later: Summary) -> Summary:
        """Return both cycles as one; what is there now is what the later one saw."""
        return Summary(
            waiting=later.waiting,
            collected=self.collected + later.collected,
            cleared=self.cleared + later.cleared,
            expunged=self.expunged + later.expunged,
            set_aside=self.set_aside + later.set_aside,
            quarantined=self.quarantined + later.quarantined,
            vanished=self.vanished + later.vanished,
            refused=later.refused,
            unaccounted=self.unaccounted + later.unaccounted,
            interrupted=later.interrupted,
            oldest_waiting_s=self.oldest_waiting_s or later.oldest_waiting_s,
        )
