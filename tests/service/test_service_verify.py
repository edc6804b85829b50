"""``verify`` finds what somebody did to the ledger, the log or the checkpoints, and names it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from taking import NOW, take

from collector.config import Settings, load
from collector.service.assemble import open_house
from collector.service.evidence import known_keys
from collector.service.selection import Wanted
from collector.service.verify import verify


def letters(first: int, count: int) -> list[bytes]:
    """Return short messages."""
    return [b"Subject: %d\r\n\r\nbody\r\n" % each for each in range(first, first + count)]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Return the configuration of an archive of six entries, two events and checkpoints."""
    path = tmp_path / "collector.toml"
    path.write_text(f'[archive]\npath = "{tmp_path / "archive"}"\n')
    settings = load(path)
    with open_house(settings) as house:
        house.record("service.started")
        take(house, 1, letters(1, 3))
        take(house, 4, letters(4, 3))
        house.record("service.stopped")
    return settings


def found(settings: Settings, **wanted: object) -> list[str]:
    """Return what is found, as (entry, what)."""
    verified = verify(settings, Wanted(**wanted), lambda _done, _total: None)
    return [f"{each.seq or each.subject}: {each.what}" for each in verified.problems]


def tamper(settings: Settings, sql: str) -> None:
    """Change the ledger with another program."""
    subprocess.run(["sqlite3", settings.archive.path / "ledger.db", sql], check=True)


def test_a_sound_archive_has_no_problems(settings: Settings) -> None:
    """Whichever way it is verified."""
    for wanted in ({}, {"bodies": False}, {"sample": 2}, {"since": NOW}):
        assert found(settings, **wanted) == []
    key = str(known_keys(settings.archive.path)[0])
    assert found(settings, keys=(key,)) == []
    assert verify(settings, Wanted(), lambda _done, _total: None).entries == 6


CHANGES = [
    ("UPDATE receipts SET uid = 99 WHERE seq = 2; UPDATE entries SET uid = 99 WHERE seq = 2",
     "2: it is not what was logged: its row was changed"),
    ("UPDATE receipts SET committed_at = '2020-01-01T00:00:00.000000Z' WHERE seq = 3",
     "3: it is not what was logged: its row was changed"),
    ("UPDATE receipts SET fetch_flags = '[' WHERE seq = 3",
     "3: it is not what was logged: its row was changed"),
    ("DELETE FROM receipts WHERE seq = 5",
     "5: it is in the log, but no longer in the ledger"),
    (("INSERT INTO entries SELECT 7, folder_id, uidvalidity, 70, state, blob_digest, blob_bytes,"
     " segment, frame_offset, frame_bytes, blob_offset, stored_bytes, cleared_at, clear_attempts,"
     " settled_at, absent_count FROM entries WHERE seq = 6"),
     "7: it is not in the log: somebody inserted it"),
    ("UPDATE events SET name = 'nothing.happened' WHERE id = 2",
     "ledger.db: event 2 is not what was logged: its row was changed"),
    ("UPDATE events SET keys = '{' WHERE id = 2",
     "ledger.db: event 2 is not what was logged: its row was changed"),
    ("DELETE FROM events WHERE id = 1",
     "ledger.db: event 1 is in the log, but not in the ledger"),
    ("INSERT INTO events SELECT -1, at, name, mailbox, keys FROM events WHERE id = 2",
     "ledger.db: event -1 is not in the log: somebody inserted it"),
    ("DELETE FROM leaves WHERE position = 2",
     "ledger.db: leaf 2 is missing: somebody removed it"),
    ("UPDATE leaves SET hash = zeroblob(32) WHERE entry_seq = 4",
     "4: it is not what was logged: its row was changed"),
    ("UPDATE nodes SET hash = zeroblob(32) WHERE level = 2 AND \"index\" = 1",
     "ledger.db: the tree over leaves 4 to 7 is not the one kept"),
    ("INSERT INTO nodes VALUES (9, 0, zeroblob(32))",
     "ledger.db: the tree has nodes of level 9 over no leaves"),
    ("UPDATE leaves SET event_number = 70 WHERE entry_seq = 1",
     "ledger.db: leaf 2 stands for nothing"),
]  # fmt: skip


@pytest.mark.parametrize(("sql", "expected"), CHANGES, ids=[each[0][:48] for each in CHANGES])
def test_a_change_behind_our_back_is_found_and_named(
    settings: Settings, sql: str, expected: str
) -> None:
    """The log alone shows it, without reading a message."""
    tamper(settings, sql)
    assert expected in found(settings, bodies=False)


def test_a_change_of_rows_leaves_and_nodes_contradicts_the_checkpoint(settings: Settings) -> None:
    """Somebody changes a row and computes the whole tree anew: what was signed before stands."""
    root = settings.archive.path
    tamper(settings, "UPDATE events SET name = 'nothing.happened' WHERE id = 1")
    shutil.copytree(root / "checkpoints", root.parent / "checkpoints")
    rebuild_tree(settings)
    problems = found(settings, bodies=False)
    assert problems
    assert all("are not those of the checkpoint" in each for each in problems)


def rebuild_tree(settings: Settings) -> None:
    """Compute leaves and nodes over the rows as they are now, as an intruder would."""
    from collector.ledger import log, models
    from collector.ledger.database import LedgerDatabase
    from collector.ledger.entries import recorded

    database = LedgerDatabase(settings.archive.path / "ledger.db")
    with database.writing():
        leaves = list(database.tuples("SELECT * FROM leaves ORDER BY position", []))
        database.execute_sql("DELETE FROM leaves")
        database.execute_sql("DELETE FROM nodes")
        anew = []
        for _position, _hash, seq, number in leaves:
            if seq is None:
                row = database.rows(models.Event.select().where(models.Event.id == number))[0]
                anew.append((log.encode_event_leaf(log.decode_event(row)), None, number))
            else:
                anew.append((recorded(database, [seq])[0].leaf, seq, None))
        log._add(database, anew)


def test_an_archive_that_was_rolled_back_is_found(settings: Settings, tmp_path: Path) -> None:
    """An old ledger beside newer checkpoints."""
    ledger = settings.archive.path / "ledger.db"
    old = tmp_path / "old.db"
    shutil.copy(ledger, old)
    with open_house(settings) as house:
        take(house, 7, letters(7, 1))
    shutil.copy(old, ledger)
    assert any("were signed: it was rolled back" in each for each in found(settings, bodies=False))


def test_a_log_signed_with_another_key_is_found(settings: Settings, tmp_path: Path) -> None:
    """Somebody makes a new archive with a key of his own; the published key tells."""
    published = str(known_keys(settings.archive.path)[0])
    root = settings.archive.path
    shutil.rmtree(root / "checkpoints")
    with open_house(settings) as house:
        take(house, 7, letters(7, 1))
    assert found(settings, bodies=False) == []
    (checkpoint, *_) = sorted((root / "checkpoints").glob("*.checkpoint"))
    expected = f"checkpoint {checkpoint.name}: no known key signed this note"
    assert expected in found(settings, bodies=False, keys=(published,))


def test_a_damaged_checkpoint_is_named(settings: Settings) -> None:
    """A checkpoint that was edited is no checkpoint."""
    path = min((settings.archive.path / "checkpoints").glob("*.checkpoint"))
    path.write_bytes(path.read_bytes().replace(b"/", b"\\", 1))
    assert [each.split(":")[0] for each in found(settings)] == [f"checkpoint {path.name}"]


def test_rows_changed_with_the_whole_tree_differ_from_the_segments(settings: Settings) -> None:
    """Without any checkpoint the segments still say what was stored."""
    tamper(settings, "UPDATE receipts SET uid = 99 WHERE seq = 2;"
           "UPDATE entries SET uid = 99 WHERE seq = 2;"
           "UPDATE events SET name = 'nothing.happened' WHERE id = 1")  # fmt: skip
    rebuild_tree(settings)
    shutil.rmtree(settings.archive.path / "checkpoints")
    assert found(settings) == [
        "ledger.db: the ledger's event 1 differs from the stored one",
        "2: the ledger's row differs from the stored receipt",
    ]
