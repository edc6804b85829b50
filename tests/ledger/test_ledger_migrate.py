"""How a ledger is made, brought up to date, and refused."""

from __future__ import annotations

import sqlite3
import stat
from pathlib import Path

import peewee
import pytest
from ledger_samples import commit, tamper

from collector.domain.errors import ConfigError, CycleError
from collector.ledger import migrate as migrate_module
from collector.ledger.canary_models import TABLES
from collector.ledger.ledger import Ledger
from collector.ledger.memory_models import MEMORY_TABLES
from collector.ledger.migrate import migrate, migrations_directory
from collector.store.durable import sync_directory


def schema(path: Path) -> set[str]:
    """Return the SQL of every table and index of the ledger's own."""
    connection = sqlite3.connect(path)
    rows = connection.execute(
        "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND tbl_name != 'schema_migration'"
    ).fetchall()
    connection.close()
    return {sql for (sql,) in rows if "sqlite_sequence" not in sql}


def test_the_migrations_make_exactly_the_tables_of_the_models(tmp_path: Path) -> None:
    """Columns, keys, references and indexes are the same, to the letter."""
    migrated, modelled = tmp_path / "migrated.db", tmp_path / "modelled.db"
    migrate(migrated, sync_directory)
    database = peewee.SqliteDatabase(str(modelled))
    tables = (*TABLES, *MEMORY_TABLES)
    with database.bind_ctx(tables), database.connection_context():
        database.create_tables(tables, safe=False)
    assert schema(migrated) == schema(modelled)
    assert len(schema(migrated)) >= len(tables)


def test_migrating_is_told_once_and_repeated_without_effect(ledger_path: Path) -> None:
    """The names of what was applied come back, in order; then there is nothing to do."""
    names = [path.stem for path in sorted(migrations_directory().glob("[0-9]*.py"))]
    assert migrate(ledger_path, sync_directory) == names
    before = schema(ledger_path)
    assert migrate(ledger_path, sync_directory) == []
    assert schema(ledger_path) == before


def test_a_ledger_is_for_its_owner_only(ledger_path: Path) -> None:
    """Envelopes are personal data: nobody else may read the file or its log."""
    ledger = Ledger.open(ledger_path, create=True, sync_directory=sync_directory)
    commit(ledger, 1)
    for path in (ledger_path, Path(f"{ledger_path}-wal"), Path(f"{ledger_path}-shm")):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    ledger.close()


def test_the_directory_is_synced_when_the_files_are_in_it(ledger_path: Path) -> None:
    """SQLite ignores errors of its own directory sync, so the caller's one must come after."""
    present: list[tuple[Path, bool]] = []

    def sync(directory: Path) -> None:
        present.append((directory, Path(f"{ledger_path}-wal").exists()))

    ledger = Ledger.open(ledger_path, create=True, sync_directory=sync)
    assert present == [(ledger_path.parent, True)] * 2
    ledger.close()


def test_an_error_of_the_directory_sync_is_not_swallowed(ledger_path: Path) -> None:
    """A ledger whose name may be lost is not used."""

    def fail(directory: Path) -> None:
        raise CycleError("the directory cannot be synced", subject=str(directory))

    with pytest.raises(CycleError, match="cannot be synced"):
        Ledger.open(ledger_path, create=True, sync_directory=fail)


def test_a_missing_ledger_is_not_made_by_the_way(ledger_path: Path) -> None:
    """Beside segments that hold messages a new, empty ledger would be a lie."""
    with pytest.raises(ConfigError, match="there is no ledger"):
        Ledger.open(ledger_path, create=False, sync_directory=sync_directory)
    assert not ledger_path.exists()


def test_a_ledger_cannot_be_made_where_there_is_no_directory(tmp_path: Path) -> None:
    """The path is named in the error."""
    path = tmp_path / "missing" / "ledger.db"
    with pytest.raises(ConfigError, match=str(path)):
        Ledger.open(path, create=True, sync_directory=sync_directory)


@pytest.mark.parametrize("made", ["", "CREATE TABLE schema_migration (id, name, applied)"])
def test_a_ledger_whose_making_was_interrupted_is_made_to_the_end(
    ledger_path: Path, made: str
) -> None:
    """A crash before the first table needs nobody's help."""
    ledger_path.touch()
    if made:
        tamper(ledger_path, made)
    with pytest.raises(ConfigError, match="needs a migration"):
        Ledger.open(ledger_path, create=False, sync_directory=sync_directory)
    if not made:
        ledger = Ledger.open(ledger_path, create=True, sync_directory=sync_directory)
        assert commit(ledger, 1)[0].seq == 1
        ledger.close()


def test_an_existing_ledger_is_not_migrated_by_the_way(
    ledger_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Opening an older ledger says which command helps; even when one may be made."""
    Ledger.open(ledger_path, create=True, sync_directory=sync_directory).close()
    newer = tmp_path / "migrations"
    newer.mkdir()
    for path in migrations_directory().glob("[0-9]*.py"):
        (newer / path.name).write_bytes(path.read_bytes())
    (newer / "9999_more.py").write_text(
        "def up(migrator, db):\n    db.execute_sql('CREATE TABLE more (id)')\n", encoding="ascii"
    )
    monkeypatch.setattr(migrate_module, "migrations_directory", lambda: newer)
    for create in (False, True):
        with pytest.raises(ConfigError, match=r"9999_more.*collector migrate"):
            Ledger.open(ledger_path, create=create, sync_directory=sync_directory)
    assert migrate(ledger_path, sync_directory) == ["9999_more"]
    Ledger.open(ledger_path, create=False, sync_directory=sync_directory).close()
    monkeypatch.undo()
    with pytest.raises(ConfigError, match="newer version"):
        Ledger.open(ledger_path, create=False, sync_directory=sync_directory)
    with pytest.raises(ConfigError, match="newer version"):
        migrate(ledger_path, sync_directory)


def test_a_migration_that_fails_leaves_the_ledger_as_it_was(
    ledger_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each step and the record of it are one transaction."""
    Ledger.open(ledger_path, create=True, sync_directory=sync_directory).close()
    before = schema(ledger_path)
    broken = tmp_path / "migrations"
    broken.mkdir()
    for path in migrations_directory().glob("[0-9]*.py"):
        (broken / path.name).write_bytes(path.read_bytes())
    (broken / "9999_broken.py").write_text(
        "def up(migrator, db):\n"
        "    db.execute_sql('CREATE TABLE half (id)')\n"
        "    db.execute_sql('CREATE TABLE half (id)')\n",
        encoding="ascii",
    )
    monkeypatch.setattr(migrate_module, "migrations_directory", lambda: broken)
    with pytest.raises(Exception, match="half already exists"):
        migrate(ledger_path, sync_directory)
    monkeypatch.undo()
    assert schema(ledger_path) == before
    Ledger.open(ledger_path, create=False, sync_directory=sync_directory).close()


def test_a_migration_has_no_way_back() -> None:
    """What was archived is never taken back by a command."""
    for path in migrations_directory().glob("[0-9]*.py"):
        assert "def down" not in path.read_text(encoding="utf-8")
