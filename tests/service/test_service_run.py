"""``collector run``: promptness, signals, readiness and watchdog, against a real Dovecot."""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Callable, Iterator

import pytest
from collector_program import Collector
from sample_mail import mixed, plain

PATIENCE_S = 30.0


def eventually(true: Callable[[], object]) -> None:
    """Wait until ``true``; fail when it never is."""
    deadline_s = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline_s, "it never came true"
        time.sleep(0.05)


@pytest.fixture
def manager(tmp_path) -> Iterator[socket.socket]:
    """Play systemd's side of sd_notify(3)."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        sock.settimeout(PATIENCE_S)
        yield sock


@pytest.fixture
def service(collector: Collector, dovecot):
    """Return a configured program and its user, with six messages waiting."""
    user = dovecot.new_user()
    user.append_many(mixed(6))
    collector.configure(collector.mailbox(user, poll_interval="1s"), log='level = "info"')
    return collector, user


def test_the_service_collects_and_stops_cleanly(service) -> None:
    """What waits and what arrives is collected; SIGTERM ends it with 0."""
    collector, user = service
    process = collector.start("run")
    try:
        eventually(lambda: not user.messages())
        user.append(plain(99))
        eventually(lambda: not user.messages())
    finally:
        done = process.end(signal.SIGTERM)
    assert done.code == 0
    assert "service.stopped" in done.err
    assert len(collector.run("list", "--json").lines()) == 7
    assert collector.run("verify").code == 0


def test_idle_notices_mail_at_once(service) -> None:
    """With IDLE a message is collected long before the next poll."""
    collector, user = service
    collector.configure(collector.mailbox(user, poll_interval="1h"), log='level = "info"')
    process = collector.start("run")
    try:
        eventually(lambda: not user.messages())
        user.append(plain(99))
        eventually(lambda: not user.messages())
    finally:
        assert process.end(signal.SIGTERM).code == 0


def test_readiness_and_watchdog_are_told(service, manager) -> None:
    """READY=1 when it serves, WATCHDOG=1 while mailboxes make progress, STOPPING=1 at the end."""
    collector, user = service
    process = collector.start("run", NOTIFY_SOCKET=manager.getsockname(), WATCHDOG_USEC="1000000")
    heard: list[bytes] = []

    def hear(state: bytes) -> None:
        while not heard or not heard[-1].startswith(state):
            heard.append(manager.recv(4096))

    try:
        hear(b"READY=1")
        hear(b"WATCHDOG=1")
    finally:
        process.process.send_signal(signal.SIGTERM)
        hear(b"STOPPING=1")
        done = process.end()
    assert done.code == 0
    assert user.messages() == {}


def test_a_reload_takes_over_the_new_configuration(service, dovecot) -> None:
    """After SIGHUP a mailbox that was added is collected; a bad file changes nothing."""
    collector, user = service
    other = dovecot.new_user()
    other.append_many(mixed(3))
    process = collector.start("run")
    try:
        eventually(lambda: not user.messages())
        config = collector.home / "collector.toml"
        good = config.read_text(encoding="utf-8")
        config.write_text("this is not TOML", encoding="utf-8")
        process.process.send_signal(signal.SIGHUP)
        user.append(plain(50))
        eventually(lambda: not user.messages())
        config.write_text(good, encoding="utf-8")
        tables = [collector.mailbox(user), collector.mailbox(other, name="other")]
        collector.configure(*tables, log='level = "info"')
        process.process.send_signal(signal.SIGHUP)
        eventually(lambda: not other.messages())
    finally:
        done = process.end(signal.SIGTERM)
    assert done.code == 0
    assert "service.reload_failed" in done.err
    assert "service.reloaded" in done.err


def test_a_mailbox_that_fails_does_not_stop_the_other(service) -> None:
    """A wrong port is told as a failed cycle; the good mailbox is emptied meanwhile."""
    collector, user = service
    tables = [collector.mailbox(user, name="wrong", port=1), collector.mailbox(user)]
    collector.configure(*tables, log='level = "info"')
    process = collector.start("run")
    try:
        eventually(lambda: not user.messages())
    finally:
        done = process.end(signal.SIGTERM)
    assert done.code == 0
    assert "cycle.failed" in done.err


def test_a_stop_in_the_middle_of_much_mail(service) -> None:
    """SIGTERM during a long collection exits 0 soon; a later run loses and doubles nothing."""
    collector, user = service
    raws = mixed(1500, 8_000)
    user.append_many(raws)
    process = collector.start("collect")
    eventually(lambda: len(user.command("UID", "SEARCH", "ALL")[0].split()) < 1500)
    assert process.end(signal.SIGTERM).code in {0, 1}
    assert collector.run("collect", "--json").code == 0
    assert user.messages() == {}
    records = collector.run("list", "--json").lines()
    assert len(records) == 1506
    assert collector.run("verify").code == 0


def test_a_broken_archive_stops_the_service(service) -> None:
    """When a stored copy is not what was stored, the code is 3 and nothing more is deleted."""
    collector, user = service
    collector.configure(collector.mailbox(user, delete=False), log='level = "info"')
    assert collector.run("collect").code == 0
    segment = next(collector.archive.glob("segments/*.zst"))
    stored = bytearray(segment.read_bytes())
    stored[len(stored) // 2] ^= 1
    segment.chmod(0o600)
    segment.write_bytes(stored)
    collector.configure(collector.mailbox(user), log='level = "info"')
    done = collector.run("run")
    assert done.code == 3
    assert "custody.broken" in done.err
    assert len(user.messages()) == 6
    assert collector.run("verify").code == 3


def test_a_folder_that_fails_does_not_stop_the_next(service) -> None:
    """A folder that is not there is told as a failed cycle; the other is emptied meanwhile."""
    collector, user = service
    table = collector.mailbox(user, folders=["Nowhere", "INBOX"])
    collector.configure(table, log='level = "info"')
    process = collector.start("run")
    try:
        eventually(lambda: not user.messages())
    finally:
        done = process.end(signal.SIGTERM)
    assert done.code == 0
    assert "Nowhere" in done.err


def test_a_password_that_cannot_be_read_stops_one_mailbox_only(service) -> None:
    """A secret that went away while the service runs is a failed cycle of its mailbox."""
    collector, user = service
    tables = [
        collector.mailbox(user, name="wrong", password_env="NOT_SET_ANYWHERE", folders=["Other"]),
        collector.mailbox(user),
    ]
    collector.configure(*tables, log='level = "info"')
    process = collector.start("run")
    try:
        eventually(lambda: not user.messages())
    finally:
        done = process.end(signal.SIGTERM)
    assert done.code == 0
    assert "NOT_SET_ANYWHERE" in done.err
    assert collector.run("collect").code == 2
