"""What this process has done since it started: counters that no ledger keeps.

Rule: cheap enough for every cycle, and safe to read from any thread.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from threading import Lock

from collector.domain.custody import Summary
from collector.domain.mailbox import MailboxId
from collector.ledger.watched import Failure, FailureKind

CYCLE_BOUNDS_S = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)


@dataclass(slots=True)
class FolderActivity:
    """The cycles of one folder.

    Attributes:
        durations: how many good cycles took no longer than each bound of ``CYCLE_BOUNDS_S``
            and longer than the one before; the last counts those beyond all.
        failures: cycles that failed, by kind.
        throttled_s: pauses the server asked for.
        good: the last cycle was a good one.
        good_at_s: when the last good one ended, on the monotonic clock.
    """

    durations: list[int] = field(default_factory=lambda: [0] * (len(CYCLE_BOUNDS_S) + 1))
    duration_sum_s: float = 0.0
    failures: Counter[FailureKind] = field(default_factory=Counter)
    throttled_s: float = 0.0
    cleared_count: int = 0
    good: bool = True
    good_at_s: float | None = None

    def copy(self) -> FolderActivity:
        """Return a copy that does not change any more."""
        return FolderActivity(
            list(self.durations),
            self.duration_sum_s,
            Counter(self.failures),
            self.throttled_s,
            self.cleared_count,
            self.good,
            self.good_at_s,
        )


@dataclass(slots=True)
class Activity:
    """The cycles of all folders."""

    _folders: dict[MailboxId, FolderActivity] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def succeeded(self, mailbox: MailboxId, summary: Summary, elapsed_s: float) -> None:
        """Count a cycle that came to its end."""
        with self._lock:
            folder = self._folders.setdefault(mailbox, FolderActivity())
            place = sum(elapsed_s > bound for bound in CYCLE_BOUNDS_S)
            folder.durations[place] += 1
            folder.duration_sum_s += elapsed_s
            folder.cleared_count += summary.cleared
            folder.good, folder.good_at_s = True, time.monotonic()

    def failed(self, mailbox: MailboxId, failure: Failure) -> None:
        """Count a cycle that failed."""
        with self._lock:
            folder = self._folders.setdefault(mailbox, FolderActivity())
            folder.failures[failure.kind] += 1
            folder.good = False
            if failure.kind is FailureKind.THROTTLED:
                folder.throttled_s += failure.pause_s

    def good_since(self, since_s: float) -> bool:
        """Say whether a good cycle ended after ``since_s``, and no folder fails now."""
        with self._lock:
            folders = self._folders.values()
            return all(each.good for each in folders) and any(
                each.good_at_s is not None and each.good_at_s > since_s for each in folders
            )

    def folders(self) -> dict[MailboxId, FolderActivity]:
        """Return what was counted so far."""
        with self._lock:
            return {mailbox: each.copy() for mailbox, each in self._folders.items()}
