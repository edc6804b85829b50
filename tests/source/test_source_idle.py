"""Waiting for new mail: told of at once, and never fooled by a dead connection."""

from __future__ import annotations

import threading
import time

import pytest
from fault_proxy import FaultProxy, Reply, Rule, Swallow
from played_imap import PlayedImap
from source_samples import letter, open_mailbox

from collector.service.pulse import WORKING_GRACE_S
from collector.source.account import Limits

pytestmark = pytest.mark.dovecot


def never() -> bool:
    """Do not stop."""
    return False


def later(seconds: float, act) -> threading.Timer:
    """Do something after a while."""
    timer = threading.Timer(seconds, act)
    timer.start()
    return timer


def waited(mailbox, timeout_s: float, stop=never) -> tuple[bool, float]:
    """Return the answer and the seconds it took."""
    began_s = time.monotonic()
    arrived = mailbox.wait_for_arrival(timeout_s, stop)
    return arrived, time.monotonic() - began_s


def test_new_mail_ends_the_wait(dovecot, tmp_path) -> None:
    """Within a moment of the delivery, and the connection stays usable."""
    user = dovecot.new_user()
    with open_mailbox(user, tmp_path) as mailbox:
        mailbox.poll()
        assert mailbox.offers_idle
        timer = later(0.5, lambda: user.deliver(letter(1)))
        arrived, seconds = waited(mailbox, 20.0)
        timer.join()
        assert arrived
        assert seconds < 5.0
        assert list(mailbox.poll().uids) == [1]


def test_without_news_the_time_runs_out(dovecot, tmp_path) -> None:
    """Changes of flags and expunges are no arrivals."""
    user = dovecot.new_user()
    user.append(letter(1), letter(2))
    with open_mailbox(user, tmp_path) as mailbox:
        mailbox.poll()

        def disturb() -> None:
            user.command("UID", "STORE", "1", "+FLAGS", r"(\Deleted \Seen)")
            user.command("UID", "EXPUNGE", "1")

        timer = later(0.2, disturb)
        arrived, seconds = waited(mailbox, 2.0)
        timer.join()
        assert not arrived
        assert 1.9 < seconds < 4.0
        user.append(letter(3))  # as many as before, but one is new
        assert list(mailbox.poll().uids) == [2, 3]


def test_an_expunge_does_not_hide_an_arrival(dovecot, tmp_path) -> None:
    """One gone and one arrived: the count is the same, and still it is news."""
    user = dovecot.new_user()
    user.append(letter(1), letter(2))
    with open_mailbox(user, tmp_path) as mailbox:
        mailbox.poll()

        def disturb() -> None:
            user.command("UID", "STORE", "1", "+FLAGS", r"(\Deleted)")
            user.command("UID", "EXPUNGE", "1")
            user.append(letter(3))

        timer = later(0.2, disturb)
        assert waited(mailbox, 20.0)[0]
        timer.join()


def test_the_stop_sign_ends_the_wait(dovecot, tmp_path) -> None:
    """Within about a second."""
    with open_mailbox(dovecot.new_user(), tmp_path) as mailbox:
        mailbox.poll()
        began_s = time.monotonic()
        arrived, seconds = waited(mailbox, 30.0, lambda: time.monotonic() - began_s > 0.5)
        assert not arrived
        assert seconds < 3.0
        assert list(mailbox.poll().uids) == []


@pytest.mark.parametrize("end", ["close", "BYE", "silence"])
def test_a_dead_connection_is_no_arrival_and_no_busy_loop(tmp_path, end) -> None:
    """The wait ends with no, at once or at the renewal; the next poll connects anew."""
    answers = {
        "close": lambda _: [b"+ idling\r\n* BYE\r\n"],
        "BYE": lambda _: [b"+ idling\r\n* BYE timeout\r\n"],
        "silence": lambda _: [b"+ idling\r\n", b"+ \r\n"],
    }
    with PlayedImap({"IDLE": answers[end]}) as server:
        limits = Limits(silence_s=1.0, idle_s=1.0)
        with open_mailbox(server.user(), tmp_path, limits=limits) as mailbox:
            mailbox.poll()
            if end == "silence":
                server.deaf = True
            cpu_s = time.process_time()
            arrived, seconds = waited(mailbox, 10.0)
            assert not arrived
            assert seconds < 5.0
            assert time.process_time() - cpu_s < 0.5
            assert not mailbox.offers_idle
            server.deaf = False
            mailbox.poll()
            assert server.connections_count == 2


def test_idle_is_renewed(dovecot, tmp_path) -> None:
    """Servers log out who idles for long; news between two IDLEs are not lost."""
    user = dovecot.new_user()
    with FaultProxy(dovecot) as proxy:
        limits = Limits(idle_s=0.5)
        with open_mailbox(proxy.user(user), tmp_path, limits=limits) as mailbox:
            mailbox.poll()
            timer = later(1.7, lambda: user.append(letter(1)))
            assert waited(mailbox, 20.0)[0]
            timer.join()
        assert proxy.commands.count("IDLE") >= 3
        assert proxy.connections_count == 1


def test_a_refused_idle_is_no_arrival(dovecot, tmp_path) -> None:
    """A server that announces IDLE and refuses it: poll as usual."""
    with (
        FaultProxy(dovecot, Rule("IDLE", Reply(("{tag} NO not now",)), times=0)) as proxy,
        open_mailbox(proxy.user(dovecot.new_user()), tmp_path) as mailbox,
    ):
        mailbox.poll()
        assert waited(mailbox, 5.0)[0] is False
        mailbox.poll()


def test_without_a_connection_nothing_is_awaited(tmp_path) -> None:
    """Before the first poll, and where the server has no IDLE."""
    with (
        PlayedImap(capability="IMAP4rev1") as server,
        open_mailbox(server.user(), tmp_path) as mailbox,
    ):
        assert not mailbox.offers_idle
        assert waited(mailbox, 5.0) == (False, pytest.approx(0.0, abs=0.5))
        mailbox.poll()
        assert not mailbox.offers_idle


def test_the_renewal_keeps_the_watchdog_fed_and_the_standard() -> None:
    """Well below the 29 minutes of RFC 2177, and often enough to count as progress."""
    limits = Limits()
    assert limits.idle_s < 29 * 60
    assert limits.idle_s + limits.connect_s < WORKING_GRACE_S


@pytest.mark.parametrize("nth", [1, 2])
def test_a_connection_that_dies_in_silence_is_noticed_soon(dovecot, tmp_path, nth) -> None:
    """Nothing passes any more, mail arrives: the wait ends in time, the next poll sees it."""
    user = dovecot.new_user()
    dies = Rule("IDLE", Swallow(), nth=nth)
    with FaultProxy(dovecot, dies) as proxy:
        limits = Limits(idle_s=0.5, connect_s=1.5)
        with open_mailbox(proxy.user(user), tmp_path, limits=limits) as mailbox:
            mailbox.poll()
            timer = later(1.0, lambda: user.append(letter(1)))
            arrived, seconds = waited(mailbox, 600.0)
            timer.join()
            assert not arrived
            assert seconds < 10.0
            assert not mailbox.offers_idle
            assert list(mailbox.poll().uids) == [1]
            assert mailbox.offers_idle
        assert proxy.connections_count == 2
