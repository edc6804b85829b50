"""Removes old checkpoints that nobody outside holds, so that their directory stays small.

Rule: what is removed was read, verified, and agrees with the log; a checkpoint that
contradicts it is evidence and stays.  What stays: the first one, the last one of each
day, everything that is stamped or anchored or younger than the limit.  That some were
removed is an event in the log before they are.

The tree that a removed head was over is contained in that of the next one that stays
(RFC 9162, section 2.1.4): nothing that was signed is unsigned by this.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import islice
from pathlib import Path

from collector.custody.checkpoints import checkpoint_file, checkpoint_sizes, read_file
from collector.domain.errors import IntegrityError
from collector.evidence.note import VerifierKey
from collector.ledger.ledger import Ledger
from collector.store import durable

THINNED_MAX = 1_000
"""Checkpoints removed at once; reading and verifying them takes half a second."""


@dataclass(frozen=True, slots=True)
class Thinning:
    """Which checkpoints of an archive may go.

    Attributes:
        directory: where they lie.
        keys: that signed them.
        kept: sizes of those that are stamped, or that somebody outside has or may have.
    """

    directory: Path
    keys: Sequence[VerifierKey]
    kept: Collection[int]

    def thin(self, ledger: Ledger, before: datetime, now: datetime) -> int:
        """Remove what is older than ``before``; return how many were removed.

        At most ``THINNED_MAX``: call it again.

        Raises:
            IntegrityError: the directory cannot be read, or a write failed.
            CycleError: the disk is full, or the ledger is locked.
        """
        sizes = checkpoint_sizes(self.directory)
        idle = superfluous(sizes, ledger.log.instants(sizes), self.kept, before)
        agreeing = (size for size in idle if self._agrees(size, ledger))
        going = list(islice(agreeing, THINNED_MAX))
        if going:
            ledger.record_event(
                "checkpoints.thinned",
                now,
                removed_count=len(going),
                first_leaves=going[0],
                last_leaves=going[-1],
                before=before.isoformat(),
            )
            try:
                gone = [checkpoint_file(self.directory, size) for size in going]
                durable.remove_all(gone, self.directory)
            except OSError as error:
                raise durable.write_error(error, self.directory) from error
        return len(going)

    def _agrees(self, size: int, ledger: Ledger) -> bool:
        try:
            path = checkpoint_file(self.directory, size)
            checkpoint = read_file(path, self.keys).checkpoint
            return ledger.log.root(checkpoint.size) == checkpoint.root
        except IntegrityError:
            return False  # for `verify` to name


def superfluous(
    sizes: Sequence[int],
    instants: Mapping[int, datetime],
    kept: Collection[int],
    before: datetime,
) -> list[int]:
    """Return which of ``sizes``, ascending, may go.

    Args:
        instants: when the newest leaf of each was recorded; without one it stays.
        kept: those that stay for another reason.
    """
    last_of_day: dict[date, int] = {}
    for size in sizes:
        if size in instants:
            last_of_day[instants[size].date()] = size
    stay = {*kept, *last_of_day.values(), *sizes[:1], *sizes[-1:]}
    return [size for size in sizes if size not in stay and _is_old(instants.get(size), before)]


def _is_old(at: datetime | None, before: datetime) -> bool:
    return at is not None and at < before
