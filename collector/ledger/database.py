"""The SQLite file under the ledger: how it is opened, written and broken.

Rule: the only module that knows SQLite.  Every new connection reads back that
it is in WAL mode with synchronous=FULL and foreign keys; nothing is done on one
that is not (integrity reference, 1.5: setting WAL can fail without an error).

Must not know: tables, messages, mailboxes.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from itertools import chain, islice
from pathlib import Path
from typing import Any, TypeVar

import peewee

from collector.domain.errors import CollectorError, ConfigError, CycleError, IntegrityError
from collector.ledger.file import disk_full, read_only_address

BUSY_TIMEOUT_S = 30
PARAMETERS_MAX = 500
"""Values in one IN list; every database takes so many."""
ROWS_AT_ONCE = (32, 8, 1)
"""Rows in one INSERT; few sizes, because a statement is made ready once and kept."""
PROBLEMS_MAX = 100
INTEGER_MAX = 2**63 - 1

PRAGMAS = {
    "journal_mode": "wal",
    "synchronous": "full",
    "foreign_keys": 1,
    "wal_autocheckpoint": 4_000,
    "journal_size_limit": 64 * 1024 * 1024,
}
"""A checkpoint every 16 MB instead of every 4: digests fall on pages all over their index, and
a page that is written twice in between is copied once; a commit costs a tenth less."""
IN_FORCE = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}

VALUE = peewee.SQL("?")
"""A place for a value in a query that is ``written`` once and run many times."""

Row = dict[str, Any]
Item = TypeVar("Item")

_WRITER = peewee.SqliteDatabase(None)
_FULL = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE}
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL}
_NOT_NOW = {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_NOMEM}
_NOT_ALLOWED = {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH}


class LedgerDatabase(peewee.SqliteDatabase):
    """One ledger file; every thread has its own connection.

    Once a write met an I/O error or a damaged page, nothing is written any
    more: what a failed fsync lost cannot be seen by trying again (integrity
    reference, 1.3).
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        place, pragmas = (read_only_address(path), {}) if read_only else (str(path), PRAGMAS)
        super().__init__(
            place, pragmas=pragmas, timeout=BUSY_TIMEOUT_S, lock_type="IMMEDIATE", uri=read_only
        )
        self.path = path
        self.read_only = read_only
        self._broken = ""
        # SQLite's own LOWER knows ASCII only.
        self.register_function(_fold, "lower", 1, deterministic=True)

    def connect(self, reuse_if_open: bool = False) -> bool:  # noqa: FBT001, FBT002 - peewee's form
        """Open this thread's connection; refuse one whose promises are not in force."""
        opened = bool(super().connect(reuse_if_open))
        if opened and not self.read_only:
            try:
                self._check_pragmas()
            except BaseException:
                self.close()
                raise
        return opened

    def _check_pragmas(self) -> None:
        for name, expected in IN_FORCE.items():
            actual = self.pragma(name)
            if actual != expected:
                raise ConfigError(
                    f"the ledger's {name} is {actual}, not {expected}: a commit might be lost",
                    subject=str(self.path),
                    hint="the archive must lie on a local file system that supports SQLite's WAL",
                )

    def hold(self) -> bool:
        """Open this thread's connection until ``close``; say whether it was closed before."""
        with self._translated():
            return self.connect(reuse_if_open=True)

    @contextmanager
    def session(self) -> Iterator[None]:
        """Keep this thread's connection open; an outer session stays open."""
        opened = self.hold()
        try:
            yield
        finally:
            if opened:
                self.close()

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Read; every statement sees the last commit."""
        with self.session(), self._translated():
            yield

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Read; all statements of the block see the same commit."""
        with self.session(), self._translated():
            self._execute("BEGIN DEFERRED")
            try:
                yield
            finally:
                self._execute("ROLLBACK")

    @contextmanager
    def writing(self) -> Iterator[None]:
        """One IMMEDIATE transaction; durable when the block is left without an error.

        Raises:
            CycleError: the disk is full, or another process held the lock too long.
            IntegrityError: the database is damaged, or an fsync failed, now or
                earlier in this process.
        """
        if self.read_only:
            hint = "this is a copy, or belongs to another user"
            raise ConfigError("the archive cannot be written", subject=str(self.path), hint=hint)
        if self._broken:
            raise IntegrityError(
                "an earlier write to the ledger failed", subject=str(self.path), hint=self._broken
            )
        with self.session(), self._translated():
            try:
                self.begin()
                yield
                self.commit()
            except BaseException as error:
                if isinstance(error, peewee.PeeweeException | sqlite3.Error):
                    self._note_broken(error)
                self._undo()
                raise

    def _undo(self) -> None:
        """Roll back, unless SQLite has done so itself (it does when the disk is full)."""
        if self.connection().in_transaction:  # type: ignore[no-untyped-call]
            try:
                self.rollback()
            except peewee.DatabaseError:
                self.close()

    def _note_broken(self, error: Exception) -> None:
        if isinstance(self._meaning(error), IntegrityError) and _code(error) & 0xFF in {
            sqlite3.SQLITE_IOERR,
            sqlite3.SQLITE_CORRUPT,
            sqlite3.SQLITE_NOTADB,
        }:
            self._broken = f"{error}; look at the disk, then restart and run `collector verify`"

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Let no exception of peewee or SQLite leave the room."""
        try:
            yield
        except (peewee.PeeweeException, sqlite3.Error) as error:
            raise self._meaning(error) from error
        except OverflowError as error:
            hint = "the server names a UID or UIDVALIDITY that cannot be; look at its log"
            what = "a number is larger than the ledger holds"
            raise CycleError(what, subject=str(self.path), hint=hint) from error

    def _meaning(self, error: Exception) -> CollectorError:
        """Return ``error`` as an error of the house, by what must stop."""
        code, subject = _code(error), str(self.path)
        if code in _FULL or code & 0xFF in _FULL:
            return disk_full(subject)
        if code & 0xFF in _BUSY:
            hint = "another process writes it; it is tried again"
            return CycleError("the ledger is locked", subject=subject, hint=hint)
        if code & 0xFF in _NOT_NOW and self.read_only:
            hint = f"copy {self.path.name}-shm beside it as well, or let it be written once"
            what = "the ledger cannot be read without its shared memory"
            return ConfigError(what, subject=subject, hint=hint)
        allowed = os.access(self.path, os.R_OK | os.W_OK)
        if code & 0xFF in _NOT_ALLOWED or (code & 0xFF in _NOT_NOW and not allowed):
            hint = "the user who runs this must own the archive"
            return ConfigError("the ledger cannot be opened", subject=subject, hint=hint)
        if code & 0xFF in _NOT_NOW:
            hint = "look at free memory and the limit of open files"
            return CycleError("the ledger cannot be opened now", subject=subject, hint=hint)
        hint = "nothing is deleted; look at the disk, then run `collector verify`"
        return IntegrityError(f"the ledger is damaged: {error}", subject=subject, hint=hint)

    def rows(self, query: Any) -> list[Row]:  # noqa: ANN401 - peewee's queries share no public type
        """Run a select and return its rows by column name, or by alias."""
        return self.named(*_sql(self, query))

    def named(self, sql: str, values: Sequence[Any]) -> list[Row]:
        """Run a ``written`` select and return its rows by column name, or by alias."""
        return list(self.each_named(sql, values))

    def each_named(self, sql: str, values: Sequence[Any]) -> Iterator[Row]:
        """The same row by row; read them before the session ends."""
        cursor = self._execute(sql, values)
        names = [column[0] for column in cursor.description]
        for row in cursor:
            yield dict(zip(names, row, strict=True))

    def tuples(self, sql: str, values: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
        """Run a ``written`` select and yield its rows; read them before the session ends."""
        yield from self._execute(sql, values)

    def _execute(self, sql: str, values: Sequence[Any] = ()) -> Any:  # noqa: ANN401 - a cursor
        return self.execute_sql(sql, values)  # type: ignore[no-untyped-call]

    def each(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run a ``written`` change once for every row of values."""
        self.cursor().executemany(sql, rows)  # type: ignore[no-untyped-call]

    def insert(self, model: type[peewee.Model], rows: Iterable[Mapping[str, Any]]) -> None:
        """Insert rows (column name to value, all with the same columns) as they come.

        Not peewee's ``insert_many``: a message may have 100,000 recipients, and
        100,000 rows take 0.3 s this way.
        """
        remaining = iter(rows)
        first = next(remaining, None)
        if first is None:
            return
        table = model._meta.table_name  # noqa: SLF001 - the form peewee offers
        self.insert_rows(table, tuple(first), (row.values() for row in chain([first], remaining)))

    def insert_rows(
        self, table: str, columns: tuple[str, ...], rows: Iterable[Iterable[Any]]
    ) -> None:
        """Insert rows of values, in the order of ``columns``.

        Many with one statement: each makes this thread wait twice for its turn at the
        interpreter, when others are at work (0.1 ms a time).
        """
        for portion in portions(rows, ROWS_AT_ONCE[0]):
            done = 0
            for count in ROWS_AT_ONCE:
                while len(portion) - done >= count:
                    taken = portion[done : done + count]
                    sql = _insertion(table, columns, count)
                    self._execute(sql, list(chain.from_iterable(taken)))
                    done += count

    def problems(self) -> list[str]:
        """Return what SQLite finds wrong with its own pages and references."""
        found = self._execute(f"PRAGMA integrity_check({PROBLEMS_MAX})").fetchall()
        texts = [str(line) for (line,) in found if line != "ok"]
        dangling = self._execute("PRAGMA foreign_key_check").fetchmany(PROBLEMS_MAX)
        texts += [f"table {row[0]}, row {row[1]}: its {row[2]} row is missing" for row in dangling]
        return texts


def values(count: int) -> peewee.SQL:
    """Return ``count`` places for values, as a list for ``in_``."""
    return peewee.SQL(f"({', '.join('?' * count)})")


def written(query: Any) -> str:  # noqa: ANN401 - peewee's queries share no public type
    """Return the SQL of a query whose values are all ``VALUE`` or ``values``.

    Building a query of 500 values with peewee takes 2 ms, running it 0.3 ms.
    """
    sql, fixed = _sql(_WRITER, query)
    if fixed:
        raise ValueError(f"a written query has fixed values: {fixed}")
    return sql


def _sql(database: Any, query: Any) -> tuple[str, Sequence[Any]]:  # noqa: ANN401 - untyped
    sql, fixed = database.get_sql_context().sql(query).query()
    return sql, fixed


@lru_cache(maxsize=256)
def _insertion(table: str, columns: tuple[str, ...], count: int) -> str:
    names = ", ".join(f'"{name}"' for name in columns)
    places = f"({', '.join('?' * len(columns))})"
    return f'INSERT INTO "{table}" ({names}) VALUES {", ".join([places] * count)}'  # noqa: S608


def portions(items: Iterable[Item], size: int = PARAMETERS_MAX) -> Iterator[Sequence[Item]]:
    """Yield all items, at most ``size`` at a time."""
    remaining = iter(items)
    while portion := list(islice(remaining, size)):
        yield portion


def contains(column: Any, text: str) -> Any:  # noqa: ANN401 - peewee's expressions
    """Return the SQL for "``column`` contains ``text``, in whatever case"."""
    return peewee.fn.LOWER(column).contains(_fold(text))


def _fold(text: str | None) -> str | None:
    return None if text is None else text.casefold()


def _code(error: Exception) -> int:
    """Return SQLite's extended result code; peewee keeps the original as ``orig``."""
    original = getattr(error, "orig", error)
    return int(getattr(original, "sqlite_errorcode", sqlite3.SQLITE_ERROR))
