"""Times in which nobody looked into a mailbox, and why: from polls and from events.

Rule: a poll is the only sign of life that counts; a reason is told only where something
was written down that gives one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from collector.domain.evidence import Event
from collector.ledger.ledger import Ledger
from collector.ledger.query import MailboxStatus
from collector.service.facts import Facts, instant

UNWATCHED = "mailbox.unwatched"
SERVICE = ("service.started", "service.stopped")
OUTAGES_MAX = 1_000
LOOK_BACK = timedelta(minutes=5)
"""A service ends a little before, or after, the last poll."""


class Reason(Enum):
    """Why nobody looked."""

    FAILED = "failed"  # the server could not be reached, or refused
    STOPPED = "stopped"  # the service was ended in order
    UNKNOWN = "unknown"  # nothing was written down: a crash, no power, asleep, never started


@dataclass(frozen=True, slots=True)
class Outage:
    """A time without a poll.

    Attributes:
        mailbox: ``name:folder``.
        until: ``None`` while it lasts.
        error: of the last cycle, for ``FAILED``.
    """

    mailbox: str
    since: datetime
    until: datetime | None
    seconds: float
    reason: Reason
    error: str = ""

    def facts(self) -> Facts:
        """Return plain JSON values."""
        return {
            "mailbox": self.mailbox,
            "since": instant(self.since),
            "until": instant(self.until),
            "seconds": self.seconds,
            "reason": self.reason.value,
            "error": self.error,
        }


def outages(
    ledger: Ledger,
    mailboxes: Sequence[MailboxStatus],
    since: datetime,
    before: datetime,
    now: datetime,
    longest: timedelta,
) -> list[Outage]:
    """Return the outages that touch [since, before), oldest first.

    Args:
        longest: a mailbox that was polled longer ago than that is without a poll now.
    """
    events = ledger.events(names=[UNWATCHED], since=since, limit=OUTAGES_MAX)
    spans = [
        (each.mailbox, _instant(each.keys["since"]), each.at, str(each.keys.get("error", "")))
        for each in events
    ]
    known: list[tuple[str, datetime, datetime | None, str]] = [
        each for each in spans if each[1] < before
    ]
    for mailbox in mailboxes:
        polled_at = mailbox.polled_at
        if polled_at is not None and polled_at < before and now - polled_at > longest:
            known.append((str(mailbox.mailbox), polled_at, None, mailbox.last_error))
    first = min((each[1] for each in known), default=now)
    services = ledger.events(names=SERVICE, since=first - LOOK_BACK, limit=OUTAGES_MAX)
    return sorted(
        (_outage(*each, now, services) for each in known),
        key=lambda each: (each.since, each.mailbox),
    )


def _outage(
    mailbox: str,
    since: datetime,
    until: datetime | None,
    error: str,
    now: datetime,
    services: Sequence[Event],
) -> Outage:
    end = until or now
    inside = [each for each in services if since - LOOK_BACK <= each.at <= end]
    stopped = any(each.name == "service.stopped" for each in inside)
    reason = Reason.FAILED if error else Reason.STOPPED if stopped else Reason.UNKNOWN
    seconds = max(0.0, (end - since).total_seconds())
    return Outage(mailbox, since, until, seconds, reason, error)


def _instant(text: object) -> datetime:
    return datetime.fromisoformat(str(text))
