"""What goes wrong is told in one clear line, with the right exit code, and nothing is deleted."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from collector_program import Collector, Ran
from sample_mail import mixed
from throwaway import missing, wait_until


@pytest.fixture
def full(collector: Collector, dovecot):
    """Return a program and a user with four messages; the test writes the configuration."""
    user = dovecot.new_user()
    user.append_many(mixed(4))
    return collector, user


def told(done: Ran, *words: str) -> str:
    """Return the one line that was told; it has these words and no traceback."""
    lines = [line for line in done.err.splitlines() if line.startswith("collector: ")]
    assert len(lines) == 1, done.err
    assert "Traceback" not in done.err
    for word in words:
        assert word in lines[0]
    return lines[0]


def test_a_wrong_password(full) -> None:
    """The account is named, the password is not, and the code says: later."""
    collector, user = full
    collector.configure(collector.mailbox(user, password_env="JOURNAL_PASSWORD"))
    done = collector.run("collect", JOURNAL_PASSWORD="wrong-hippogriff")
    assert done.code == 1
    told(done, "journal at localhost", "password")
    assert "hippogriff" not in done.err + done.text
    assert len(user.messages()) == 4


def test_an_unreachable_host(full) -> None:
    """Host and port are named."""
    collector, user = full
    collector.configure(collector.mailbox(user, port=1))
    done = collector.run("collect")
    assert done.code == 1
    told(done, "localhost:1")


def test_a_certificate_of_somebody_else(full, dovecot) -> None:
    """Nothing is sent to a server whose certificate is not signed by who should have."""
    collector, user = full
    collector.configure(collector.mailbox(user, ca_file=str(dovecot.ca.other_ca)))
    done = collector.run("collect")
    assert done.code == 1
    told(done, "certificate", "ca_file")
    assert len(user.messages()) == 4


def test_an_unknown_key(full) -> None:
    """The nearest known key is named."""
    collector, user = full
    collector.configure(collector.mailbox(user, pasword_file="x"))
    done = collector.run("collect")
    assert done.code == 2
    told(done, "pasword_file", "password_file", "collector.toml")


def test_no_configuration(collector: Collector) -> None:
    """The file that was looked for is named."""
    done = collector.run("collect")
    assert done.code == 2
    told(done, "collector.toml")


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Path]:
    """Return a disk of 64 MiB with 0.6 MB left."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
        missing("the right to mount a small disk", "run the tests as root")
    (disk / "ballast").write_bytes(bytes(66_500_000))
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_disk_that_is_full(full, small_disk) -> None:
    """The mail stays in the mailbox; with room again, the next run collects all of it."""
    collector, user = full
    collector.configure(collector.mailbox(user), archive=str(small_disk / "archive"))
    done = collector.run("collect")
    assert done.code == 1
    told(done, "full", str(small_disk))
    assert len(user.messages()) == 4
    (small_disk / "ballast").unlink()
    assert collector.run("collect", "--json").json()["collected"] == 4
    assert user.messages() == {}
    assert collector.run("verify").code == 0


def test_a_disk_that_fills_under_the_service(full, small_disk) -> None:
    """The service goes on trying, and collects when there is room again."""
    collector, user = full
    ballast = small_disk / "ballast"
    ballast.unlink()
    collector.configure(
        collector.mailbox(user, poll_interval="1s"), archive=str(small_disk / "archive")
    )
    assert collector.run("collect").code == 0
    ballast.write_bytes(bytes(66_500_000))
    user.append_many(mixed(3, 300_000))
    service = collector.start("run")
    try:
        wait_until(lambda: b"cycle.failed" in service.err.read_bytes(), "no cycle failed")
        assert service.process.poll() is None
        ballast.unlink()
        wait_until(lambda: not user.messages(), "the mailbox was not emptied", 60.0)
    finally:
        assert service.end(signal.SIGTERM).code == 0
    assert collector.run("verify").code == 0


def test_an_archive_that_cannot_be_written(full) -> None:
    """The directory is named, and what to do about it."""
    collector, user = full
    (collector.home / "a-file").write_text("")
    collector.configure(collector.mailbox(user), archive=str(collector.home / "a-file" / "archive"))
    done = collector.run("collect")
    assert done.code == 2
    told(done, "a-file")
    assert len(user.messages()) == 4


def test_a_second_program_on_the_same_archive(full) -> None:
    """The second says that the first has it, and goes; the first goes on."""
    collector, user = full
    collector.configure(collector.mailbox(user))
    first = collector.start("run")
    try:
        deadline_s = time.monotonic() + 30
        while user.messages() and time.monotonic() < deadline_s:
            time.sleep(0.1)
        done = collector.run("collect")
        assert done.code == 1
        told(done, str(collector.archive))
        assert collector.run("status").code == 0  # readers take no lock
    finally:
        assert first.end(signal.SIGTERM).code == 0


def test_a_mailbox_nobody_configured(full) -> None:
    """A name that is not in the configuration is refused with those that are."""
    collector, user = full
    collector.configure(collector.mailbox(user))
    done = collector.run("collect", "--mailbox", "jurnal")
    assert done.code == 2
    told(done, "jurnal", "journal")


def test_a_folder_that_is_not_there(full) -> None:
    """A folder the server does not know is named; other mailboxes are collected."""
    collector, user = full
    tables = [
        collector.mailbox(user, name="gone", folders=["Nowhere"]),
        collector.mailbox(user, name="here"),
    ]
    collector.configure(*tables)
    done = collector.run("collect", "--json")
    assert done.code == 1
    told(done, "Nowhere")
    assert done.json()["collected"] == 4


def test_an_entry_that_is_not_there(full) -> None:
    """``show`` of a number behind the last says which numbers there are."""
    collector, user = full
    collector.configure(collector.mailbox(user))
    collector.run("collect")
    done = collector.run("show", "99")
    assert done.code == 2
    told(done, "99", "1 to 4")


def test_reading_before_there_is_an_archive(full) -> None:
    """``list`` and ``verify`` without an archive say so."""
    collector, user = full
    collector.configure(collector.mailbox(user))
    for command in ("list", "verify", "status"):
        done = collector.run(command)
        assert done.code == 2
        told(done, "ledger")
    assert not collector.archive.exists()
