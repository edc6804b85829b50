"""Verifies an archive as a person asked for it: ``collector verify``.

Rule: reads only; runs beside the service.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from collector.config import Settings
from collector.custody.audit import Audit, Problem, Signed
from collector.evidence.note import VerifierKey
from collector.service.assemble import open_reading
from collector.service.evidence import directory_of, known_keys


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is verified.

    Attributes:
        sample: so many entries, drawn at random; ``None``: all.
        since: entries committed at this instant or later; ``None``: all.
        bodies: read the messages, too.
        keys: verifier keys that were published; none: those beside the checkpoints.
    """

    sample: int | None = None
    since: datetime | None = None
    bodies: bool = True
    keys: tuple[str, ...] = ()


def verify(
    settings: Settings, wanted: Wanted, move: Callable[[int, int | None], None]
) -> tuple[int, list[Problem]]:
    """Return how many entries were looked at, and everything that is not as it was recorded.

    ``move`` is told (done, total) of leaves and entries together.

    Raises:
        ConfigError: there is no archive, or a key cannot be read.
    """
    root = settings.archive.path
    with open_reading(settings) as (archive, ledger):
        keys = [VerifierKey.parse(text) for text in wanted.keys] or known_keys(root)
        leaves, entries = ledger.log.size(), ledger.last_seq()
        total = leaves + (entries if wanted.bodies else 0)
        progress = _Progress(lambda done: move(done, total))
        signed = Signed(directory_of(root), keys)
        audit = Audit(archive, ledger, signed, progress.entry, progress.leaf)
        if not wanted.bodies:
            return entries, list(audit.without_bodies())
        if wanted.sample is None and wanted.since is None:
            problems = list(audit.everything())
        else:
            problems = list(audit.some(wanted.since, wanted.sample))
        return progress.entries, problems


@dataclass(slots=True)
class _Progress:
    move: Callable[[int], None]
    entries: int = 0
    leaves: int = 0

    def entry(self, count: int) -> None:
        self.entries += count
        self.move(self.entries + self.leaves)

    def leaf(self, count: int) -> None:
        self.leaves += count
        self.move(self.entries + self.leaves)
