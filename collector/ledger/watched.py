"""What the ledger remembers for those who watch: traffic, exposure, readings, failures.

Rule: plain values; none of it is evidence, and all of it may be gone after a rebuild.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from collector.domain.mailbox import MailboxId
from collector.ledger.exposures import nearest_rank


class FailureKind(Enum):
    """Why a cycle could not be run."""

    LOGIN = "login"
    THROTTLED = "throttled"
    CONFIGURATION = "configuration"
    UNREACHABLE = "unreachable"


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
        raw_bytes, stored_bytes: before compression, and as they were first stored.
    """

    mailbox: MailboxId
    first_at: datetime
    last_arrival_at: datetime | None
    raw_bytes: int
    stored_bytes: int


@dataclass(frozen=True, slots=True)
class Exposed:
    """How long messages lay in a mailbox before they were proven, of the latest proofs.

    Attributes:
        seconds: from arrival (INTERNALDATE) to the first proof, ascending.
    """

    mailbox: MailboxId
    seconds: tuple[float, ...]

    def quantile(self, share: float) -> float:
        """Return what so large a share of them did not exceed (nearest rank)."""
        return nearest_rank(self.seconds, share)


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
