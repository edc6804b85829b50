"""The rooms of an archive without a mailbox: for tests of what is stored and proven."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from collector.custody.indexing import index
from collector.custody.intake import Arrived, Intake
from collector.custody.rereading import Rereading
from collector.domain.blob import RawBytes
from collector.domain.custody import LedgerEntry
from collector.domain.journal import UNCONFIGURED
from collector.domain.mailbox import Announced, Fetched, MailboxId, MessageRef
from collector.ledger.ledger import Ledger
from collector.store.archive import Archive
from collector.store.durable import sync_directory
from collector.store.writer import ArchiveWriter

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


@contextmanager
def opened(root: Path, rereading: Rereading | None = None) -> Iterator[Intake]:
    """Open the rooms of an archive as a process does."""
    rereading = rereading or Rereading()
    with ArchiveWriter.open(root) as writer:
        path = root / "ledger.db"
        ledger = Ledger.open(path, create=not path.exists(), sync_directory=sync_directory)
        with ledger.session():
            yield Intake(writer, ledger, Archive(root), rereading=rereading)
        rereading.close()
        ledger.close()


def collect(intake: Intake, *raws: bytes) -> list[LedgerEntry]:
    """Store and commit one batch."""
    with intake.turn():
        first = intake.ledger.last_seq() + 1
        batch = [arrived(uid, raw) for uid, raw in enumerate(raws, first)]
        return intake.commit(intake.store(batch, NOW))


def arrived(uid: int, content: bytes) -> Arrived:
    """Return a message as it was fetched."""
    raw = RawBytes(content)
    ref = MessageRef(MailboxId("journal", "INBOX"), 1, uid)
    return Arrived(Fetched(Announced(ref, raw.size_bytes, NOW), raw), NOW, index(raw, UNCONFIGURED))
