"""What a verification looks at: everything, a sample, or what came since.

Rule: a sample can be drawn again: its seed is part of what was wanted.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from collector.domain.custody import LedgerEntry
from collector.ledger.ledger import Ledger


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is verified.

    Attributes:
        sample: so many entries, drawn at random; ``None``: all.
        seed: of the draw; ``None``: a new one.
        since: entries committed at this instant or later; ``None``: all.
        bodies: read the messages, too.
        full_every: everything instead, when the last full verification is older than
            this or was interrupted.
        anew: do not go on with an interrupted full verification.
        keys: verifier keys that were published; none: those beside the checkpoints.
        anchors: files and folders of notes that were kept outside.
    """

    sample: int | None = None
    seed: int | None = None
    since: datetime | None = None
    bodies: bool = True
    full_every: timedelta | None = None
    anew: bool = False
    keys: tuple[str, ...] = ()
    anchors: tuple[Path, ...] = ()

    @property
    def full(self) -> bool:
        """Nothing is left out."""
        return self.bodies and self.sample is None and self.since is None


def chosen(ledger: Ledger, wanted: Wanted) -> Iterator[LedgerEntry]:
    """Yield the entries that were asked for, in order."""
    draw = random.Random(wanted.seed)  # noqa: S311 - a sample, not a secret
    if wanted.since is None:
        last = ledger.last_seq()
        for seq in sorted(draw.sample(range(1, last + 1), min(wanted.sample or last, last))):
            yield from ledger.entries(seq, seq, readable=True)
        return
    since = wanted.since
    entries = (each for each in ledger.entries(readable=True) if each.receipt.committed_at >= since)
    yield from entries if wanted.sample is None else _sample(entries, wanted.sample, draw)


def _sample(entries: Iterator[LedgerEntry], size: int, draw: random.Random) -> list[LedgerEntry]:
    """Return ``size`` entries, each as likely as any other (reservoir), in order."""
    kept: list[LedgerEntry] = []
    for count, entry in enumerate(entries, 1):
        if len(kept) < size:
            kept.append(entry)
        elif (place := draw.randrange(count)) < size:
            kept[place] = entry
    return sorted(kept, key=lambda entry: entry.seq)
