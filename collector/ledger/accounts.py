"""What the ledger can tell of completeness: the side of it that reports and alarms read.

Rule: as ``Ledger``, whose database this is: what a method writes is durable when it
returns, and every instant comes in as an argument, aware and in UTC.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from collector.domain.custody import LedgerEntry
from collector.domain.mailbox import Flagged, Horizon, MailboxId
from collector.ledger import accounting, arrivals, days, polls, settings, states
from collector.ledger.database import LedgerDatabase
from collector.ledger.folders import ensure_folder
from collector.ledger.query import Arrivals, DeletionReceipt, Exposure, Period, SettingChange

EXPOSURES_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Accounts:
    """The account of every folder, and of the settings the program runs with."""

    database: LedgerDatabase

    def horizon(self, mailbox: MailboxId) -> Horizon | None:
        """Return up to where the server has told of changes; ``None`` when it never has."""
        with self.database.reading():
            return polls.horizon(self.database, mailbox)

    def note_flagged(
        self, mailbox: MailboxId, uidvalidity: int, flagged: Sequence[Flagged]
    ) -> tuple[Flagged, ...]:
        """Return those of these messages whose flags were not told of before; remember them."""
        if not flagged:
            return ()
        with self.database.writing():
            folder = ensure_folder(self.database, mailbox)
            return accounting.note_flagged(self.database, folder, uidvalidity, flagged)

    def assume_seen(self) -> None:
        """Count as seen what is archived: a ledger made anew knows of no listing."""
        with self.database.writing():
            accounting.assume_seen(self.database)

    def period(self, since: datetime, before: datetime, now: datetime) -> Period:
        """Return by day and folder what was seen in [since, before) and became of it.

        Args:
            since, before: midnights (UTC).
        """
        return days.period(self.database, since, before, now)

    def arrivals(self, since: datetime, mailbox: str) -> Arrivals:
        """Return what arrived since then in one mailbox, of the newest entries."""
        with self.database.reading():
            return arrivals.arrivals(self.database, since, mailbox)

    def exposure(self, since: datetime, most: int = EXPOSURES_MAX) -> Exposure:
        """Return how long messages archived since then waited for their proof.

        Args:
            most: no more than the last so many entries are read.
        """
        with self.database.reading():
            return days.exposure(self.database, since, most)

    def deletion(self, entry: LedgerEntry) -> DeletionReceipt:
        """Return how a message left the mailbox, as far as it did."""
        with self.database.reading():
            return states.deletion(self.database, entry)

    def note_settings(
        self, values: Sequence[tuple[str, str, str]], at: datetime, keys: Mapping[str, object]
    ) -> list[SettingChange]:
        """Remember settings, as (key, shown, mark); return what differs from the last time.

        A setting has changed when its mark has; what is shown may hide the change.  The
        event ``config.changed``, with ``keys``, is recorded in the same transaction.
        """
        with self.database.writing():
            return settings.note_settings(self.database, values, at, keys)
