"""Every step of a cycle, failed in every way: all invariants hold after each step that follows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from played_server import AFTER, BEFORE, EFFECTS, TORN, Crash, Fault, Server
from world import World

from collector.domain.custody import Policy
from collector.domain.errors import CycleError, IntegrityError

MESSAGES = [b"Subject: %d\r\n\r\nbody %d\r\n" % (number, number) for number in range(4)]
MESSAGES.append(MESSAGES[0])  # the same bytes twice: one blob, two entries
POLICY = Policy(batch_messages_max=2, window_messages_max=4)
SEGMENT_STEPS = {"append", "settle-append"}
SEALING_STEPS = {"seal", "switch"}
STEPS = {
    "poll", "settle-append", "settle", "observe", "announce", "fetch", "append", "commit",
    "prove", "clear", "expunge", "seal", "switch",
}  # fmt: skip


def new_world(root: Path) -> World:
    """Return a mailbox with all messages and an archive that does not exist yet."""
    world = World(root, Server(), POLICY, sealing=True)
    world.deliver(*MESSAGES)
    return world


def two_cycles(world: World, fault: Fault) -> None:
    """Collect everything, then settle it, checking after every step."""
    fault.after = world.check
    world.cycle(fault)
    world.cycle(fault)


@pytest.fixture
def steps(scratch: Path) -> list[str]:
    """The names of the steps that two cycles without a fault take."""
    fault = Fault()
    world = new_world(scratch / "clean")
    two_cycles(world, fault)
    world.restart()
    assert set(fault.steps) == STEPS
    return fault.steps


def places(steps: list[str], effect: str) -> Iterator[int]:
    """Yield at which steps this effect can be had."""
    for at, name in enumerate(steps, 1):
        if effect != TORN or name in SEGMENT_STEPS:
            yield at


@pytest.mark.parametrize("effect", EFFECTS)
def test_a_crash_at_any_step_loses_and_doubles_nothing(
    scratch: Path, steps: list[str], effect: str
) -> None:
    """After a crash at any step and a restart every message is archived once and gone."""
    for at in places(steps, effect):
        world = new_world(scratch / f"{at}-{steps[at - 1]}")
        with pytest.raises(Crash):
            two_cycles(world, Fault(at, effect))
        world.run_to_the_end(Fault(after=world.check))
        world.check_done()


@pytest.mark.parametrize("restart", [False, True], ids=["same process", "restarted"])
@pytest.mark.parametrize("effect", [BEFORE, AFTER])
def test_an_error_at_any_step_loses_and_doubles_nothing(
    scratch: Path, steps: list[str], effect: str, restart: bool
) -> None:
    """A step that fails, whether it took effect or not, is made good by the next cycle."""
    for at in places(steps, effect):
        world = new_world(scratch / f"{at}-{steps[at - 1]}")
        fault = Fault(at, effect, CycleError("not now"))
        with suppress(CycleError):  # sealing does not hold up the cycles
            two_cycles(world, fault)
        assert steps[at - 1] in SEALING_STEPS or len(fault.steps) == at
        if restart:
            world.restart()
        world.run_to_the_end(Fault(after=world.check))
        world.check_done()


def test_nothing_is_deleted_after_an_integrity_error(scratch: Path, steps: list[str]) -> None:
    """An error of the archive ends the cycle before the next deletion is asked for."""
    for at in places(steps, BEFORE):
        world = new_world(scratch / f"{at}-{steps[at - 1]}")
        deleted_at_fault: list[int] = []
        fault = Fault(at, BEFORE, IntegrityError("broken"))
        with pytest.raises(IntegrityError):
            for _ in range(2):
                fault.after = lambda w=world: deleted_at_fault.append(len(w.server.deleted))
                world.cycle(fault)
        assert len(world.server.deleted) == deleted_at_fault[at - 1]
        world.restart()


@pytest.mark.parametrize("effect", EFFECTS)
def test_a_second_crash_during_recovery_loses_nothing(
    scratch: Path, steps: list[str], effect: str
) -> None:
    """A crash while recovering from a crash changes nothing."""
    firsts = list(places(steps, effect))[::3]
    for first in firsts:
        for second in (1, 3, 6, 9):
            world = new_world(scratch / f"{first}-{second}")
            with pytest.raises(Crash):
                two_cycles(world, Fault(first, effect))
            try:
                two_cycles(world, Fault(second, AFTER))
            except Crash:
                world.check()
            world.run_to_the_end()
            world.check_done()
