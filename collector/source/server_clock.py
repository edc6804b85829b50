"""Reads a server's clock without writing anything: by asking how old a message is.

Rule: at most some forty short searches, and no guess: what cannot be told is said.

INTERNALDATE is what the server wrote down when the newest message arrived; YOUNGER
(RFC 5032) compares it with the server's present time.  The difference to what our own
clock makes of it is the skew.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from collector.source.client import Client
from collector.source.lines import Facts, begin_facts, internal_date_of, uid_of

TOLERANCE_S = 3
AGE_S_MAX = 2**31 - 1
"""The largest interval that every server must take (RFC 5032, section 3: nz-number)."""


@dataclass(frozen=True, slots=True)
class Skew:
    """How far the server's clock is ahead of ours; negative: behind."""

    server_ahead_s: float
    tolerance_s: float = TOLERANCE_S


def clock_skew(client: Client, exists: int, now: Callable[[], datetime]) -> Skew | str:
    """Return the skew, or why it is not known.

    Args:
        client: its folder is selected.
        exists: messages in it.
        now: the present instant in UTC.

    Raises:
        ValueError: an answer is not well formed.
        OSError, imaplib.IMAP4.error: the connection is lost, or refused.
    """
    newest = _newest(client) if exists else None
    if newest is None:
        return "no message tells when it arrived"
    uid, arrived_at = newest

    def age_s() -> int:
        return round((now() - arrived_at).total_seconds())

    if not client.has_capability("WITHIN"):
        if age_s() < -TOLERANCE_S:
            return Skew(-age_s())  # it arrived in our future
        return "the server offers no way to ask (WITHIN)"
    return _measured(client, uid, age_s)


def _newest(client: Client) -> tuple[int, datetime] | None:
    for line in client.ask(b"UID FETCH * (UID INTERNALDATE)"):
        facts: Facts = {}
        if begin_facts(line, facts):
            uid, arrived_at = uid_of(facts), internal_date_of(facts)
            if uid is not None and arrived_at is not None:
                return uid, arrived_at
    return None


def _measured(client: Client, uid: int, age_s: Callable[[], int]) -> Skew | str:
    """Search for the age the server gives the message."""

    def is_younger(than_s: int) -> bool:
        return uid in client.search(b"UID %d YOUNGER %d" % (uid, than_s))

    ours_s = max(1, age_s())
    fits = is_younger(ours_s + TOLERANCE_S)
    told = ours_s <= TOLERANCE_S or not is_younger(ours_s - TOLERANCE_S)
    if fits and told and age_s() >= -TOLERANCE_S:
        return Skew(0.0)
    low_s, high_s = (0, ours_s + TOLERANCE_S) if fits else (ours_s, AGE_S_MAX)
    if not fits and not is_younger(AGE_S_MAX):
        return "the server gives no age to a message"
    while high_s - low_s > 1:
        middle_s = (low_s + high_s) // 2
        low_s, high_s = (low_s, middle_s) if is_younger(middle_s) else (middle_s, high_s)
    return Skew(float(high_s - age_s()))
