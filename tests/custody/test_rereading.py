"""What is read back beside this process is what medium and database hold, and nothing else."""

from __future__ import annotations

import os
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from rooms import NOW, collect, opened
from sample_mail import mixed

from collector.custody.intake import Intake
from collector.custody.rereading import Rereading, read_back
from collector.custody.verify import prove
from collector.domain.custody import LedgerEntry
from collector.domain.errors import IntegrityError

SEGMENT = "segments/000001.tar.zst"


@contextmanager
def beside(root: Path) -> Iterator[Intake]:
    """Open a new archive whose copies are read back by a process of their own."""
    with (
        closing(Rereading.beside(root, root / "ledger.db")) as rereading,
        opened(root, rereading) as intake,
    ):
        yield intake


def collected(intake: Intake, count: int) -> list[LedgerEntry]:
    """Store and commit one batch of messages."""
    return collect(intake, *mixed(count, 3_000))


def seqs(entries: list[LedgerEntry]) -> list[int]:
    """Return the numbers of entries."""
    return [entry.seq for entry in entries]


def test_it_reads_what_would_be_read_here(scratch: Path) -> None:
    """Also what was committed after it had opened the ledger, in any order."""
    with beside(scratch) as intake:
        entries = collected(intake, 30)
        for wanted in (seqs(entries), seqs(entries)[::-3], seqs(entries + collected(intake, 30))):
            found = intake.read_back(wanted)
            assert found == read_back(wanted, intake.archive, intake.ledger)
            assert [each.digest for each in found] == [each.blob_digest for each in found]
        assert len(prove(entries, intake.read_back, NOW)) == 30
        assert intake.rereading.worker_pid


def test_what_the_medium_holds_is_what_counts(scratch: Path) -> None:
    """A flipped bit in the segment is no proof, though it was written well."""
    with beside(scratch) as intake:
        entries = collected(intake, 4)
        with (scratch / SEGMENT).open("r+b") as file:
            file.seek(entries[1].blob.frame_offset + 200)
            byte = file.read(1)[0]
            file.seek(-1, os.SEEK_CUR)
            file.write(bytes([byte ^ 0x10]))
        with pytest.raises(IntegrityError, match="could not be proven"):
            prove(entries, intake.read_back, NOW)
        assert intake.rereading.worker_pid  # it told so; it did not end of it


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE receipts SET uid = 77 WHERE seq = 2",
        "UPDATE receipts SET fetched_at = '2001-01-01T00:00:00.000000Z' WHERE seq = 2",
        (
            "UPDATE entries SET blob_digest = (SELECT digest FROM receipts WHERE seq = 3), "
            "blob_offset = (SELECT blob_offset FROM entries WHERE seq = 3) WHERE seq = 2"
        ),
        "UPDATE entries SET frame_offset = frame_offset + 1 WHERE seq = 2",
    ],
)
def test_a_row_that_was_changed_is_no_proof(scratch: Path, change: str) -> None:
    """Receipt and place are those of the row as it is now."""
    with beside(scratch) as intake:
        entries = collected(intake, 4)
        assert len(prove(entries, intake.read_back, NOW)) == 4
        other = sqlite3.connect(scratch / "ledger.db")
        other.execute(change)
        other.commit()
        other.close()
        with pytest.raises(IntegrityError):
            prove(entries, intake.read_back, NOW)


def test_a_row_that_is_gone_is_told_as_it_is_told_here(scratch: Path) -> None:
    """An error ends the other process; the same question is asked here, and the error is ours."""
    with beside(scratch) as intake:
        collected(intake, 2)
        with pytest.raises(IntegrityError, match="no longer in the ledger"):
            intake.read_back([1, 2, 3])
        assert intake.rereading.worker_pid is None


def test_when_it_is_killed_the_same_is_read_here(scratch: Path) -> None:
    """Then and from then on."""
    with beside(scratch) as intake:
        entries = collected(intake, 10)
        os.kill(intake.rereading.worker_pid, signal.SIGKILL)
        assert len(prove(entries, intake.read_back, NOW)) == 10
        assert intake.rereading.worker_pid is None
        assert len(prove(collected(intake, 10), intake.read_back, NOW)) == 10


def test_the_last_to_close_tidies_the_ledger_up(scratch: Path) -> None:
    """The other process lets go first, so that no log of SQLite is left beside the ledger."""
    with beside(scratch) as intake:
        prove(collected(intake, 3), intake.read_back, NOW)
    assert not (scratch / "ledger.db-wal").exists()
