"""Every act is written down with who did it, before it takes effect."""

from __future__ import annotations

import getpass
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from collector_program import Collector
from sample_mail import mixed

from collector.config import load
from collector.service.acts import person_of
from collector.service.assemble import open_house, open_reading

USER = getpass.getuser()


@pytest.fixture
def archived(collector: Collector, dovecot) -> Collector:
    """Return a program that has collected three messages."""
    user = dovecot.new_user()
    user.append_many(mixed(3))
    collector.configure(collector.mailbox(user))
    assert collector.run("collect").code == 0
    return collector


def last(collector: Collector, name: str) -> dict[str, Any]:
    """Return the keys of the newest event of a name."""
    with open_reading(load(collector.home / "collector.toml")) as (_archive, ledger):
        return ledger.events(names=[name])[0].keys


ACTS = {
    "show 2": ("message.viewed", {"seq": 2, "part": "record"}),
    "show 2 --json": ("message.viewed", {"seq": 2, "part": "record"}),
    "show 2 --raw": ("message.viewed", {"seq": 2, "part": "raw"}),
    "show 2 --message": ("message.viewed", {"seq": 2, "part": "message"}),
    "list": ("archive.listed", {"by": "report", "filter": {}}),
    "list --sender anna --limit 1": (
        "archive.listed",
        {"by": "report", "filter": {"sender": "given", "limit": 1}},
    ),
    "export out": (
        "archive.exported",
        {"messages_count": 3, "shape": "eml", "original": False, "filter": {}},
    ),
    "prove 1 -o proof": ("proof.written", {"seq": 1}),
    "report --from 2026-01-01 --to 2026-01-31": (
        "report.written",
        {"since": "2026-01-01T00:00:00Z", "before": "2026-02-01T00:00:00Z"},
    ),
    "backfill journal": ("backfill.started", {"folders": ["journal:INBOX"], "delete": False}),
}


@pytest.mark.parametrize("act", ACTS)
def test_an_act_is_written_down_with_who_did_it(archived: Collector, act: str) -> None:
    """The user is the operating system's; name and reason are his own words."""
    name, told = ACTS[act]
    who = ("--as", "Anna Auditor", "--reason", "audit 2026")
    done = archived.run(*who, *act.split(), SUDO_USER="otto")
    assert done.code == 0, done.err
    person = {"user": USER, "sudo_user": "otto", "as": "Anna Auditor", "reason": "audit 2026"}
    assert last(archived, name) == {"person": person, **told}


def test_the_name_may_come_from_the_environment(archived: Collector) -> None:
    """A shared account tells its people apart."""
    archived.run("show", "1", COLLECTOR_AS="Berta", COLLECTOR_REASON="tax")
    assert last(archived, "message.viewed")["person"] == {
        "user": USER,
        "as": "Berta",
        "reason": "tax",
    } | ({"sudo_user": os.environ["SUDO_USER"]} if "SUDO_USER" in os.environ else {})


@pytest.mark.parametrize("name", ["x" * 201, "two\nlines", "\x1b[2J"])
def test_a_name_that_is_no_line_is_refused(archived: Collector, name: str) -> None:
    """A usage error, before anything is shown."""
    done = archived.run("--as", name, "show", "1")
    assert (done.code, done.out) == (2, b"")
    assert "--as" in done.err


def test_an_act_that_cannot_be_written_down_now_does_not_take_place(
    archived: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process holds the ledger for longer than we wait: nothing is shown."""
    lock = sqlite3.connect(archived.archive / "ledger.db", isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    impatient = "import collector.ledger.database as d; d.BUSY_TIMEOUT_S = 0.2"
    code = f"{impatient}; from collector.cli.main import main; main()"
    config = str(archived.home / "collector.toml")
    command = [sys.executable, "-c", code, "--config", config, "show", "1", "--raw"]
    done = subprocess.run(command, capture_output=True, check=False)
    lock.close()
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"locked" in done.stderr


def test_acts_beside_a_running_service_enter_the_log(archived: Collector) -> None:
    """Whoever has the archive open for writing puts them into a segment and the tree."""
    settings = load(archived.home / "collector.toml")
    with open_house(settings) as house:
        assert archived.run("show", "1").code == 0
        before = house.ledger.log.size()
        house.intake.attest(house.ledger.events(limit=1)[0].at)
        assert house.ledger.log.size() > before
        assert house.ledger.unlogged_events() == []
    assert archived.run("verify").code == 0


def may_only_read(copy: Collector, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """Run a command on files nobody may write; as root without root's right to do so anyway."""
    bound = ["setpriv", "--bounding-set=-dac_override"] if os.getuid() == 0 else []
    return subprocess.run([*bound, *copy.command(*arguments)], capture_output=True, check=False)


@pytest.fixture
def copy(archived: Collector, tmp_path: Path) -> Collector:
    """Return a copy of the archive that cannot be written by the one who reads it."""
    home = tmp_path / "copy"
    shutil.copytree(archived.home, home)
    text = (home / "collector.toml").read_text()
    (home / "collector.toml").write_text(text.replace(str(archived.archive), str(home / "archive")))
    for path in (home, *home.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    return Collector(home)


def test_a_read_only_copy_can_be_read_and_says_that_nobody_will_know(copy: Collector) -> None:
    """An auditor's copy works; each view says loudly that it is not recorded."""
    for arguments in (["show", "1", "--raw"], ["list", "--json"], ["report", "--json"]):
        done = may_only_read(copy, *arguments)
        assert done.returncode == 0, done.stderr
        assert done.stdout
        assert b"NOT RECORDED" in done.stderr
    status = may_only_read(copy, "status", "--json")
    assert json.loads(status.stdout)["archive"]["entries"] == 3
    verified = may_only_read(copy, "verify", "--json")
    assert json.loads(verified.stdout)["broken"] == 0


def test_who_runs_this_is_known() -> None:
    """The real user's name, and what he says of himself."""
    assert person_of("A", "B").facts().items() >= {"user": USER, "as": "A", "reason": "B"}.items()
