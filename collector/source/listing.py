"""Lists the UIDs of a folder, however many there are.

Rule: what a listing does not show counts as gone, so the number of UIDs is held
against the server's own count, and windows are cut by UID: sequence numbers move
when another client expunges.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date

from collector.domain.errors import CycleError
from collector.domain.uids import UidRange
from collector.source.client import Client
from collector.source.lines import (
    Facts,
    begin_facts,
    exists_of,
    expunged_count,
    uid_of,
    vanished_of,
)
from collector.source.selecting import Selected

WINDOW_UIDS = 80_000
"""UIDs of ten digits in one answer stay below 900 kB, under the limit of a line."""

MESSAGES_MAX = 10_000_000

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(slots=True)
class Uids:
    """What was listed.

    Attributes:
        uids: ascending, 32 bits each.
        exists: how many messages the server counts, expunges meanwhile taken off.
        arrived: more were told of when the listing had already been answered.
        vanished: UIDs of messages that were expunged while the listing was answered.
    """

    uids: array[int]
    exists: int
    arrived: bool = False
    vanished: list[UidRange] = field(default_factory=list)

    @property
    def missing_count(self) -> int:
        """How many messages the server counts but did not list."""
        return max(0, self.exists - len(self.uids))


def list_uids(client: Client, selected: Selected, criteria: bytes = b"") -> Uids:
    """List the UIDs of the selected folder: one round trip up to 80,000 messages.

    Args:
        client: its folder is selected.
        selected: what the server said then.
        criteria: further SEARCH keys; the count is then not comparable.

    Raises:
        CycleError: the folder holds more messages than can be listed.
        ValueError: the answer is not well formed.
        OSError, imaplib.IMAP4.error: the connection is lost, or refused.
    """
    found = Uids(array("I"), selected.exists)
    if selected.exists > MESSAGES_MAX:
        raise CycleError("the folder holds more messages than can be listed")
    if selected.exists == 0:
        return found
    *windows, last = _windows(client, found)
    for window in windows:
        found.uids.extend(_searched(client, window, criteria, found))
        found.arrived = False  # the last window shows it
    found.uids.extend(_searched(client, last, criteria, found))
    return found


def _searched(client: Client, window: bytes, criteria: bytes, found: Uids) -> list[int]:
    """Return the UIDs of one window; follow the server's count."""

    def news(line: bytes, answered: bool) -> None:  # noqa: FBT001 - a callback
        if answered and exists_of(line) is not None:
            found.arrived = True
        else:
            _count(line, found)

    return sorted(client.search((window + b" " + criteria).strip(), news))


def _windows(client: Client, found: Uids) -> Iterator[bytes]:
    """Yield search keys that name every message once, each at most ``WINDOW_UIDS``."""
    if found.exists <= WINDOW_UIDS:
        yield b"ALL"
        return
    first = 1
    for bound in _bounds(client, found):
        yield b"UID %d:%d" % (first, bound)
        first = bound + 1
    yield b"UID %d:4294967295" % first


def _bounds(client: Client, found: Uids) -> list[int]:
    """Return the UID of every 80,000th message.

    Numbers above the count are not asked for; when messages are expunged meanwhile,
    the bounds are only closer together.
    """
    numbers = range(WINDOW_UIDS, found.exists, WINDOW_UIDS)
    bounds: set[int] = set()
    for line in client.run(b"FETCH " + b",".join(b"%d" % each for each in numbers) + b" (UID)"):
        facts: Facts = {}
        if begin_facts(line, facts) is None:
            _count(line, found)
        elif (uid := uid_of(facts)) is not None and len(bounds) < len(numbers):
            bounds.add(uid)
    return sorted(bounds)


def _count(line: bytes, found: Uids) -> None:
    """Follow the server's count."""
    if (exists := exists_of(line)) is not None:
        found.exists = exists
    elif gone_count := expunged_count(line):
        found.exists -= gone_count
        told = vanished_of(line)
        found.vanished += told[0] if told else []


def criteria_of(since: date | None, before: date | None) -> bytes:
    """Return the SEARCH keys of a date range (RFC 9051, section 6.4.4)."""
    keys = []
    if since is not None:
        keys.append(f"SINCE {_imap_date(since)}")
    if before is not None:
        keys.append(f"BEFORE {_imap_date(before)}")
    return " ".join(keys).encode()


def _imap_date(day: date) -> str:
    return f"{day.day}-{_MONTHS[day.month - 1]}-{day.year}"
