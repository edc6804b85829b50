"""What is believed of an archive that another process left behind."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from played_mailbox import AFTER, Crash, Fault
from world import House, World

from collector.custody.adopt import adopt
from collector.domain.errors import IntegrityError
from collector.ledger.ledger import Ledger
from collector.store.archive import Archive
from collector.store.durable import sync_directory

MESSAGES = [b"Subject: %d\r\n\r\nbody %d\r\n" % (number, number) for number in range(4)]


@pytest.fixture
def world(scratch: Path) -> World:
    """A filled mailbox and an archive that does not exist yet."""
    world = World(scratch / "archive")
    world.deliver(*MESSAGES)
    return world


def test_what_cannot_be_read_is_not_taken_for_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A read error where numbers may be taken stops everything before one is used twice."""
    with pytest.raises(Crash):
        world.cycle(Fault("append", 1, AFTER))
    real_pread = os.pread

    def pread(fd: int, length: int, offset: int) -> bytes:
        if Path(f"/proc/self/fd/{fd}").readlink().name == "000001.tar.zst":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real_pread(fd, length, offset)

    monkeypatch.setattr(os, "pread", pread)
    with pytest.raises(IntegrityError, match="cannot be read back"):
        world.cycle()
    assert world.server.deleted == []
    monkeypatch.undo()
    world.restart()
    world.run_to_the_end(Fault(after=world.check))
    world.check_done()


def test_a_rebuild_saves_what_is_there_and_counts_what_is_missing(world: World) -> None:
    """A lost segment costs its own messages; the numbers of the others stay as they are."""
    world.cycle()
    world.restart()
    (world.root / "lock").unlink()  # whoever comes next begins a segment of his own
    world.deliver(*[b"%s again" % raw for raw in MESSAGES], MESSAGES[0])
    world.run_to_the_end()
    (world.root / "segments/000001.tar.zst").unlink()
    ledger = Ledger.open(world.root / "fresh.db", create=True, sync_directory=sync_directory)
    adopted = adopt(Archive(world.root), ledger, salvage=True)
    assert [entry.seq for entry in ledger.entries()] == [5, 6, 7, 8]
    assert (adopted.entries_count, adopted.missing_count) == (4, 4)
    assert "some are missing" in " ".join(ledger.check_consistency())
    ledger.close()


def test_a_gap_is_never_adopted_by_a_running_service(world: World) -> None:
    """Only a person who rebuilds may decide that messages are lost."""
    world.cycle()
    world.restart()
    (world.root / "lock").unlink()
    world.deliver(b"A: later\r\n\r\n")
    with pytest.raises(Crash):
        world.cycle(Fault("append", 1, AFTER))
    for path in (world.root / "ledger.db", world.root / "segments/000001.tar.zst"):
        path.unlink()
    house = House.open(world.root)
    with pytest.raises(IntegrityError, match="should come next"), house.intake.turn():
        pass
    house.stop()
