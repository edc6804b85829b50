"""Canaries through a real mail server, a real journal mailbox and the real program."""

from __future__ import annotations

import json
import signal
from datetime import timedelta

import pytest
from collector_program import Collector
from journaling_relay import Copy, JournalingRelay, Manners
from sample_mail import plain
from test_service_run import eventually

from collector.config import load
from collector.custody.watch import utc_now
from collector.domain.canary import CanaryGrade
from collector.service.assemble import open_reading
from collector.service.canary import Canaries, canary_alarms, canary_key

pytestmark = pytest.mark.dovecot

CANARY = """
[canary]
enabled = true
late_after = "30s"

[[canary.smtp]]
name = "ours"
host = "localhost"
port = {port}
ca_file = "{ca}"
username = "canary"
password_file = "imap-password"

[[canary.path]]
name = "inside"
smtp = "ours"
from = "canary@example.net"
to = ["first@example.net"]
bcc = ["hidden@example.net"]
lists = ["team@example.net"]
members = ["one@example.net", "two@example.net"]
mailbox = "journal"
"""
TEAM = {"team@example.net": ("one@example.net", "two@example.net")}


@pytest.fixture
def relay(dovecot):
    """Return a mail server that journals reports with everything in them."""
    with JournalingRelay(dovecot.new_user(), dovecot.ca, Manners(expands=TEAM)) as server:
        yield server


@pytest.fixture
def watched(collector: Collector, relay) -> Collector:
    """Return a program that has a mailbox with one message and a path for canaries."""
    configure(collector, relay)
    relay.journal.append(plain(1))
    assert collector.run("collect").code == 0
    return collector


def configure(collector: Collector, relay, **mailbox: object) -> None:
    """Write the configuration; ``mailbox`` changes the journal mailbox's keys."""
    keys = {"poll_interval": "1s", **mailbox}
    collector.configure(collector.mailbox(relay.journal, **keys), log='level = "info"')
    with (collector.home / "collector.toml").open("a", encoding="utf-8") as file:
        file.write(CANARY.format(port=relay.port, ca=relay.ca.ca))


def sent(collector: Collector) -> dict:
    """Send one canary and collect; return how its path does then."""
    assert collector.run("canary", "send").code == 0
    assert collector.run("collect").code == 0
    return status(collector)


def status(collector: Collector) -> dict:
    """Return how the one path does."""
    return collector.run("canary", "status", "--json").json()["paths"][0]


def found(collector: Collector) -> dict:
    """Return what ``collector check`` says of the servers that take canaries."""
    findings = collector.run("check", "--json").json()["findings"]
    (finding,) = [each for each in findings if each["name"] == "canary"]
    return finding


def canaries(collector: Collector, act) -> None:
    """Run ``act`` with what the job of the service works with."""
    settings = load(collector.home / "collector.toml")
    with open_reading(settings) as (archive, ledger):
        act(settings, Canaries(settings, archive, ledger, canary_key(settings)))


def test_a_canary_goes_all_the_way_round(watched, relay):
    """Sent, journaled, collected, recognised: archived like any mail and graded."""
    facts = sent(watched)
    (taken,) = relay.taken
    assert taken.recipients == ("first@example.net", "team@example.net", "hidden@example.net")
    assert (facts["grade"], facts["last_seq"], facts["last_error"]) == ("envelope-complete", 2, "")
    assert watched.run("show", "2", "--message").out == taken.raw
    told = watched.run("canary")
    assert told.code == 0
    assert "canary inside -> journal: envelope-complete" in told.text
    assert watched.run("status", "--json").json()["canary"] == [facts]
    assert "canary inside -> journal" in watched.run("status").text


def test_check_logs_in_where_canaries_are_sent(watched, relay):
    """Nothing is sent; a refusal says what to do, and no password or address."""
    told = found(watched)
    assert (told["subject"], told["result"]) == ("ours", "ok")
    assert told["detail"] == "it let us in; nothing was sent"
    text = (watched.home / "collector.toml").read_text(encoding="utf-8")
    (watched.home / "smtp-password").touch(mode=0o600)
    (watched.home / "smtp-password").write_text("sesame")
    before, canary = text.split("[canary]")
    canary = canary.replace("imap-password", "smtp-password")
    (watched.home / "collector.toml").write_text(f"{before}[canary]{canary}", encoding="utf-8")
    told = found(watched)
    assert (told["result"], told["hint"]) == (
        "warning",
        "check username and password_file of this [[canary.smtp]]",
    )
    assert told["detail"] == "the mail server refused the login (535)"
    assert relay.taken == []


@pytest.mark.parametrize(
    ("manners", "mailbox", "expected"),
    [
        (Manners(expands=TEAM, tells_bcc=False), {}, CanaryGrade.BCC_MISSING),
        (Manners(), {}, CanaryGrade.LIST_NOT_EXPANDED),
        (Manners(Copy.BARE), {}, CanaryGrade.ENVELOPE_MISSING),
        (
            Manners(Copy.ENVELOPE_FIELDS, expands=TEAM),
            {"server": "sendmail", "own_received_count": 2},
            CanaryGrade.COMPLETE,
        ),
        (
            Manners(Copy.ENVELOPE_FIELDS, expands=TEAM, tells_bcc=False),
            {"server": "sendmail", "own_received_count": 2},
            CanaryGrade.BCC_MISSING,
        ),
    ],
)
def test_the_source_is_graded_by_what_its_copies_tell(collector, relay, manners, mailbox, expected):
    """A report or a copy, with and without what only the envelope knows."""
    configure(collector, relay, **mailbox)
    relay.manners = manners
    assert collector.run("collect").code == 0
    assert sent(collector)["grade"] == expected.value

    def later(settings, known: Canaries) -> None:
        now = utc_now() + timedelta(minutes=1)
        known.look(now)
        kinds = [alarm.kind for alarm in canary_alarms(settings, known.ledger, now)]
        assert kinds == ([] if expected is CanaryGrade.COMPLETE else ["canary-envelope"])

    canaries(collector, later)


def test_late_and_lost_are_alarms_and_a_late_copy_ends_them(watched, relay):
    """The journal swallows a canary; its copy turns up after it was given up."""
    relay.manners.copy = Copy.NONE
    assert sent(watched)["grade"] is None

    def alarms_after(settings, known: Canaries, **time: float) -> list[str]:
        now = utc_now() + timedelta(**time)
        known.look(now)
        return [alarm.kind for alarm in canary_alarms(settings, known.ledger, now)]

    def wait(settings, known: Canaries) -> None:
        assert alarms_after(settings, known, seconds=10) == []
        assert alarms_after(settings, known, minutes=2) == ["canary-late"]
        assert alarms_after(settings, known, hours=5) == ["canary-lost"]
        assert alarms_after(settings, known, hours=6) == ["canary-lost"]
        assert [each.name for each in known.ledger.events(["canary.lost"])] == ["canary.lost"]

    canaries(watched, wait)
    told = watched.run("canary")
    assert told.code == 0  # by the clock of the program it is not late yet
    assert status(watched)["grade"] == "copy-missing"
    relay.manners.copy = Copy.REPORT
    relay.take(relay.taken.pop())
    assert watched.run("collect").code == 0
    assert status(watched)["grade"] == "envelope-complete"

    def come(settings, known: Canaries) -> None:
        assert alarms_after(settings, known, hours=6) == []

    canaries(watched, come)


def test_a_stranger_cannot_fake_one(watched, relay):
    """Who has seen a Message-ID and writes a report of his own is archived, not believed."""
    relay.manners.copy = Copy.NONE
    assert watched.run("canary", "send").code == 0
    mail = relay.taken[0]
    forged = mail.raw.replace(b"mac=", b"mac=f")
    relay.manners.copy = Copy.REPORT
    relay.take(type(mail)(mail.sender, mail.recipients, forged))
    assert watched.run("collect").code == 0
    _, record = watched.run("list", "--json").lines()
    assert record["envelope"]["message_id"].encode() in mail.raw
    assert (status(watched)["grade"], status(watched)["last_seq"]) == (None, None)
    relay.take(mail)
    assert watched.run("collect").code == 0
    assert (status(watched)["grade"], status(watched)["last_seq"]) == ("envelope-complete", 3)


def test_a_server_that_refuses_is_told_and_nothing_is_lost(watched, relay):
    """The command says so with exit code 1; it is no lost canary."""
    relay.manners.refuses = frozenset({"hidden@example.net"})
    done = watched.run("canary", "send")
    assert done.code == 1
    assert "refused a recipient (550)" in done.text
    facts = watched.run("canary", "status", "--json")
    assert facts.code == 4
    assert [each["kind"] for each in facts.json()["alarms"]] == ["canary-unsent"]


def test_the_service_sends_and_looks_beside_collecting(collector, relay):
    """One at the start on every path; its grade is in the ledger and in the log."""
    configure(collector, relay)
    relay.journal.append(plain(1))
    process = collector.start("run")
    try:
        eventually(lambda: relay.taken)
        eventually(lambda: not relay.journal.messages())
        eventually(lambda: status(collector)["grade"] == "envelope-complete")
    finally:
        assert process.end(signal.SIGTERM).code == 0
    assert len(relay.taken) == 1
    assert len(collector.run("list", "--json").lines()) == 2
    assert collector.run("verify").code == 0


def test_a_server_that_stalls_delays_nothing_but_canaries(collector, relay):
    """Mail is collected meanwhile."""
    configure(collector, relay)
    relay.manners.stalls = True
    process = collector.start("run")
    try:
        eventually(lambda: relay.stalled_count)
        relay.journal.append(plain(2))
        eventually(lambda: not relay.journal.messages())
    finally:
        relay.stopped.set()
        done = process.end(signal.SIGTERM)
    assert done.code == 0
    assert "canary.unsent" in done.err


def test_a_key_that_cannot_be_read_stops_no_collecting(watched, relay):
    """Whatever is wrong with canaries is a line in the log."""
    key = watched.archive / "canary.key"
    key.unlink(missing_ok=True)
    key.mkdir()
    process = watched.start("run")
    try:
        eventually(lambda: "canary.failed" in process.err.read_text())
        relay.journal.append(plain(2))
        eventually(lambda: not relay.journal.messages())
    finally:
        done = process.end(signal.SIGTERM)
    assert done.code == 0
    (line,) = [each for each in done.err.splitlines() if "canary.failed" in each]
    assert json.loads(line)["error"] == "ConfigError"


def test_without_paths_the_command_says_what_to_do(collector, dovecot):
    """Exit code 2 and the key to set; an unknown path is told with the known ones."""
    collector.configure(collector.mailbox(dovecot.new_user()))
    done = collector.run("canary", "send")
    assert done.code == 2
    assert "enabled = true" in done.err
