"""``collector verify`` as a person and a timer see it: text, progress, exit codes."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
from datetime import UTC, datetime, timedelta

import pytest
from collector_program import Collector
from evidence_authority import Authority
from throwaway import free_ports

from collector.cli import outcome
from collector.config import load
from collector.custody.indexing import index
from collector.custody.intake import Arrived
from collector.custody.watch import utc_now
from collector.domain.blob import RawBytes
from collector.domain.journal import UNCONFIGURED
from collector.domain.mailbox import Announced, Fetched, MailboxId, MessageRef
from collector.service.assemble import open_house
from collector.telemetry import configure

NOW = datetime(2026, 3, 4, 5, 6, 7, 89, tzinfo=UTC)
INBOX = MailboxId("journal", "INBOX")
ENTRIES = 5


@pytest.fixture
def archived(collector: Collector) -> Collector:
    """Return a program with five entries."""
    collector.configure()
    with open_house(load(collector.home / "collector.toml")) as house:
        arrived = []
        for uid in range(1, ENTRIES + 1):
            raw = RawBytes(b"Subject: %d\r\n\r\nbody\r\n" % uid)
            announced = Announced(MessageRef(INBOX, 7, uid), None, NOW)
            arrived.append(Arrived(Fetched(announced, raw), NOW, index(raw, UNCONFIGURED)))
        with house.intake.turn():
            house.intake.commit(house.intake.store(arrived, NOW))
    return collector


def test_the_result_says_what_was_done(archived: Collector) -> None:
    """In full, and as a sample that can be drawn again."""
    full = archived.run("verify", "--full").text
    assert re.search(r"^verified 5 entries, in full, 0 broken \(", full, re.MULTILINE)
    assert re.search(r"^checkpoints: \d+, 0 with a time stamp, 0 anchored$", full, re.MULTILINE)
    sample = archived.run("verify", "--sample", "2").text
    drawn = re.search(r"verified 2 entries, drawn with --seed (\d+), 0 broken", sample)
    assert drawn is not None
    again = archived.run("verify", "--sample", "2", "--seed", drawn[1], "--json").json()
    assert (again["sample"], again["seed"], again["full"]) == (2, int(drawn[1]), False)


def test_an_authority_that_is_silent_needs_a_person(archived: Collector) -> None:
    """Nothing is broken: exit code 4, and a hint."""
    home = archived.home / "authority"
    home.mkdir()
    (archived.home / "tsa.pem").write_bytes(Authority(home).root)
    (port,) = free_ports(1)
    with (archived.home / "collector.toml").open("a") as file:
        file.write(f'[evidence]\nstamp_urls = ["http://127.0.0.1:{port}/"]\n')
        file.write('stamp_certificates = "tsa.pem"\n')
    with open_house(load(archived.home / "collector.toml")) as house:
        house.ledger.record_event("service.started", utc_now() - timedelta(hours=30))
    done = archived.run("verify")
    assert done.code == 4
    (note,) = [line for line in done.text.splitlines() if line.startswith("note: ")]
    assert re.match(r"note: 127\.0\.0\.1: no time stamp for \d+ d( \d+ h)?: the \d+ check", note)
    assert note.endswith("(can the authority be reached? look for `checkpoint.unseen` in the log)")


def test_a_terminal_shows_a_bar(archived: Collector) -> None:
    """On standard error; the result is on standard output all the same."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        archived.command("verify", "--json"),
        stdout=subprocess.PIPE,
        stderr=theirs,
        cwd=archived.home,
        env={**os.environ, "TERM": "xterm"},
    )
    os.close(theirs)
    shown = b""
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        try:
            while piece := terminal.read(4096):
                shown += piece
        except OSError:  # the other end is closed
            pass
    out, _ = process.communicate(timeout=60)
    assert json.loads(out)["verified"] == ENTRIES
    assert b"verifying" in shown
    assert b"archive.verifying" not in shown


def test_elsewhere_there_are_lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One event now and then, with how far it is."""
    configure("info", "json")
    clock_s = iter([0.0, 10.0, 31.0, 31.0, 40.0, 62.0, 62.0])
    monkeypatch.setattr(outcome.time, "monotonic", lambda: next(clock_s))
    with outcome.progress_shown("verifying", "archive.verifying") as move:
        for done in range(1, 5):
            move(done, 9)
    monkeypatch.undo()
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(each["event"], each["done"], each["total"]) for each in lines] == [
        ("archive.verifying", 2, 9),
        ("archive.verifying", 4, 9),
    ]
