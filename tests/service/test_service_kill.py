"""kill -9 at any moment loses nothing and doubles nothing."""

from __future__ import annotations

import random
import signal
import time

import pytest
from collector_program import Collector
from sample_mail import mixed
from throwaway import wait_until

KILLS = 20


@pytest.mark.parametrize("seed", [1, 2])
def test_a_run_that_is_killed_again_and_again(collector: Collector, dovecot, seed) -> None:
    """500 messages and twenty kills at random moments: archived once each, mailbox empty."""
    moments = random.Random(seed)
    user = dovecot.new_user()
    raws = mixed(500, 3_000)
    user.append_many(raws)
    collector.configure(collector.mailbox(user), log='level = "info"')
    for kill in range(KILLS):
        running = collector.start("collect")
        # The first kills fall into the beginning, later ones anywhere.
        time.sleep(0.35 + moments.uniform(0, 0.1 + kill * 0.05))
        running.end(signal.SIGKILL)
        if kill % 7 == 6:
            user.append(raws[0])  # redelivered meanwhile
    redelivered = KILLS // 7
    # What a kill kept from being expunged after it was asked for is asked for in a minute again.
    wait_until(lambda: collector.run("collect").code == 0, "the mailbox was worked off", 100)
    assert user.messages() == {}
    records = collector.run("list", "--json").lines()
    assert len(records) == 500 + redelivered
    assert sum(each["duplicate_of"] is not None for each in records) == redelivered
    assert {each["state"] for each in records} == {"expunged"}
    assert len({each["digest"] for each in records}) == 500
    verified = collector.run("verify", "--json")
    assert (verified.code, verified.json()["verified"]) == (0, len(records))
