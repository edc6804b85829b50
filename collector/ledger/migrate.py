"""Brings the tables of a ledger up to this program's version.

Rule: migrating an existing ledger is a conscious act (``collector migrate``);
opening one only looks whether it is needed.  The steps are the numbered files of
the folder ``migrations``; the table ``schema_migration`` says which were applied.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from playhouse.migrations import MigrationError, Runner

from collector.domain.errors import ConfigError
from collector.ledger.database import LedgerDatabase
from collector.ledger.file import create_file, file_exists

FIRST = "0001_ledger.py"
HISTORY = "schema_migration"
SyncDirectory = Callable[[Path], None]


def migrations_directory() -> Path:
    """Return the folder of the steps: in an installation, or in a checkout.

    Raises:
        ConfigError: the installation is not complete.
    """
    package = Path(__file__).resolve().parents[1]
    for directory in (package / "migrations", package.parent / "migrations"):
        if (directory / FIRST).is_file():
            return directory
    raise ConfigError(
        "the migrations are missing", subject=str(package), hint="install the program again"
    )


def migrate(path: Path, sync_directory: SyncDirectory) -> list[str]:
    """Apply what is pending to the ledger at ``path``; return the names, in order.

    A missing ledger is made, empty; the segments fill it at the next start.

    Raises:
        ConfigError: the ledger comes from a newer version, or cannot be made there.
        CycleError, IntegrityError: as in ``LedgerDatabase.writing``.
    """
    if not file_exists(path):
        create_file(path)
    database = LedgerDatabase(path)
    with database.reading():
        runner = _runner(database)
        refuse_newer(runner, path)
        try:
            names = [str(name) for name in runner.up()]
        except MigrationError as error:
            raise ConfigError(f"a migration failed: {error}", subject=str(path)) from error
        sync_directory(path.parent)  # the names of the database and its -wal
    return names


def is_unmade(path: Path) -> bool:
    """Say whether there is no ledger, or the making of one stopped before its first table."""
    if not file_exists(path):
        return True
    database = LedgerDatabase(path)
    with database.reading():
        return not set(database.get_tables()) - {HISTORY}


def check_migrated(database: LedgerDatabase) -> None:
    """Refuse a ledger whose tables are older or newer than this program.

    Raises:
        ConfigError: with the command that helps.
    """
    runner = _runner(database)
    refuse_newer(runner, database.path)
    pending = [step.name for step in runner.status() if step.applied is None]
    if pending:
        raise ConfigError(
            "the ledger needs a migration",
            subject=f"{database.path}: {', '.join(pending)}",
            hint="stop the service, make a copy of the ledger, run `collector migrate`",
        )


def _runner(database: LedgerDatabase) -> Runner:
    return Runner(database, str(migrations_directory()), HISTORY)


def refuse_newer(runner: Runner, path: Path) -> None:
    """Raise ``ConfigError`` when steps were applied that this program does not have."""
    unknown = [step.name for step in runner.status() if step.path is None]
    if unknown:
        raise ConfigError(
            "the ledger was made by a newer version of this program",
            subject=f"{path}: {', '.join(unknown)}",
            hint="install the version that made it, or a later one",
        )
