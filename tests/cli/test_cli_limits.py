"""What a server allows: waiting times and a day's bytes, kept over restarts; many folders."""

from __future__ import annotations

import signal
import subprocess

import pytest
from fault_proxy import FaultProxy, Reply, Rule
from sample_mail import plain
from throwaway import wait_until

from collector.service.exit_code import ExitCode

pytestmark = pytest.mark.dovecot
LOCKED = "{tag} NO [OVERQUOTA] Account exceeded command or bandwidth limits. (Failure)"


def sql(collector, statement: str) -> str:
    """Run a statement on the ledger."""
    command = ["sqlite3", str(collector.archive / "ledger.db"), statement]
    return subprocess.run(command, check=True, capture_output=True).stdout.decode()


def test_a_server_that_locked_the_account_is_left_alone(collector, dovecot) -> None:
    """By the next run too, and by the service; it goes on when the time is over."""
    user = dovecot.new_user()
    user.append(plain(1))
    with FaultProxy(dovecot, Rule("SELECT", Reply((LOCKED,)))) as proxy:
        collector.configure(collector.mailbox(proxy.user(user)))
        ran = collector.run("collect")
        assert ran.code == ExitCode.LATER
        assert "bandwidth limits" in ran.err
        ran = collector.run("collect")
        assert ran.code == ExitCode.LATER
        assert "asked to be left alone until" in ran.err
        running = collector.start("run")
        wait_until(lambda: "mailbox.throttled" in running.err.read_text(), "the service rests")
        assert running.end(signal.SIGTERM).code == ExitCode.DONE
        assert proxy.connections_count == 1
        sql(collector, "UPDATE throttles SET until_at = '2026-01-01T00:00:00.000000Z'")
        assert collector.run("collect", "--json").json()["collected"] == 1
        assert sql(collector, "SELECT COUNT(*) FROM throttles") == "0\n"


def test_the_same_lock_again_waits_for_the_next_day(collector, dovecot) -> None:
    """What an earlier run was told counts: an hour first, then a day."""
    user = dovecot.new_user()
    with FaultProxy(dovecot, Rule("SELECT", Reply((LOCKED,)), times=2)) as proxy:
        collector.configure(collector.mailbox(proxy.user(user)))
        collector.run("collect")
        hours = "SELECT ROUND((julianday(until_at) - julianday('now')) * 24) FROM throttles"
        assert sql(collector, hours) == "1.0\n"
        sql(collector, "UPDATE throttles SET until_at = '2026-01-01T00:00:00.000000Z'")
        collector.run("collect")
        assert sql(collector, hours) == "24.0\n"


def test_a_day_has_so_many_bytes(collector, dovecot) -> None:
    """What fits is archived and deleted; the rest follows when the day is over."""
    user = dovecot.new_user()
    user.append(*(plain(number, 600_000) for number in range(3)))
    collector.configure(collector.mailbox(user, daily_size_max="1 MiB"))
    ran = collector.run("collect", "--json")
    assert ran.code == ExitCode.LATER
    facts = ran.json()
    assert (facts["collected"], facts["cleared"], facts["expunged"]) == (2, 2, 2)
    assert "of a day are used up" in ran.err
    assert len(user.messages()) == 1
    again = collector.run("collect", "--json")
    assert (again.code, again.json()["collected"]) == (ExitCode.LATER, 0)
    sql(collector, "UPDATE downloads SET hour_at = '2026-01-01T00:00:00.000000Z'")
    last = collector.run("collect", "--json")
    assert (last.code, last.json()["collected"]) == (ExitCode.DONE, 1)
    assert user.messages() == {}


def test_more_folders_than_connections_are_all_emptied(collector, dovecot_with) -> None:
    """One connection is left to others; folders take turns for the rest."""
    server = dovecot_with(connections_max=3)
    user = server.new_user()
    folders = ["INBOX", "Junk", "Late", "Alternate"]
    for number, folder in enumerate(folders):
        if number:
            server.doveadm("mailbox", "create", "-u", user.name, folder)
        user.append(plain(number), folder=folder)
    table = collector.mailbox(user, folders=folders, connections_max=3, poll_interval="1s")
    collector.configure(table)
    running = collector.start("run")
    wait_until(
        lambda: not any(user.messages(folder) for folder in folders), "all folders are emptied"
    )
    ran = running.end(signal.SIGTERM)
    assert ran.code == ExitCode.DONE
    assert "cycle.failed" not in ran.err
