"""The ledger finds what somebody changed in it."""

from __future__ import annotations

from pathlib import Path

import pytest
from ledger_samples import commit, listing_of, pending_of, poll, proof_of, tamper

from collector.ledger.database import PROBLEMS_MAX
from collector.ledger.ledger import Ledger
from collector.store.durable import sync_directory


@pytest.fixture
def altered(ledger_path: Path) -> Ledger:
    """Four entries: expunged, cleared, and two committed ones of the same bytes."""
    ledger = Ledger.open(ledger_path, create=True, sync_directory=sync_directory)
    entries = commit(ledger, 3)
    copy = pending_of(4, raw=b"message 3", duplicate_of=3)
    ledger.commit([copy])
    ledger.clear([proof_of(entries[0])])
    poll(ledger, listing_of([102, 103, 104]))
    ledger.clear([proof_of(entries[1])])
    assert ledger.check_consistency() == []
    yield ledger
    ledger.close()


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        (
            "UPDATE receipts SET digest = hex(randomblob(32)) WHERE seq = 3",
            "entry 3: its receipt and",
        ),
        ("UPDATE entries SET blob_bytes = 1 WHERE seq = 2", "entry 2: its receipt and"),
        ("UPDATE receipts SET uid = 999 WHERE seq = 3", "entry 3: its receipt is of another"),
        ("UPDATE entries SET uidvalidity = 9 WHERE seq = 3", "entry 3: its receipt is of another"),
        ("UPDATE entries SET settled_at = NULL WHERE seq = 1", "entry 1: its state and the time"),
        ("UPDATE entries SET settled_at = 'x' WHERE seq = 3", "entry 3: its state and the time"),
        ("UPDATE entries SET state = 'vanished' WHERE seq = 1", "folder 1: the count of vanished"),
        (
            "UPDATE state_counts SET entries_count = 9 WHERE state = 'cleared'",
            "but 12 were counted",
        ),
        ("DELETE FROM state_counts WHERE state = 'cleared'", "folder 1: the count of cleared"),
        ("UPDATE entries SET frame_offset = 1 WHERE seq = 4", "entry 4: it does not lie where"),
        ("DELETE FROM envelopes WHERE seq = 1", "entry 1: it has no envelope"),
        ("DELETE FROM receipts WHERE seq = 1", "entry 1: it has no receipt"),
        (
            "DELETE FROM recipients WHERE seq = 1 AND position = 1",
            "entry 1: some of its recipients",
        ),
        ("DELETE FROM proofs WHERE seq = 2", "entry 2: its deletion was asked for without a proof"),
        ("UPDATE proofs SET digest = 'x'", "entry 2: its deletion was asked for without a proof"),
        ("DELETE FROM entries WHERE seq = 1", "some are missing"),
        ("DELETE FROM entries WHERE seq = 1", "table receipts, row 1: its entries row is missing"),
    ],
)
def test_a_changed_or_removed_row_is_named(
    altered: Ledger, ledger_path: Path, sql: str, expected: str
) -> None:
    """Each change behind the program's back gives a line that says where."""
    tamper(ledger_path, sql)
    assert any(expected in problem for problem in altered.check_consistency())


def test_the_lines_have_a_limit(altered: Ledger, ledger_path: Path) -> None:
    """A ledger that is wrong from end to end does not fill the terminal."""
    commit(altered, 300)
    tamper(ledger_path, "UPDATE receipts SET uid = uid + 1")
    assert len(altered.check_consistency()) == PROBLEMS_MAX


def test_looking_changes_nothing(altered: Ledger, ledger_path: Path) -> None:
    """The check may run beside a service, and against a copy as evidence."""
    before = list(altered.records())
    tamper(ledger_path, "UPDATE receipts SET uid = 999 WHERE seq = 3")
    assert altered.check_consistency() == altered.check_consistency() != []
    assert len(before) == altered.count() == 4
