"""Keeps over a restart what mail servers asked us to wait.

Rule: a server that locked the account is not asked again because we were started anew;
what only concerns the configuration is not kept, so that mending it helps at once.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from collector.domain.errors import ThrottledError
from collector.ledger.ledger import Ledger
from collector.ledger.query import Throttled

WAIT_MAX = timedelta(days=1)


def find_throttle(ledger: Ledger, mailbox: str, now: datetime) -> Throttled | None:
    """Return what still counts; a clock that was set back does not make it longer."""
    found = ledger.throttles.find(mailbox)
    return found if found is not None and found.until_at <= now + WAIT_MAX else None


def note_throttle(ledger: Ledger, mailbox: str, error: ThrottledError, now: datetime) -> None:
    """Keep what a server asked for."""
    wait = min(timedelta(seconds=error.retry_after_s or 0.0), WAIT_MAX)
    ledger.throttles.note(mailbox, error.throttle, now + wait)


def still_throttled(found: Throttled, mailbox: str, now: datetime) -> ThrottledError:
    """Return the error of a mailbox that is not asked yet."""
    return ThrottledError(
        f"the server asked to be left alone until {found.until_at:%Y-%m-%d %H:%M:%S} UTC",
        subject=mailbox,
        hint="it goes on by itself then",
        retry_after_s=(found.until_at - now).total_seconds(),
        throttle=found.throttle,
    )
