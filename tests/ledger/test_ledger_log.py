"""The log: leaves in the order written, the tree over them, and events that wait for a leaf."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from ledger_samples import NOW, OTHER, commit, pending_of, tamper

from collector.domain.errors import IntegrityError
from collector.ledger import merkle
from collector.ledger.encoding import entry_leaf
from collector.ledger.ledger import Ledger
from collector.ledger.merkle import leaf_hash
from collector.store.durable import sync_directory


def log_all(ledger: Ledger) -> int:
    """Put every event into the log, as the writing process does."""
    return ledger.log_events(ledger.unlogged_events())


def naive_root(leaves: list[bytes]) -> bytes:
    """Return the root by the definition of RFC 9162, section 2.1.1, word for word."""
    if len(leaves) == 1:
        return hashlib.sha256(b"\0" + leaves[0]).digest()
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    halves = naive_root(leaves[:split]) + naive_root(leaves[split:])
    return hashlib.sha256(b"\1" + halves).digest()


def test_an_empty_log_has_the_empty_root(ledger: Ledger) -> None:
    """The root of no leaves is the hash of nothing."""
    assert (ledger.log.size(), ledger.log.root(0)) == (0, hashlib.sha256(b"").digest())


def test_entries_and_events_are_leaves_in_the_order_written(ledger: Ledger) -> None:
    """The root is that of the leaves as a stranger would compute them."""
    leaves = [entry_leaf(pending_of(seq).receipt) for seq in range(1, 6)]
    commit(ledger, 5)
    ledger.record_event("mailbox.renumbered", NOW, mailbox=str(OTHER), uidvalidity_new=8)
    assert ledger.log.size() == 5, "an event that was only recorded has no leaf"
    assert log_all(ledger) == 1
    leaves.append(
        json.dumps(
            {
                "at": "2026-03-04T05:06:07.000089Z",
                "keys": {"uidvalidity_new": 8},
                "leaf": "event/1",
                "mailbox": str(OTHER),
                "name": "mailbox.renumbered",
                "number": 1,
            },
            separators=(",", ":"),
        ).encode()
    )
    commit(ledger, 2)
    leaves += [entry_leaf(pending_of(seq).receipt) for seq in (6, 7)]
    assert ledger.log.size() == len(leaves)
    for size in range(1, len(leaves) + 1):
        assert ledger.log.root(size) == naive_root(leaves[:size])
    assert [ledger.log.position(seq) for seq in (1, 5, 6, 7, 8)] == [0, 4, 6, 7, None]


def test_inclusion_and_consistency_are_proven_from_the_stored_nodes(ledger: Ledger) -> None:
    """Every proof of every size verifies against the roots."""
    for _ in range(9):
        commit(ledger, 3)
    size = ledger.log.size()
    for old in range(1, size + 1):
        proof = ledger.log.prove_consistency(old, size)
        old_root, new_root = ledger.log.root(old), ledger.log.root(size)
        assert merkle.verify_consistency(old, size, proof, old_root, new_root)
        inclusion = ledger.log.prove_inclusion(old - 1, size)
        leaf = leaf_hash(entry_leaf(pending_of(old).receipt))
        assert merkle.verify_inclusion(leaf, inclusion, size, new_root)


def test_a_commit_that_fails_leaves_no_leaf(ledger: Ledger) -> None:
    """Entry and leaf are one transaction."""
    commit(ledger, 1)
    with pytest.raises(IntegrityError):
        ledger.commit([pending_of(2), pending_of(4)])
    assert (ledger.log.size(), ledger.last_seq()) == (1, 1)


def test_an_event_gets_its_leaf_once(ledger: Ledger) -> None:
    """What was logged before is passed over, as recovery reads it a second time."""
    for name in ("service.started", "service.stopped"):
        ledger.record_event(name, NOW)
    events = ledger.unlogged_events()
    assert [event.number for event in ledger.unlogged_events(limit=1)] == [1]
    assert (ledger.log_events(events[:1]), ledger.log_events(events)) == (1, 1)
    assert (ledger.log.size(), ledger.unlogged_events()) == (2, [])


def test_a_new_ledger_takes_events_over_with_their_numbers(ledger: Ledger, tmp_path: Path) -> None:
    """Events from the segments are written down and logged; the tree is the same."""
    commit(ledger, 2)
    ledger.record_event("service.started", NOW, note="ä\x00\x1a\udc80")
    events = ledger.unlogged_events()
    ledger.log_events(events)
    fresh = Ledger.open(tmp_path / "fresh.db", create=True, sync_directory=sync_directory)
    with fresh.session():
        commit(fresh, 2)
        assert fresh.log_events(events) == 1
        assert fresh.events() == ledger.events() == events
        assert fresh.log.root(3) == ledger.log.root(3)
        fresh.record_event("ledger.rebuilt", NOW)
        assert [event.number for event in fresh.unlogged_events()] == [2]


def test_an_event_that_differs_from_the_stored_one_is_refused(ledger: Ledger) -> None:
    """Somebody changed the row between recording and logging."""
    ledger.record_event("service.started", NOW)
    (event,) = ledger.unlogged_events()
    with pytest.raises(IntegrityError, match="differs from the stored one: event 1"):
        ledger.log_events([replace(event, name="service.stopped")])
    assert ledger.log.size() == 0


def test_an_event_that_says_too_much_is_cut(ledger: Ledger) -> None:
    """An event always fits into a segment."""
    ledger.record_event("mailbox.gap", NOW, uids=list(range(100_000)))
    (event,) = ledger.unlogged_events()
    assert list(event.keys) == ["cut"]
    assert event.keys["cut"].startswith('{"uids":[0,1,2,')


def test_a_missing_hash_is_damage(ledger: Ledger, ledger_path: Path) -> None:
    """A log with a hole gives no roots and takes no leaves."""
    commit(ledger, 4)
    rows = sqlite3.connect(ledger_path).execute("SELECT level, hash FROM nodes").fetchall()
    assert len(rows) == 3
    tamper(ledger_path, "DELETE FROM nodes WHERE level = 2")
    with pytest.raises(IntegrityError, match="missing: level 2, index 0"):
        ledger.log.root(4)
    with pytest.raises(IntegrityError, match="missing"):
        commit(ledger, 1)
    assert ledger.last_seq() == 4
    with sqlite3.connect(ledger_path) as connection:
        connection.execute("INSERT INTO nodes VALUES (2, 0, ?)", rows[-1][1:])
    connection.close()
