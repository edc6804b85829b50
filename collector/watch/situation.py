"""All that the rules look at: how everything stands at one instant.

Rule: values only; whoever gathers them reads clock, disk and ledger, the rules do not.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from collector.domain.evidence import Event
from collector.domain.mailbox import MailboxId
from collector.ledger.query import MailboxStatus
from collector.ledger.watched import Exposed, Reading, TrafficHour, TrafficTotal
from collector.watch.canary import CanaryFacts
from collector.watch.limits import Limits
from collector.watch.office_hours import OfficeHours


@dataclass(frozen=True, slots=True)
class FolderFigures:
    """One folder that was ever polled or collected.

    Attributes:
        served: the service works on it; ``False``: older mail, or no longer configured.
        empties: everything archived is to leave the mailbox.
        poll_interval_s: pause between two looks.
        gaps_count: events of UIDs that nobody accounts for, in the last week.
        total, exposure: ``None`` when nothing was collected, or proven.
        oldest_waiting_s: age of the oldest message not known to have left the mailbox.
    """

    status: MailboxStatus
    served: bool
    empties: bool
    poll_interval_s: float
    gaps_count: int = 0
    total: TrafficTotal | None = None
    exposure: Exposed | None = None
    oldest_waiting_s: float | None = None

    @property
    def mailbox(self) -> MailboxId:
        """Which one it is."""
        return self.status.mailbox

    @property
    def raw_bytes(self) -> int:
        """Bytes of all messages collected from it."""
        return self.total.raw_bytes if self.total else 0


@dataclass(frozen=True, slots=True)
class ArchiveFigures:
    """The archive on its disk.

    Attributes:
        sealed_raw_bytes, sealed_stored_bytes: of all that was sealed, before and after.
        checkpoint_at, checkpoint_leaves: of the newest one; ``None`` and 0 before the first.
        stamps: when each configured authority last stamped a checkpoint.
    """

    path: str
    entries_count: int
    segments_count: int
    sealed_count: int
    stored_bytes: int
    sealed_raw_bytes: int
    sealed_stored_bytes: int
    ledger_bytes: int
    free_bytes: int
    leaves_count: int
    checkpoint_at: datetime | None
    checkpoint_leaves: int
    stamps: tuple[tuple[str, datetime | None], ...] = ()

    @property
    def sealed_ratio(self) -> float | None:
        """What sealed segments take of what they hold."""
        raw = self.sealed_raw_bytes
        return round(self.sealed_stored_bytes / raw, 3) if raw else None


@dataclass(frozen=True, slots=True)
class Figures:
    """What is told of archive and mailboxes, cheap to gather."""

    at: datetime
    archive: ArchiveFigures
    folders: tuple[FolderFigures, ...]


@dataclass(frozen=True, slots=True)
class Source:
    """One configured mailbox, all its folders together.

    Attributes:
        silence_s: office time without mail that is too long; ``None``: never.
        judges_origin: it is configured who may send to it.
    """

    name: str
    office_hours: OfficeHours = field(default_factory=OfficeHours)
    silence_s: float | None = None
    judges_origin: bool = False


@dataclass(frozen=True, slots=True)
class Situation:
    """Everything at one instant.

    Attributes:
        sources: the configured mailboxes that the service works on.
        traffic: by folder and hour, of the last five weeks.
        events: of the last day that are told of at once, newest first.
        verified: the last verification of the whole archive.
        damaged: the last verification of any extent that found something broken, when
            no whole one after it found nothing.
        since: when the archive's first event was recorded.
        readings: what was last seen of anything, by subject and name.
        canaries: our own test mails, by path.
    """

    figures: Figures
    limits: Limits
    sources: tuple[Source, ...] = ()
    traffic: tuple[TrafficHour, ...] = ()
    events: tuple[Event, ...] = ()
    verified: Event | None = None
    damaged: Event | None = None
    since: datetime | None = None
    readings: tuple[Reading, ...] = ()
    canaries: tuple[CanaryFacts, ...] = ()

    @property
    def now(self) -> datetime:
        """The instant."""
        return self.figures.at

    def reading(self, subject: object, name: str) -> Reading | None:
        """Return what was last seen, ``None`` when nothing was."""
        for each in self.readings:
            if (each.subject, each.name) == (str(subject), name):
                return each
        return None

    def age_s(self, at: datetime) -> float:
        """Return how long ago an instant was, in seconds."""
        return (self.now - at).total_seconds()
