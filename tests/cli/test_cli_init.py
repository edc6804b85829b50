"""``collector init``: five questions on a terminal, or options, and a configuration that works."""

from __future__ import annotations

import os
import pty
import stat
import subprocess
import time

import pytest

from collector.config import load


def on_a_terminal(collector, answers: list[str], *arguments: str) -> str:
    """Run ``collector init`` on a terminal of its own; return what it showed."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        collector.command("init", *arguments),
        stdin=slave,
        stdout=slave,
        stderr=slave,
        cwd=collector.home,
        start_new_session=True,
    )
    os.close(slave)
    shown = b""
    try:
        for answer in [*answers, None]:
            while answer is None or not shown.rstrip(b" ").endswith(b":"):
                try:
                    shown += os.read(master, 4096)
                except OSError:  # the terminal was left
                    break
            if answer is not None:
                time.sleep(0.2)  # the prompt switches its echo off after it is shown
                os.write(master, answer.encode() + b"\n")
                shown += b"\n"
        assert process.wait(30) == 0, shown.decode()
    finally:
        process.kill()
        os.close(master)
    return shown.decode()


def mode_of(path) -> int:
    """Return a file's permissions."""
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.dovecot
def test_five_answers_make_a_configuration_that_works(collector, dovecot) -> None:
    """Asked on a terminal; afterwards ``check`` is content and ``collect`` works."""
    user = dovecot.new_user()
    user.append(b"Subject: hello\r\n\r\nworld\r\n")
    where = ("--port", str(user.port), "--ca-file", str(user.ca))
    shown = on_a_terminal(
        collector, [user.host, user.name, "", "", "postfix", user.password], *where
    )
    config = collector.home / "collector.toml"
    assert [f"{number}/5" in shown for number in range(1, 6)] == [True] * 5
    assert "collector.toml check" in shown
    assert user.password not in shown
    assert mode_of(config) & 0o137 == 0
    assert mode_of(collector.home / "imap-password") == 0o600
    checked = collector.run("check", "--json")
    assert checked.code == 0, checked.text
    (mailbox,) = load(config).mailboxes
    assert (mailbox.server, mailbox.username) == ("postfix", user.name)
    assert collector.run("collect").code == 0
    assert user.messages() == {}
    assert (collector.home / "archive" / "ledger.db").exists()


def test_options_answer_beforehand(collector) -> None:
    """Without a terminal; the special characters of TOML stay what they are."""
    done = collector.run(
        "init", "--host", "imap.example.net", "--username", 'we"ird\\ü@example.net',
        "--password-file", "/etc/collector/imap-password", "--archive", "/srv/mail archive",
        "--source", "exchange", "--security", "starttls",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert "still missing: the password" in done.text
    settings = load(collector.home / "collector.toml")
    (mailbox,) = settings.mailboxes
    assert str(settings.archive.path) == "/srv/mail archive"
    assert (mailbox.username, mailbox.port) == ('we"ird\\ü@example.net', 143)
    assert (mailbox.format.value, mailbox.security) == ("exchange", "starttls")


def test_nothing_is_overwritten(collector) -> None:
    """A configuration that is there stays; so does a password."""
    config = collector.home / "collector.toml"
    config.write_text("# mine\n")
    done = collector.run("init", "--host", "h", "--username", "u")
    assert done.code == 2
    assert "there is a configuration already" in done.err
    assert config.read_text() == "# mine\n"
    config.unlink()
    config.symlink_to("nowhere.toml")
    assert collector.run("init", "--host", "h", "--username", "u").code == 2
    assert not (collector.home / "nowhere.toml").exists()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--username", "u"), "nobody is there to answer: IMAP server"),
        (("--host", "imaps://h", "--username", "u"), "this is not a host"),
        (("--host", "h", "--username", "u", "--security", "plain"), "plain is for loopback"),
    ],
)
def test_an_answer_that_cannot_be_used_leaves_nothing_behind(collector, options, expected) -> None:
    """The error names the key; there is no half-made file."""
    done = collector.run("init", *options)
    assert done.code == 2
    assert expected in done.err
    assert list(collector.home.iterdir()) == []


@pytest.mark.parametrize("source", ["other", "exchange", "google", "exim", "sendmail"])
def test_every_mail_system_gives_a_valid_configuration(collector, source) -> None:
    """What is asked for can be used."""
    done = collector.run("init", "--host", "h", "--username", "u", "--source", source)
    assert done.code == 0, done.err
    (mailbox,) = load(collector.home / "collector.toml").mailboxes
    told = {"format": mailbox.format.value, "server": mailbox.server}
    assert source in {*told.values(), "other"}
