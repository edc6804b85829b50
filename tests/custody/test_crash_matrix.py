"""Every step of a cycle, failed in every way: all invariants hold after each step that follows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from played_mailbox import AFTER, BEFORE, EFFECTS, TORN, Crash, Fault, Server
from world import SEGMENT_STEPS, STEPS, World

from collector.domain.custody import Policy
from collector.domain.errors import CycleError, IntegrityError

MESSAGES = [b"Subject: %d\r\n\r\nbody %d\r\n" % (number, number) for number in range(4)]
MESSAGES.append(MESSAGES[0])  # the same bytes twice: one blob, two entries
POLICY = Policy(batch_messages_max=2, window_messages_max=4)


def new_world(root: Path, ahead_batches_max: int = 0) -> World:
    """Return a mailbox with all messages and an archive that does not exist yet."""
    world = World(root, Server(), POLICY, sealing=True, ahead_batches_max=ahead_batches_max)
    world.deliver(*MESSAGES)
    return world


def two_mailboxes(root: Path) -> World:
    """Return the same with a second mailbox, which holds some of the same bytes."""
    world = new_world(root, ahead_batches_max=1)
    second = Server(name="second", uidvalidity=7)
    for raw in (MESSAGES[1], b"A: second\r\n\r\n", b"B: second\r\n\r\n"):
        second.deliver(raw)
        world.delivered.append(raw)
    world.beside.append(second)
    return world


def two_cycles(world: World, fault: Fault, after: Callable[[], object] | None = None) -> None:
    """Collect everything, then settle it, checking (or calling ``after``) after every step."""
    fault.after = after or world.check
    world.cycle(fault)
    world.cycle(fault)


def check_survives(world: World, fault: Fault, kind: type[BaseException]) -> None:
    """Let a fault of that kind fire while threads are at work, go on, and check the end."""
    with suppress(kind):
        two_cycles(world, fault)
    assert fault.fired or fault.name == "clear"  # what is proven earlier is cleared with it
    world.run_to_the_end(Fault(after=world.check))
    world.check_done()


@pytest.fixture
def steps(scratch: Path) -> list[tuple[str, int]]:
    """Every step that two cycles without a fault take: its name, and the how-manieth."""
    fault = Fault()
    world = new_world(scratch / "clean")
    two_cycles(world, fault)
    world.restart()
    assert set(fault.steps) == STEPS
    return [
        (name, at) for name, count in Counter(fault.steps).items() for at in range(1, count + 1)
    ]


def having(steps: list[tuple[str, int]], effect: str) -> list[tuple[str, int]]:
    """Return the steps that can have this effect."""
    return [each for each in steps if effect != TORN or each[0] in SEGMENT_STEPS]


@pytest.mark.parametrize("effect", EFFECTS)
def test_a_crash_at_any_step_loses_and_doubles_nothing(
    scratch: Path, steps: list[tuple[str, int]], effect: str
) -> None:
    """After a crash at any step and a restart every message is archived once and gone."""
    for name, at in having(steps, effect):
        world = new_world(scratch / f"{name}-{at}")
        with pytest.raises(Crash):
            two_cycles(world, Fault(name, at, effect))
        world.run_to_the_end(Fault(after=world.check))
        world.check_done()


@pytest.mark.parametrize("effect", EFFECTS)
def test_a_crash_while_others_are_at_work_loses_and_doubles_nothing(
    scratch: Path, steps: list[tuple[str, int]], effect: str
) -> None:
    """Fetching and deleting, storing, and proving go on at once; where each is, chance decides."""
    for name, at in having(steps, effect):
        world = new_world(scratch / f"{name}-{at}", ahead_batches_max=1)
        check_survives(world, Fault(name, at, effect), Crash)


@pytest.mark.parametrize("effect", EFFECTS)
def test_a_crash_while_mailboxes_are_emptied_side_by_side_loses_and_doubles_nothing(
    scratch: Path, steps: list[tuple[str, int]], effect: str
) -> None:
    """A batch of one is stored while one of the other is committed; both may be left behind."""
    for name, at in having(steps, effect):
        world = two_mailboxes(scratch / f"{name}-{at}")
        check_survives(world, Fault(name, at, effect), Crash)


@pytest.mark.parametrize("effect", [BEFORE, AFTER])
def test_an_error_in_one_of_two_mailboxes_loses_and_doubles_nothing(
    scratch: Path, steps: list[tuple[str, int]], effect: str
) -> None:
    """What was stored behind a batch that was not committed is not committed either, then both."""
    for name, at in steps:
        world = two_mailboxes(scratch / f"{name}-{at}")
        check_survives(world, Fault(name, at, effect, CycleError("not now")), CycleError)


@pytest.mark.parametrize("restart", [False, True], ids=["same process", "restarted"])
@pytest.mark.parametrize("effect", [BEFORE, AFTER])
def test_an_error_at_any_step_loses_and_doubles_nothing(
    scratch: Path, steps: list[tuple[str, int]], effect: str, restart: bool
) -> None:
    """A step that fails, whether it took effect or not, is made good by the next cycle."""
    for name, at in steps:
        world = new_world(scratch / f"{name}-{at}")
        fault = Fault(name, at, effect, CycleError("not now"))
        with suppress(CycleError):  # sealing does not hold up the cycles
            two_cycles(world, fault)
        assert fault.fired
        if restart:
            world.restart()
        world.run_to_the_end(Fault(after=world.check))
        world.check_done()


def test_nothing_is_deleted_after_an_integrity_error(
    scratch: Path, steps: list[tuple[str, int]]
) -> None:
    """An error of the archive ends the cycle before the next deletion is asked for."""
    for name, at in steps:
        world = new_world(scratch / f"{name}-{at}")
        fault = Fault(name, at, BEFORE, IntegrityError("broken"))
        deleted_when_fired: list[int] = []

        def note(world: World = world, fault: Fault = fault, seen: list = deleted_when_fired):
            if fault.fired:
                seen.append(len(world.server.deleted))

        with pytest.raises(IntegrityError):
            two_cycles(world, fault, after=note)
        assert set(deleted_when_fired) == {len(world.server.deleted)}
        world.restart()


@pytest.mark.parametrize("effect", EFFECTS)
def test_a_second_crash_during_recovery_loses_nothing(
    scratch: Path, steps: list[tuple[str, int]], effect: str
) -> None:
    """A crash while recovering from a crash changes nothing."""
    firsts = [(name, at) for name, at in having(steps, effect) if at == 1]
    for first in firsts:
        for second in ("commit", "expunge"):
            world = new_world(scratch / f"{first[0]}-{second}")
            with pytest.raises(Crash):
                two_cycles(world, Fault(*first, effect))
            with suppress(Crash):  # there may be nothing left to do at that step
                two_cycles(world, Fault(second, 1, AFTER))
            world.run_to_the_end(Fault(after=world.check))
            world.check_done()
