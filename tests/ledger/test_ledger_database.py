"""How the ledger opens, refuses, locks, and fails."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import peewee
import pytest
from ledger_samples import NOW, commit

from collector.domain.errors import ConfigError, CycleError, IntegrityError
from collector.ledger import database as database_module
from collector.ledger.database import LedgerDatabase, written
from collector.ledger.encoding import encode_instant
from collector.ledger.ledger import Ledger
from collector.ledger.models import Event
from collector.store.durable import sync_directory

ROW = {"at": encode_instant(NOW), "name": "ledger.tried", "mailbox": "", "keys": "{}"}


def write_event(ledger: Ledger, name: str = "ledger.tried") -> None:
    """Write something small."""
    ledger.record_event(name, NOW)


def test_every_connection_is_wal_full_and_checks_references(ledger: Ledger) -> None:
    """The promises are read back on each thread's own connection."""
    seen: list[tuple[int, list[object]]] = []

    def look() -> None:
        with ledger.session():
            names = ("journal_mode", "synchronous", "foreign_keys")
            database = ledger._database
            seen.append((id(database.connection()), [database.pragma(name) for name in names]))

    look()
    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert [pragmas for _, pragmas in seen] == [["wal", 2, 1]] * 2
    assert seen[0][0] != seen[1][0]


@pytest.mark.parametrize(
    ("name", "value"), [("synchronous", "normal"), ("journal_mode", "delete"), ("foreign_keys", 0)]
)
def test_a_promise_that_is_not_in_force_is_refused(
    ledger_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: object
) -> None:
    """A file system or a build where a commit might be lost is not used at all."""
    create = {"create": True, "sync_directory": sync_directory}
    monkeypatch.setitem(database_module.PRAGMAS, name, value)
    with pytest.raises(ConfigError, match=f"the ledger's {name} is"):
        Ledger.open(ledger_path, **create)
    database = LedgerDatabase(ledger_path)
    with pytest.raises(ConfigError), database.reading():
        pass
    assert database.is_closed()


def test_a_place_that_cannot_do_wal_is_refused() -> None:
    """SQLite says so in the answer to the PRAGMA only, not by an error."""
    with pytest.raises(ConfigError, match="journal_mode is memory"):
        LedgerDatabase(Path(":memory:")).hold()


def test_sessions_nest_and_the_opener_keeps_its_connection(ledger: Ledger) -> None:
    """The thread that opened the ledger is connected until close; a session changes nothing."""
    connection = ledger._database.connection()
    with ledger.session(), ledger.session():
        assert ledger._database.connection() is connection
    assert ledger._database.connection() is connection


def test_a_session_of_another_thread_ends_its_connection(ledger: Ledger) -> None:
    """A pool of threads leaves no connections behind."""
    closed: list[bool] = []

    def work() -> None:
        with ledger.session():
            closed.append(ledger._database.is_closed())
        closed.append(ledger._database.is_closed())
        ledger.last_seq()
        closed.append(ledger._database.is_closed())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert closed == [False, True, True]


def test_threads_that_read_and_then_write_do_not_lock_each_other_out(ledger: Ledger) -> None:
    """Transactions are IMMEDIATE, so a second writer waits instead of failing."""
    errors: list[BaseException] = []

    def work() -> None:
        try:
            with ledger.session():
                for _ in range(25):
                    with ledger._database.writing():
                        ledger._database.rows(Event.select())
                        ledger._database.insert(Event, [ROW])
        except BaseException as error:  # noqa: BLE001 - told by the main thread
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(ledger.events()) == 100


def test_a_lock_held_too_long_is_an_error_of_the_cycle(
    ledger: Ledger, ledger_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process may need longer than we wait; the next cycle tries again."""
    other = sqlite3.connect(ledger_path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    monkeypatch.setattr(database_module, "BUSY_TIMEOUT_S", 0.1)
    hurried = Ledger.open(ledger_path, create=False, sync_directory=sync_directory)
    with pytest.raises(CycleError, match="locked"):
        write_event(hurried)
    assert hurried.last_seq() == 0, "reading goes on"
    other.execute("ROLLBACK")
    other.close()
    write_event(hurried)
    hurried.close()


def test_a_failed_block_leaves_nothing_behind(ledger: Ledger) -> None:
    """Any error inside a transaction rolls it back, whoever raised it."""

    def insert_and_fail() -> None:
        with ledger._database.writing():
            ledger._database.insert(Event, [ROW])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        insert_and_fail()
    assert ledger.events() == []
    write_event(ledger)
    assert len(ledger.events()) == 1


def test_a_full_disk_stops_the_cycle_and_nothing_more(ledger: Ledger) -> None:
    """The batch is rolled back whole; with room again the same batch goes in."""
    commit(ledger, 1)
    database = ledger._database
    database.pragma("max_page_count", database.pragma("page_count"))
    with pytest.raises(CycleError, match="the disk is full"):
        commit(ledger, 2000)
    assert ledger.last_seq() == 1
    database.pragma("max_page_count", 2**30)
    commit(ledger, 2000)
    assert ledger.last_seq() == 2001


def test_a_small_disk_that_fills_up_loses_nothing(small_disk: Path) -> None:
    """On a real full file system: an error of the cycle, and what was committed is there."""
    path = small_disk / "ledger.db"
    ledger = Ledger.open(path, create=True, sync_directory=sync_directory)
    commit(ledger, 10)
    filler = small_disk / "filler"
    with filler.open("wb") as file:
        file.write(bytes(11 * 1024 * 1024))
    with pytest.raises(CycleError, match="the disk is full"):
        commit(ledger, 3000)
    assert (ledger.last_seq(), ledger.check_consistency()) == (10, [])
    filler.unlink()
    commit(ledger, 10)
    assert (ledger.last_seq(), ledger.check_consistency()) == (20, [])
    ledger.close()


def test_after_a_failed_write_nothing_is_written_any_more(ledger_path: Path) -> None:
    """What a failed write or fsync lost cannot be seen by trying again."""
    script = f"""
import resource, sys
sys.path[:0] = {[str(Path(__file__).parent), *sys.path]!r}
from pathlib import Path
from ledger_samples import commit
from collector.domain.errors import IntegrityError
from collector.ledger.ledger import Ledger
from collector.store.durable import sync_directory
ledger = Ledger.open(Path({str(ledger_path)!r}), create=True, sync_directory=sync_directory)
commit(ledger, 1)
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
for attempt in range(2):
    try:
        commit(ledger, 3000)
    except IntegrityError as error:
        print(error.what)
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
print(ledger.last_seq())
"""
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.stderr == ""
    first, second, last_seq = done.stdout.splitlines()
    assert "the ledger is damaged" in first
    assert second == "an earlier write to the ledger failed"
    assert last_seq == "1"
    ledger = Ledger.open(ledger_path, create=False, sync_directory=sync_directory)
    assert (commit(ledger, 1)[0].seq, ledger.check_consistency()) == (2, [])
    ledger.close()


def test_a_damaged_file_is_an_integrity_error(ledger_path: Path) -> None:
    """Pages that are not what SQLite wrote stop the service, and are named by the check."""
    ledger = Ledger.open(ledger_path, create=True, sync_directory=sync_directory)
    commit(ledger, 300)
    ledger.close()
    raw = bytearray(ledger_path.read_bytes())
    for page in range(60, len(raw) // 4096):
        raw[page * 4096 : page * 4096 + 100] = b"\xff" * 100
    ledger_path.write_bytes(raw)
    damaged = Ledger.open(ledger_path, create=False, sync_directory=sync_directory)
    with pytest.raises(IntegrityError, match="the ledger is damaged"):
        list(damaged.records())
    assert damaged.check_consistency() != []
    damaged.close()


def test_a_file_that_is_no_database_is_an_integrity_error(ledger_path: Path) -> None:
    """Anything else under the ledger's name is refused, and left as it is."""
    ledger_path.write_bytes(b"mail" * 1000)
    with pytest.raises(IntegrityError, match="not a database"):
        Ledger.open(ledger_path, create=False, sync_directory=sync_directory)
    with pytest.raises(IntegrityError, match="not a database"):
        Ledger.open(ledger_path, create=True, sync_directory=sync_directory)
    assert ledger_path.read_bytes() == b"mail" * 1000


@pytest.mark.skipif(os.geteuid() == 0 and not hasattr(os, "seteuid"), reason="needs seteuid")
def test_a_ledger_that_may_not_be_read_or_written_is_a_matter_of_configuration(
    ledger_path: Path,
) -> None:
    """Wrong owner, wrong permissions: one clear line at the start, not a retry for ever."""
    Ledger.open(ledger_path, create=True, sync_directory=sync_directory).close()
    script = f"""
import os, sys
sys.path[:0] = {sys.path!r}
from pathlib import Path
from collector.domain.errors import ConfigError
from collector.ledger.ledger import Ledger
from collector.store.durable import sync_directory
path = Path({str(ledger_path)!r})
for mode, directory_mode in ((0o000, 0o700), (0o400, 0o700), (0o600, 0o000)):
    path.chmod(mode)
    path.parent.chmod(directory_mode)
    if os.geteuid() == 0:
        os.chown(path, 0, 0)
        os.seteuid(65534)
    try:
        Ledger.open(path, create=False, sync_directory=sync_directory)
    except ConfigError as error:
        print("refused")
    if os.getuid() == 0:
        os.seteuid(0)
    path.parent.chmod(0o700)
"""
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.stdout, done.stderr) == ("refused\n" * 3, "")


def test_references_between_rows_are_enforced(ledger: Ledger, ledger_path: Path) -> None:
    """A row cannot name an entry that is not there."""
    row = {"seq": 9, "position": 0, "flag": "x"}
    from collector.ledger.models import Flag

    with pytest.raises(IntegrityError, match="FOREIGN KEY"), ledger._database.writing():
        ledger._database.insert(Flag, [row])


def test_a_written_query_has_no_values_of_its_own() -> None:
    """Its text is kept for the life of the process, so a value in it would stay for ever."""
    with pytest.raises(ValueError, match="fixed values"):
        written(Event.select().where(Event.name == "x"))


def test_no_exception_of_the_library_leaves_the_room(ledger: Ledger) -> None:
    """What peewee or sqlite3 raise becomes an error of the house."""
    with pytest.raises(IntegrityError) as caught, ledger._database.reading():
        ledger._database.execute_sql("SELECT * FROM nowhere")
    assert isinstance(caught.value.__cause__, peewee.PeeweeException)
