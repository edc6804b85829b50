"""A state machine that mixes everything that can happen to a mailbox and an archive."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from played_mailbox import EFFECTS, TORN, Crash, Fault
from world import STEPS, World

from collector.domain.custody import Policy
from collector.domain.errors import CycleError

SCRATCH = "/dev/shm" if Path("/dev/shm").is_dir() else None
EXAMPLES = int(os.environ.get("COLLECTOR_MACHINE_EXAMPLES", "80"))

faults = st.builds(
    Fault,
    name=st.sampled_from(sorted(STEPS)),
    at=st.integers(0, 4),
    effect=st.sampled_from(EFFECTS),
    error=st.sampled_from([None, CycleError("not now")]),
)


class CustodyMachine(RuleBasedStateMachine):
    """Arrivals, foreign deletions, faults, renumbering, restarts and clock jumps in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.scratch = tempfile.TemporaryDirectory(dir=SCRATCH)
        self.number = 0
        self.restored = False

    @initialize(batch=st.integers(1, 3), window=st.integers(1, 5), sealing=st.booleans())
    def begin(self, batch: int, window: int, sealing: bool) -> None:
        """Start with an empty mailbox and small batches."""
        policy = Policy(batch_messages_max=batch, window_messages_max=window)
        root = Path(self.scratch.name) / "archive"
        self.world = World(root, policy=policy, sealing=sealing)

    @rule(count=st.integers(1, 4))
    def arrive(self, count: int) -> None:
        """New messages come, but not between a restoration and the next poll: see below."""
        for _ in range(0 if self.restored else count):
            self.number += 1
            self.world.deliver(b"Subject: %d\r\n\r\nbody\r\n" % self.number)

    @rule(which=st.integers(0, 10))
    def arrive_again(self, which: int) -> None:
        """The same bytes come once more."""
        if self.world.delivered and not self.restored:
            self.world.deliver(self.world.delivered[which % len(self.world.delivered)])

    @rule(which=st.integers(0, 10))
    def be_stolen(self, which: int) -> None:
        """Another client deletes a message."""
        uids = sorted(self.world.server.messages)
        if uids:
            self.world.server.steal(uids[which % len(uids)])

    @rule()
    def be_renumbered(self) -> None:
        """The mailbox is made anew."""
        self.world.server.renumber()
        self.restored = False

    @rule(back=st.integers(1, 4))
    def be_restored(self, back: int) -> None:
        """The mailbox is brought back from a copy: its last UIDs are handed out again.

        It shows as long as no poll was missed; if new mail has used up the UIDs before,
        nobody can see it.
        """
        server = self.world.server
        server.uidnext = max(1, server.uidnext - back)
        for uid in [uid for uid in server.messages if uid >= server.uidnext]:
            server.steal(uid)
        self.restored = self.world.reused = True

    @rule(which=st.integers(0, 10))
    def be_poisoned(self, which: int) -> None:
        """The server no longer hands a message over."""
        uids = sorted(self.world.server.messages)
        if uids:
            self.world.server.poison.add(uids[which % len(uids)])

    @rule()
    def recover_from_poison(self) -> None:
        """The server hands everything over again."""
        self.world.server.poison.clear()

    @rule(stubborn=st.booleans())
    def be_stubborn(self, stubborn: bool) -> None:
        """The server says yes to deletions and ignores them, or obeys again."""
        self.world.server.stubborn = stubborn

    @rule(fault=faults, thief_at=st.integers(0, 30), sealing=st.booleans())
    def cycle(self, fault: Fault, thief_at: int, sealing: bool) -> None:
        """Run a cycle that may fail at any step while another client deletes."""
        world = self.world
        error = None if fault.effect == TORN else fault.error  # only a crash tears a segment
        fault = Fault(fault.name, fault.at, fault.effect, error)
        world.sealing = sealing

        def thief() -> None:
            if thief_at and len(fault.steps) == thief_at and world.server.messages:
                world.server.steal(min(world.server.messages))

        fault.between = thief
        fault.after = world.check
        with suppress(Crash, CycleError):
            world.cycle(fault)
        if "observe" in fault.steps and not (fault.fired and fault.name == "observe"):
            self.restored = False

    @rule()
    def restart(self) -> None:
        """The service is stopped and started."""
        self.world.restart()

    @rule(minutes=st.sampled_from([1, 90, 60 * 24 * 400, -5, -60 * 24 * 30]))
    def jump(self, minutes: int) -> None:
        """The clock is set, forwards or backwards."""
        self.world.now += timedelta(minutes=minutes)

    @invariant()
    def nothing_is_lost(self) -> None:
        """All invariants hold between any two events, and every count has its place."""
        self.world.check()
        assert not (self.world.root / "ledger.db").exists() or self.world.unexplained() == 0

    def teardown(self) -> None:
        """Whatever happened, left alone everything comes to its end."""
        try:
            if hasattr(self, "world"):
                self.world.server.poison.clear()
                self.world.server.stubborn = False
                self.world.run_to_the_end()
                self.world.check_done()
        finally:
            self.scratch.cleanup()


CustodyMachine.TestCase.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
TestCustodyMachine = CustodyMachine.TestCase
