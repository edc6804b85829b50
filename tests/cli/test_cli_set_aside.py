"""One message that the server will not hand over does not hold up the rest."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest
from collector_program import Collector
from fault_proxy import Action, Close, FaultProxy, Hangup, Rule
from sample_mail import mixed

POISONED = 3


@dataclass(frozen=True)
class NilFor(Action):
    """Hand over NIL for one UID, whenever it is asked for."""

    def literal(self, wires, head, raw, number):
        return head + b"NIL" if _is_poisoned(head) else None


@dataclass(frozen=True)
class HangUpFor(Action):
    """Close the connection whenever one UID's body is about to be sent."""

    def literal(self, wires, head, raw, number):
        if _is_poisoned(head):
            raise Hangup


def _is_poisoned(head: bytes) -> bool:
    return re.search(rb"UID %d\b" % POISONED, head) is not None


@pytest.mark.parametrize("action", [NilFor(), HangUpFor()], ids=["NIL", "hangup"])
def test_the_rest_goes_on(collector: Collector, dovecot, action) -> None:
    """The message is set aside and stays; the others are archived and deleted; the code is 4."""
    user = dovecot.new_user()
    user.append_many(mixed(7))
    with FaultProxy(dovecot, Rule("UID FETCH .*BODY", action, times=0)) as proxy:
        collector.configure(collector.mailbox(proxy.user(user)), log='level = "info"')
        done = collector.run("collect", "--json")
        assert done.code == 4, done.err
        facts = done.json()
        assert (facts["collected"], facts["cleared"], facts["set_aside"]) == (6, 6, 1)
        assert list(user.messages()) == [POISONED]
        assert "message.set_aside" in done.err
        assert "1 message(s) set aside" in collector.run("status").text
        again = collector.run("collect", "--json").json()
        assert (again["collected"], again["waiting"]) == (0, 1)
    collector.configure(collector.mailbox(user))
    assert collector.run("verify").code == 0


def test_what_was_done_before_the_connection_was_lost_is_told(
    collector: Collector, dovecot
) -> None:
    """A run that cannot go on says how many messages it had collected; the next takes the rest."""
    user = dovecot.new_user()
    user.append_many(mixed(250, 60_000))  # four commands of 4 MiB
    close = Rule("UID FETCH .*BODY", Close(), nth=4, times=0)  # sent when two are answered
    with FaultProxy(dovecot, close) as proxy:
        collector.configure(collector.mailbox(proxy.user(user)), log='level = "error"')
        done = collector.run("collect", "--json")
    collected = done.json()["collected"]
    assert (done.code, 100 < collected < 250) == (1, True)
    collector.configure(collector.mailbox(user), log='level = "error"')
    assert collector.run("collect", "--json").json()["collected"] == 250 - collected
    assert user.messages() == {}
    assert collector.run("verify").code == 0
