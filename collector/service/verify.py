"""Verifies an archive as a person asked for it: ``collector verify``.

Rule: runs beside the service, and writes nothing but that it ran.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from collector.config import Settings
from collector.custody.audit import Audit, Problem, Signed
from collector.custody.checkpoints import checkpoint_files, read_file
from collector.custody.watch import utc_now
from collector.domain.errors import CollectorError, IntegrityError
from collector.domain.evidence import Checkpoint
from collector.domain.finding import Grade
from collector.evidence.comparison import compare_anchors, read_anchors
from collector.evidence.note import VerifierKey
from collector.ledger.log import Log
from collector.service.assemble import open_reading
from collector.service.evidence import directory_of, known_keys
from collector.service.outside import authorities, stamped_sizes, stamps_of


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is verified.

    Attributes:
        sample: so many entries, drawn at random; ``None``: all.
        since: entries committed at this instant or later; ``None``: all.
        bodies: read the messages, too.
        anchors: files of notes that were kept outside.
        keys: verifier keys that were published; none: those beside the checkpoints.
    """

    sample: int | None = None
    since: datetime | None = None
    bodies: bool = True
    keys: tuple[str, ...] = ()
    anchors: tuple[Path, ...] = ()


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
        outside = [*_anchored(wanted.anchors, ledger.log, keys), *_stamped(settings, signed)]
        whole = wanted.bodies and wanted.sample is None and wanted.since is None
        if not wanted.bodies:
            return entries, [*audit.without_bodies(), *outside]
        found = audit.everything() if whole else audit.some(wanted.since, wanted.sample)
        problems = [*found, *outside]
        with suppress(CollectorError):  # a copy that is read-only, or what was just found broken
            ledger.record_event(
                "archive.verified",
                utc_now(),
                whole=whole,
                entries_count=progress.entries,
                broken=len(problems),
            )
        return progress.entries, problems


def _anchored(anchors: Sequence[Path], log: Log, keys: Sequence[VerifierKey]) -> Iterator[Problem]:
    """Compare the log with notes that were kept outside."""
    for path in anchors:
        size, root = log.head()
        head = Checkpoint(keys[-1].name if keys else "", size, root)
        for finding in compare_anchors(read_anchors(path), head, log.root, keys):
            if finding.grade is not Grade.OK:
                yield Problem(finding.detail, f"anchors {path}")


def _stamped(settings: Settings, signed: Signed) -> Iterator[Problem]:
    """Verify the time stamps of the authorities that are configured."""
    known = authorities(settings)
    sizes = stamped_sizes(signed.directory) if known else set()
    for path in checkpoint_files(signed.directory):
        if int(path.stem) in sizes:
            try:
                stamps_of(signed.directory, read_file(path, signed.keys), known)
            except IntegrityError as error:
                yield Problem(error.what, f"time stamp of checkpoint {path.name}")


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
