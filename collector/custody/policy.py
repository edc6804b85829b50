"""Which committed messages may leave the mailbox, and which fit into one batch.

Rule: pure decisions.  Doubt means keep.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from collector.domain.custody import LedgerEntry, Policy, State, Verdict
from collector.domain.mailbox import Announced

CLEAR_RETRY_FIRST = timedelta(minutes=1)
CLEAR_RETRY_MAX = timedelta(days=1)


def verdict(entry: LedgerEntry, policy: Policy, now: datetime) -> Verdict:
    """Say whether ``entry`` may be deleted from the mailbox now.

    A message whose deletion was asked for and that is still listed is proven and
    asked for again after a growing pause, so that a mailbox that refuses to
    expunge does not make every cycle read the archive anew.  A clock that was set
    back does not make the pause longer.
    """
    if not policy.delete or (policy.keep_unrecognised and entry.receipt.quarantined):
        return Verdict.KEEP
    if entry.state is State.CLEARED and entry.cleared_at is not None:
        pause = min(CLEAR_RETRY_FIRST * 2 ** min(entry.clear_attempts - 1, 20), CLEAR_RETRY_MAX)
        if entry.cleared_at <= now < entry.cleared_at + pause:
            return Verdict.KEEP
    return Verdict.EXPUNGE


def batches(announced: Iterable[Announced], policy: Policy) -> Iterator[list[Announced]]:
    """Group messages into commits within the limits of ``policy``; order is kept.

    A message larger than ``batch_bytes_max`` has a batch of its own.
    """
    batch: list[Announced] = []
    batch_bytes = 0
    for message in announced:
        size_bytes = message.size_bytes or 0
        full = len(batch) >= policy.batch_messages_max
        if batch and (full or batch_bytes + size_bytes > policy.batch_bytes_max):
            yield batch
            batch, batch_bytes = [], 0
        batch.append(message)
        batch_bytes += size_bytes
    if batch:
        yield batch
