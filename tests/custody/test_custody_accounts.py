"""Who else was at the mailbox: every trace becomes an event, whatever happened in between."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from played_mailbox import MAILBOX, Crash, Fault
from world import World

from collector.domain.errors import CycleError
from collector.domain.evidence import Event
from collector.ledger.ledger import Ledger
from collector.ledger.query import Balance
from collector.ledger.watched import Failure, FailureKind
from collector.store.durable import sync_directory

A, B, C = (b"A: %d\r\n\r\n" % number for number in (1, 2, 3))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A mailbox and an archive that does not exist yet."""
    world = World(tmp_path / "archive")
    yield world
    world.restart()


def ledger_of(world: World) -> Ledger:
    """Open the ledger beside the running process."""
    return Ledger.open(world.root / "ledger.db", create=False, sync_directory=sync_directory)


def events(world: World, name: str) -> list[Event]:
    """Return the events of a name, oldest first."""
    ledger = ledger_of(world)
    found = ledger.events(names=[name])
    ledger.close()
    return found[::-1]


def balance(world: World) -> Balance:
    """Return the balance of the folder."""
    ledger = ledger_of(world)
    day = world.now.replace(hour=0, minute=0, second=0)
    (told,) = ledger.accounts.period(day, day + timedelta(days=1), world.now).balances
    ledger.close()
    return told


@pytest.mark.parametrize("error", [None, CycleError("the connection was lost")])
def test_what_was_listed_and_stolen_before_the_fetch_is_told(world: World, error) -> None:
    """The cycle ended between listing and fetch; the next one still knows what it had seen."""
    world.deliver(A, B)
    fault = Fault("announce", 1, "before", error)
    with pytest.raises(Crash if error is None else CycleError):
        world.cycle(fault)
    world.server.steal(1)
    world.run_to_the_end()
    (event,) = events(world, "message.vanished")
    told = {"uids": "1", "uids_count": 1, "collected": False, "evidence": "unlisted"}
    assert told.items() <= event.keys.items()
    assert event.keys["since"] is not None
    assert balance(world) == Balance(MAILBOX, 0, 0, 0, 0)


def test_a_gap_says_what_is_known_and_of_which_server(world: World) -> None:
    """Without VANISHED a number is unaccounted for; nothing more is claimed."""
    world.deliver(A)
    world.cycle()
    world.deliver(B, C)
    world.server.steal(2)
    world.run_to_the_end()
    (event,) = events(world, "mailbox.gap")
    told = {"uids": "2", "evidence": "unaccounted", "server": "other", "is_cut": False}
    assert told.items() <= event.keys.items()


def test_many_losses_are_one_event(world: World) -> None:
    """A mailbox emptied by another client is told in one line, with all numbers."""
    world.policy = replace(world.policy, delete=False)
    world.deliver(*(b"A: %d\r\n\r\n" % number for number in range(50)))
    world.cycle()
    for uid in list(world.server.messages):
        world.server.steal(uid)
    world.cycle()
    world.cycle()
    (event,) = events(world, "message.vanished")
    assert {"seqs": "1:50", "seqs_count": 50, "collected": True}.items() <= event.keys.items()


def test_a_long_time_without_a_poll_is_told_with_the_last_error(world: World) -> None:
    """A slow pace is none; an hour without a look is."""
    world.cycle()
    world.now += timedelta(minutes=14)
    world.cycle()
    assert events(world, "mailbox.unwatched") == []
    ledger = ledger_of(world)
    failure = Failure(FailureKind.UNREACHABLE, "connection refused", 60.0)
    ledger.note_cycle(MAILBOX, world.now, failure)
    ledger.close()
    world.now += timedelta(hours=1)
    world.cycle()
    (event,) = events(world, "mailbox.unwatched")
    assert (event.keys["seconds"], event.keys["error"]) == (3601, "connection refused")


def test_flags_of_others_are_told_before_we_touch_a_message(world: World) -> None:
    """A server that cannot tell of changes shows flags when sizes are asked for; once."""
    world.server.flags = ("seen", "flagged")
    world.deliver(A, B)
    world.server.poison.add(1)
    world.cycle()
    world.now += timedelta(minutes=2)
    world.cycle()
    (event,) = events(world, "message.flagged")
    assert {"uids": "1:2", "flags": ["flagged", "seen"]}.items() <= event.keys.items()


def test_what_people_do_in_their_own_folders_is_nobody_s_business(world: World) -> None:
    """A folder that is looked through once is not a journal: it counts, and raises nothing."""
    world.policy = replace(world.policy, delete=False, watched=False)
    world.server.flags = ("seen",)
    world.deliver(A, B)
    world.cycle()
    world.deliver(C)
    world.server.steal(1)
    world.server.steal(3)
    world.now += timedelta(days=30)
    world.cycle()
    world.cycle()
    names = ("mailbox.gap", "mailbox.unwatched", "message.flagged", "message.vanished")
    assert [events(world, name) for name in names] == [[], [], [], []]
    assert balance(world).unexplained == 0
