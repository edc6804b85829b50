"""Which committed messages may leave the mailbox, and which fit into one batch.

Rule: pure decisions.  Doubt means keep.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from datetime import datetime, timedelta

from collector.custody.intake import HandedOver, Promised
from collector.domain.custody import LedgerEntry, Policy, State, Verdict
from collector.domain.errors import ConfigError, CycleError
from collector.domain.mailbox import Unfetched

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


def batches(
    answers: Iterable[Promised | Unfetched], policy: Policy
) -> Generator[HandedOver, None, None]:
    """Group what the server hands over into commits within the limits of ``policy``, in order.

    A message larger than ``batch_bytes_max`` has a batch of its own.  When no more can be
    fetched, what has arrived comes before the error; what was not handed over just then
    is due again at once.
    """
    batch = HandedOver([], [])
    batch_bytes = 0
    failure: CycleError | ConfigError | None = None
    try:
        for answer in answers:
            if isinstance(answer, Unfetched):
                batch.unfetched.append(answer)
                continue
            size_bytes = answer.fetched.raw.size_bytes
            full = len(batch.promised) >= policy.batch_messages_max
            if batch.promised and (full or batch_bytes + size_bytes > policy.batch_bytes_max):
                yield batch
                batch, batch_bytes = HandedOver([], []), 0
            batch.promised.append(answer)
            batch_bytes += size_bytes
    except (CycleError, ConfigError) as error:
        failure = error
        batch.unfetched.clear()  # it was hardly their fault
    if batch.promised or batch.unfetched:
        yield batch
    if failure is not None:
        raise failure
