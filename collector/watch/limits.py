"""From when on a state is an alarm; the defaults of ``[alarms]`` in the configuration.

Rule: every limit has its reason beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

HOUR_S = 3600.0
DAY_S = 86400.0

CRITICAL_FACTOR = 4
"""What lasts so many times its limit is critical."""
QUIET_SHARE = 0.2
"""Of the usual number of messages; below it a mailbox is too quiet (compliance reference, 6.5)."""
QUIET_USUAL_MIN = 20
"""Messages that are usual in a span before anything is said of it."""
QUIET_SPANS_H = (1, 3, 12, 24)
QUIET_WEEKS = 4
BACKLOG_SPAN_S = HOUR_S
"""A backlog that shrinks within this time is being worked off."""
MOMENT_S = DAY_S
"""How long something that happened, and is not a state, is shown."""
ATTENTION_S = DAY_S
"""Quarantined and doubtful messages of so long are told of."""
GROWTH_S = 28 * DAY_S
"""What the disk's forecast is made of."""
QUOTA_CRITICAL = 95.0
DISK_CRITICAL_S = 7 * DAY_S
EXPIRY_CRITICAL_S = 7 * DAY_S


@dataclass(frozen=True, slots=True)
class Limits:
    """All limits that can be configured.

    Attributes:
        backlog_count: messages waiting that do not grow fewer within an hour.
        oldest_s: age of the oldest message that is still in the mailbox.
        quota_percent: of the mailbox's quota that is used.
        unreachable_s: cycles that fail for so long.
        throttled_s: pauses that the server asks for, for so long.
        not_polled_s: no cycle at all; a stuck or stopped service.
        disk_s: until the disk is full at the rate of the last four weeks.
        free_bytes: left on the disk.
        verify_s: since the last full verification.
        checkpoint_s, stamp_s: since the last one; there is one every day.
        expiry_s: until a certificate or a secret expires.
        expires_on: when secrets expire, by the name a person knows them by.
    """

    backlog_count: int = 1_000
    oldest_s: float = 4 * HOUR_S
    quota_percent: float = 80.0
    unreachable_s: float = 0.5 * HOUR_S
    throttled_s: float = HOUR_S
    not_polled_s: float = HOUR_S
    disk_s: float = 30 * DAY_S
    free_bytes: int = 2 * 1024**3
    verify_s: float = 35 * DAY_S
    checkpoint_s: float = 36 * HOUR_S
    stamp_s: float = 36 * HOUR_S
    expiry_s: float = 21 * DAY_S
    expires_on: Mapping[str, date] = field(default_factory=dict)
