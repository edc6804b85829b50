"""Makes a new ledger from the segments alone: ``collector rebuild``.

Rule: the old ledger is moved aside only when the new one is complete, and is
never removed.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from collector.config import Settings
from collector.custody.adopt import Adopted, adopt
from collector.custody.watch import utc_now
from collector.ledger.ledger import Ledger
from collector.service.acts import Person, person_of, record_act
from collector.service.assemble import LEDGER, derivation_of
from collector.store.archive import Archive
from collector.store.durable import move, sync_directory
from collector.store.writer import ArchiveWriter

SUFFIXES = ("", "-wal", "-shm")


def rebuild(
    settings: Settings, progress: Callable[[int], None], person: Person | None = None
) -> Adopted:
    """Read every segment into a new ledger, then put it in the old one's place.

    Args:
        person: who does it; the user of this process when not given.

    Raises:
        ConfigError: there is no archive.
        CycleError: another process has it.
        IntegrityError: the new ledger cannot be written.
    """
    root = settings.archive.path
    with ArchiveWriter.open(root):
        fresh = root / f"{LEDGER}.rebuilding"
        for suffix in SUFFIXES:
            Path(f"{fresh}{suffix}").unlink(missing_ok=True)
        derivation = derivation_of(settings)
        ledger = Ledger.open(fresh, create=True, sync_directory=sync_directory)
        with ledger.session():
            adopted = adopt(
                Archive(root),
                ledger,
                derivation.profile_of,
                progress,
                salvage=True,
            )
            ledger.accounts.assume_seen()
            count = adopted.entries_count
            record_act(ledger, person or person_of(), "ledger.rebuilt", entries_count=count)
            derivation.note_rebuilt(ledger, utc_now())
        ledger.close()
        _swap(root, fresh)
    return adopted


def _swap(root: Path, fresh: Path) -> None:
    """Move the old ledger aside under the present instant, the new one into its place."""
    kept = root / f"{LEDGER}.before-{utc_now():%Y%m%dT%H%M%SZ}"
    for suffix in SUFFIXES:
        old = root / f"{LEDGER}{suffix}"
        if old.exists():
            move(old, Path(f"{kept}{suffix}"))
    for suffix in SUFFIXES:
        new = Path(f"{fresh}{suffix}")
        if new.exists():
            move(new, root / f"{LEDGER}{suffix}")
