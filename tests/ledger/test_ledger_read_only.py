"""A ledger that nobody may write is read as it is."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from ledger_samples import NOW, commit

from collector.domain.errors import ConfigError
from collector.ledger.database import LedgerDatabase
from collector.ledger.ledger import Ledger


def copied(ledger: Ledger, tmp_path: Path, *suffixes: str) -> Ledger:
    """Return a read-only ledger over a copy of these files."""
    source, target = ledger._database.path, tmp_path / "copy.db"
    for suffix in suffixes:
        shutil.copy(f"{source}{suffix}", f"{target}{suffix}")
    return Ledger(LedgerDatabase(target, read_only=True))


def test_a_copy_without_a_log_is_whole(ledger: Ledger, tmp_path: Path) -> None:
    """As a clean end leaves it: nothing is made beside it, and nothing can be recorded."""
    commit(ledger, 3)
    ledger._database.execute_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    copy = copied(ledger, tmp_path, "")
    assert (copy.last_seq(), copy.read_only) == (3, True)
    with pytest.raises(ConfigError, match="cannot be written"):
        copy.record_event("message.viewed", NOW)
    copy.close()
    assert [path.name for path in tmp_path.glob("copy*")] == ["copy.db"]


def test_a_copy_made_beside_a_running_service_shows_its_last_commit(
    ledger: Ledger, tmp_path: Path
) -> None:
    """The log beside the file belongs to it."""
    commit(ledger, 3)
    copy = copied(ledger, tmp_path, "", "-wal", "-shm")
    assert copy.last_seq() == 3
    copy.close()
