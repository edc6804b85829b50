"""New mail is noticed at once where the server tells, in time where it does not or is gone."""

from __future__ import annotations

import signal
import time

import pytest
from fault_proxy import FaultProxy, Reply, Rule, Swallow
from sample_mail import plain
from test_service_run import eventually

pytestmark = pytest.mark.dovecot


def collects(collector, user, *, before_s: float) -> None:
    """Append a message and wait until it has left the mailbox, in time."""
    began_s = time.monotonic()
    user.append(plain(99))
    eventually(lambda: not user.messages())
    assert time.monotonic() - began_s < before_s


def test_a_server_without_idle_is_polled(collector, dovecot_with) -> None:
    """Nothing to configure: the interval alone decides then."""
    user = dovecot_with(hidden=("IDLE",)).new_user()
    collector.configure(collector.mailbox(user, poll_interval="1s"), log='level = "debug"')
    process = collector.start("run")
    try:
        eventually(lambda: "cycle.finished" in process.err.read_text())
        collects(collector, user, before_s=15.0)
    finally:
        assert process.end(signal.SIGTERM).code == 0


def test_a_server_that_refuses_idle_is_polled_and_not_pestered(collector, dovecot) -> None:
    """It announces IDLE and says no: new mail comes with the interval, logins are few."""
    user = dovecot.new_user()
    refuses = Rule("IDLE", Reply(("{tag} NO not now",)), times=0)
    with FaultProxy(dovecot, refuses) as proxy:
        mailbox = collector.mailbox(proxy.user(user), poll_interval="2s")
        collector.configure(mailbox, log='level = "debug"')
        process = collector.start("run")
        try:
            eventually(lambda: "IDLE" in proxy.commands)
            collects(collector, user, before_s=15.0)
            began_s, before_count = time.monotonic(), proxy.connections_count
            eventually(lambda: time.monotonic() - began_s > 4.0)
            assert proxy.connections_count - before_count <= 4
        finally:
            assert process.end(signal.SIGTERM).code == 0


@pytest.mark.parametrize("poll_interval", ["1s", "1h"])
@pytest.mark.slow
def test_a_connection_that_dies_in_silence_costs_no_mail(collector, dovecot, poll_interval) -> None:
    """Nothing passes any more and nobody says so: a new connection is made within a minute."""
    user = dovecot.new_user()
    with FaultProxy(dovecot, Rule("IDLE", Swallow())) as proxy:
        mailbox = collector.mailbox(proxy.user(user), poll_interval=poll_interval)
        collector.configure(mailbox, log='level = "debug"')
        process = collector.start("run")
        try:
            eventually(lambda: "IDLE" in proxy.commands)
            user.append(plain(99))
            until_s = time.monotonic() + 90.0
            while user.messages():
                assert time.monotonic() < until_s
                time.sleep(0.2)
            assert proxy.connections_count == 2
        finally:
            assert process.end(signal.SIGTERM).code == 0
