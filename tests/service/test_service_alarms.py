"""Alarms and figures of the real program: told once, over restarts, beside collecting."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from collector_program import Collector
from debian_packages import unpack
from http_sink import HttpSink, http_sink
from sample_mail import mixed
from test_service_run import eventually
from throwaway import free_ports

from collector.config import load
from collector.custody.watch import utc_now
from collector.domain.custody import Summary
from collector.domain.mailbox import MailboxId
from collector.ledger.watched import Failure, FailureKind
from collector.service.alarms import AlarmJob
from collector.service.assemble import open_house
from collector.service.metric_table import METRICS
from collector.watch.rules import KINDS

INBOX = MailboxId("journal", "INBOX")
MANUAL = Path(__file__).parents[2] / "docs" / "monitoring.md"


@pytest.fixture
def sink() -> Iterator[HttpSink]:
    """A webhook that takes what it is sent."""
    with http_sink() as sink:
        yield sink


@pytest.fixture
def watched(collector: Collector, dovecot, sink: HttpSink):
    """Return a configured program that tells the webhook, and its user."""
    user = dovecot.new_user()
    collector.configure(collector.mailbox(user, poll_interval="1s"), log='level = "info"')
    address = collector.home / "webhook"
    address.touch(mode=0o600)
    address.write_text(f"json://127.0.0.1:{sink.port}/secrethook\n")
    add(collector, '[alarms]\nreceivers = { office = "webhook" }')
    return collector, user


def add(collector: Collector, text: str) -> None:
    """Append to the configuration."""
    path = collector.home / "collector.toml"
    path.write_text(f"{path.read_text()}\n{text}\n")


def titles(sink: HttpSink) -> list[str]:
    """Return the first lines of what was told, without the place."""
    return [each["title"].partition("] ")[2] for each in sink.documents()]


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.at = utc_now()

    def __call__(self) -> datetime:
        return self.at


def test_an_alarm_is_told_once_reminded_of_and_cleared(watched, sink: HttpSink) -> None:
    """Over restarts of the service: what was told is durable before it is told."""
    collector, _ = watched
    settings, clock = load(collector.home / "collector.toml"), Clock()

    def look(ahead: timedelta = timedelta()) -> None:
        clock.at += ahead
        with open_house(settings) as house:  # every look by a process of its own
            AlarmJob(settings, now=clock).work(house.intake, lambda: False)

    with open_house(settings) as house:
        house.ledger.note_cycle(INBOX, clock.at, Failure(FailureKind.LOGIN, "refused", 60.0))
    look()
    look(timedelta(minutes=1))
    assert titles(sink) == ["critical: login journal:INBOX"]
    look(timedelta(hours=24))
    assert "still: critical: login journal:INBOX" in "\n".join(titles(sink))
    with open_house(settings) as house:
        house.ledger.note_cycle(INBOX, clock.at, Summary())
    look()
    told = len(titles(sink))
    look(timedelta(minutes=11))
    assert any("all clear: critical: login" in each for each in titles(sink)[told:])


def test_what_could_not_be_delivered_is_tried_again(watched, sink: HttpSink) -> None:
    """A receiver that is down is told later, once."""
    collector, _ = watched
    settings, clock = load(collector.home / "collector.toml"), Clock()
    sink.status = 500
    with open_house(settings) as house:
        house.ledger.note_cycle(INBOX, clock.at, Failure(FailureKind.LOGIN, "refused", 60.0))
        job = AlarmJob(settings, now=clock)
        job.work(house.intake, lambda: False)
        job.work(house.intake, lambda: False)
        assert len(sink.requests) == 1, "it waits before it tries again"
        sink.status = 200
        clock.at += timedelta(minutes=10)
        for _ in range(2):
            job.work(house.intake, lambda: False)
    assert len(sink.requests) == 2


def test_a_person_is_told_of_a_wrong_password(watched, sink: HttpSink) -> None:
    """The running service tells it at once; neither address nor password is in its log."""
    collector, _ = watched
    (collector.home / "imap-password").write_text("wrongpassword")
    process = collector.start("run")
    try:
        eventually(lambda: titles(sink))
    finally:
        done = process.end(15)
    assert done.code == 0
    assert "login journal:INBOX" in titles(sink)[0]
    assert "alarm.told" in done.err
    for secret in ("secrethook", "wrongpassword"):
        assert secret not in done.err


def test_what_was_being_told_when_the_service_was_killed_is_told_after_it(
    watched, sink: HttpSink
) -> None:
    """The receiver has the request and did not answer: it is told again, once, and cleared."""
    collector, _ = watched
    (collector.home / "imap-password").write_text("wrongpassword")
    with open_house(load(collector.home / "collector.toml")) as house:  # seen by the first look
        house.ledger.note_cycle(INBOX, utc_now(), Failure(FailureKind.LOGIN, "refused", 60.0))
    sink.answers.clear()
    process = collector.start("run")
    try:
        eventually(lambda: titles(sink))
    finally:
        process.end(signal.SIGKILL)
    sink.answers.set()
    again = collector.start("run")
    try:
        eventually(lambda: len(titles(sink)) > 1)
        eventually(lambda: "alarm.told" in again.err.read_text())
    finally:
        assert again.end(signal.SIGTERM).code == 0
    assert titles(sink) == ["critical: login journal:INBOX"] * 2
    settings, clock = load(collector.home / "collector.toml"), Clock()
    with open_house(settings) as house:
        house.ledger.note_cycle(INBOX, clock.at, Summary())
        for _ in range(3):
            AlarmJob(settings, now=clock).work(house.intake, lambda: False)
            clock.at += timedelta(minutes=10)
    assert titles(sink)[2:] == ["all clear: critical: login journal:INBOX"]


def test_who_collects_by_cron_is_told_too(watched, sink: HttpSink) -> None:
    """Once, over runs; a receiver that fails or hangs changes neither exit code nor archive."""
    collector, user = watched
    password = (collector.home / "imap-password").read_text()
    (collector.home / "imap-password").write_text("wrongpassword")
    assert [collector.run("collect").code for _ in range(2)] == [1, 1]
    assert titles(sink) == ["critical: login journal:INBOX"]
    (collector.home / "imap-password").write_text(password)
    user.append_many(mixed(2))
    sink.answers.clear()
    with open_house(load(collector.home / "collector.toml")) as house:
        house.ledger.record_event("mailbox.restored", utc_now(), mailbox=str(INBOX))
    assert collector.run("collect").code == 0
    assert (len(titles(sink)), user.messages()) == (2, {})


def test_a_broken_archive_is_told_of_by_collect(watched, sink: HttpSink) -> None:
    """At once, because nothing goes on after it; the exit code stays 3."""
    collector, user = watched
    user.append_many(mixed(4))
    path = collector.home / "collector.toml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("[[mailbox]]", "[[mailbox]]\ndelete = false"), encoding="utf-8")
    assert collector.run("collect").code == 0
    sink.requests.clear()
    (segment,) = (collector.archive / "segments").glob("*.zst")
    stored = bytearray(segment.read_bytes())
    stored[len(stored) // 2] ^= 1
    segment.write_bytes(stored)
    path.write_text(text, encoding="utf-8")
    assert collector.run("collect").code == 3
    assert titles(sink) == ["critical: broken"]
    assert len(user.messages()) == 4


def test_status_and_list_show_the_same_alarms(watched) -> None:
    """One source of truth; exit code 4 asks for a person."""
    collector, _ = watched
    (collector.home / "imap-password").write_text("wrongpassword")
    assert collector.run("collect").code == 1
    shown = collector.run("alarm", "list", "--json")
    assert (shown.code, [each["kind"] for each in shown.lines()]) == (4, ["login"])
    (alarm,) = collector.run("status", "--json").json()["alarms"]
    told = shown.lines()[0] | {"problem": ""}  # it counts the seconds
    assert alarm | {"problem": ""} == told
    assert "critical: login journal:INBOX" in collector.run("status").text


def test_every_receiver_can_be_tried(watched, sink: HttpSink) -> None:
    """``alarm test`` says for each whether it was taken; the exit code tells."""
    collector, _ = watched
    assert collector.run("alarm", "test").code == 0
    assert titles(sink) == ["test of the receiver office"]
    sink.status = 404
    refused = collector.run("alarm", "test", "--json")
    assert (refused.code, refused.json()["result"]) == (1, "failed")
    assert "secrethook" not in refused.text + refused.err


def test_without_receivers_there_is_nothing_to_try(collector: Collector, dovecot) -> None:
    """It is said, with what to do."""
    collector.configure(collector.mailbox(dovecot.new_user()))
    refused = collector.run("alarm", "test")
    assert refused.code == 2
    assert "nobody would hear of an alarm" in refused.err


def test_somebody_outside_hears_of_good_cycles(watched, sink: HttpSink) -> None:
    """The ping comes after a good cycle; its address is a secret."""
    collector, user = watched
    user.append_many(mixed(2))
    text = (collector.home / "collector.toml").read_text()
    text = text.replace("[alarms]", '[alarms]\nping_url_env = "PING_URL"')
    (collector.home / "collector.toml").write_text(text)
    process = collector.start("run", PING_URL=f"http://127.0.0.1:{sink.port}/pingsecret")
    try:
        eventually(lambda: any(path == "/pingsecret" for _, path, _ in sink.requests))
    finally:
        done = process.end(15)
    assert done.code == 0
    assert "pingsecret" not in done.err


def test_figures_are_served_for_prometheus(watched) -> None:
    """Every metric that is served has a meaning; none names an address."""
    collector, user = watched
    user.append_many(mixed(6))
    (port,) = free_ports(1)
    add(collector, f'[metrics]\nlisten = "127.0.0.1:{port}"')
    process = collector.start("run")
    try:
        eventually(lambda: not user.messages())
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            text = answer.read().decode()
    finally:
        process.end(15)
    samples = [line for line in text.splitlines() if line and not line.startswith("#")]
    suffixes = ("_bucket", "_count", "_sum", "_created")
    names = {line.partition("{")[0].partition(" ")[0] for line in samples}
    known = set(METRICS) | {name + end for name in METRICS for end in suffixes}
    assert names - known == set()
    assert {"collector_messages_collected_total", "collector_archive_entries"} <= names
    assert any('mailbox="journal"' in line for line in samples)
    assert "@" not in text


@pytest.mark.parametrize(("host", "is_open"), [("127.0.0.1", False), ("0.0.0.0", True)])  # noqa: S104
def test_figures_for_everybody_are_warned_of(
    watched,
    host: str,
    is_open: bool,
) -> None:
    """At the start and by ``check``, with what to do; on loopback they are not."""
    collector, _ = watched
    (port,) = free_ports(1)
    add(collector, f'[metrics]\nlisten = "{host}:{port}"')
    findings = collector.run("check", "--json").json()["findings"]
    (told,) = [each for each in findings if each["name"] == "metrics"]
    assert (told["subject"], told["result"]) == (f"{host}:{port}", "warning" if is_open else "ok")
    assert is_open == ("no TLS and no login" in told["detail"]) == ("proxy" in told["hint"])
    process = collector.start("run")
    try:
        eventually(lambda: "metrics.served" in process.err.read_text())
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            assert answer.status == 200
    finally:
        done = process.end(signal.SIGTERM)
    assert ("metrics.exposed" in done.err) == is_open


def test_the_manual_lists_every_alarm_and_every_metric() -> None:
    """docs/monitoring.md is compared with the program, row by row."""
    text = MANUAL.read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `([\w-]+)` \| ([^|]+) \|", text, re.MULTILINE))
    assert {kind: rows.get(kind) for kind in KINDS} == KINDS
    assert {name: rows.get(name) for name in METRICS} == METRICS


@pytest.mark.parametrize("what", ["dashboard", "rules"])
def test_dashboard_and_rules_name_metrics_that_exist(what: str) -> None:
    """A renamed metric would leave a panel empty, and a rule silent."""
    docs = MANUAL.parent
    path = (
        docs / "grafana" / "collector.json"
        if what == "dashboard"
        else docs / "prometheus" / "collector.yml"
    )
    named = set(re.findall(r"\bcollector_[a-z_]+", path.read_text(encoding="utf-8")))
    served = set(METRICS) | {"collector_cycle_duration_seconds_bucket"}
    assert named
    assert named <= served


@pytest.fixture(scope="module")
def promtool(tmp_path_factory) -> str:
    """Return Prometheus' own checker; unpacked, because the package would start a server."""
    found = shutil.which("promtool")
    if found is None:
        root = tmp_path_factory.mktemp("prometheus")
        unpack(root, "prometheus")
        found = str(root / "usr" / "bin" / "promtool")
    return found


def test_prometheus_takes_the_alert_rules(promtool: str, tmp_path: Path) -> None:
    """As promtool judges them; it refuses one with a mistake."""
    rules = MANUAL.parent / "prometheus" / "collector.yml"
    good = subprocess.run([promtool, "check", "rules", rules], capture_output=True, check=False)
    assert good.returncode == 0, good.stderr
    text = rules.read_text(encoding="utf-8")
    broken = tmp_path / "broken.yml"
    broken.write_text(text.replace("collector_ledger_readable == 0", "rate(collector"))
    bad = subprocess.run([promtool, "check", "rules", broken], capture_output=True, check=False)
    assert bad.returncode != 0
