"""The daily summary: what it tells, once a day, whatever happens to program, clock and receiver."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import pytest
from collector_program import Collector
from http_sink import HttpSink, http_sink
from sample_mail import mixed
from structlog.testing import capture_logs

from collector.config import load
from collector.custody.watch import utc_now
from collector.domain.custody import Summary
from collector.domain.mailbox import MailboxId
from collector.ledger.watched import Failure, FailureKind
from collector.service.alarms import AlarmJob
from collector.service.assemble import open_house

INBOX = MailboxId("journal", "INBOX")
DAY = timedelta(days=1)
SOON = timedelta(minutes=30)
CALM = """
[alarms]
receivers = { office = "office-url", pager = "pager-url" }
critical_only = ["pager"]
timezone = "UTC"
silence_max = "never"
not_polled_max = "1000d"
verify_max = "1000d"
checkpoint_max = "1000d"
"""


@pytest.fixture
def sink() -> Iterator[HttpSink]:
    """A webhook that takes what it is sent."""
    with http_sink() as sink:
        yield sink


class Days:
    """A service that is started for every look, and a clock that is set by hand."""

    def __init__(self, collector: Collector, user, *, summary: bool = True) -> None:
        self.collector = collector
        self.began_at = self.at = utc_now()
        self.due_at = (self.at + SOON).replace(second=0, microsecond=0)
        collector.configure(collector.mailbox(user))
        path = collector.home / "collector.toml"
        due = f'daily_summary = "{self.due_at:%H:%M}"' if summary else ""
        path.write_text(f"{path.read_text()}{CALM}{due}\n", encoding="utf-8")

    def look(self, at: datetime) -> None:
        """Start, look once, and end."""
        self.at = at
        settings = load(self.collector.home / "collector.toml")
        with open_house(settings) as house:
            AlarmJob(settings, now=lambda: self.at).work(house.intake, lambda: False)

    def note_cycle(self, result: Summary | Failure) -> None:
        """Let a cycle have ended so."""
        with open_house(load(self.collector.home / "collector.toml")) as house:
            house.ledger.note_cycle(INBOX, self.at, result)


@pytest.fixture
def days(collector: Collector, dovecot, sink: HttpSink) -> Callable[..., tuple[Days, object]]:
    """Return a maker of a service whose receivers are the webhook, and of its user."""

    def make(**options: bool) -> tuple[Days, object]:
        user = dovecot.new_user()
        made = Days(collector, user, **options)
        for name in ("office", "pager"):
            address = collector.home / f"{name}-url"
            address.touch(mode=0o600)
            address.write_text(f"json://127.0.0.1:{sink.port}/{name}\n")
        return made, user

    return make


def summaries(sink: HttpSink) -> list[str]:
    """Return what was told: headline and text of every message of a summary."""
    told = [(each["title"].partition("] ")[2], each["message"]) for each in sink.documents()]
    return ["\n".join(each) for each in told if "daily summary" in "".join(each)]


def headlines(sink: HttpSink) -> list[str]:
    """Return the first lines of the summaries."""
    return [each.partition("\n")[0] for each in summaries(sink)]


def test_it_tells_what_came_since_the_last_one(days, sink: HttpSink) -> None:
    """Every message is in exactly one of them; so is every deletion."""
    service, user = days()
    service.look(service.began_at)
    user.append_many(mixed(3))
    assert service.collector.run("collect").code == 0
    service.look(service.due_at - timedelta(seconds=1))
    assert summaries(sink) == [], "it is not time yet"
    service.look(service.due_at + timedelta(seconds=5))
    (told,) = summaries(sink)
    assert told.startswith(
        "daily summary: all well, 3 message(s) collected\n"
        f"since        {service.began_at:%Y-%m-%d %H:%M}Z\n"
        "collected    3 ("
    )
    assert "\ndeleted      3 from the mailboxes, proven before\n" in told
    assert "\nwaiting      0, set aside 0\nquarantined  0, gaps 0\narchive      3 entries, " in told
    assert "from arrival to proof (median)\njournal: 3 collected" in told
    user.append_many(mixed(2))
    assert service.collector.run("collect").code == 0
    service.look(service.due_at + DAY)
    assert headlines(sink)[1:] == ["daily summary: all well, 2 message(s) collected"]
    paths = {path for method, path, _ in sink.requests if method == "POST"}
    assert paths == {"/office"}, "who hears of critical alarms only gets no summary"


def test_it_is_told_once_a_day_over_restarts(days, sink: HttpSink) -> None:
    """Quiet days too; days without the service are told of in one."""
    service, _ = days()
    service.look(service.began_at)
    for _ in range(3):
        service.look(service.due_at + timedelta(minutes=1))
    service.look(service.due_at + DAY - timedelta(minutes=1))
    assert headlines(sink) == ["daily summary: all well, 0 message(s) collected"]
    service.look(service.due_at + 4 * DAY)
    service.look(service.due_at + 4 * DAY + timedelta(hours=3))
    assert len(summaries(sink)) == 2
    assert f"since        {service.due_at:%Y-%m-%d}" in summaries(sink)[1]


def test_it_names_what_is_wrong(days, sink: HttpSink) -> None:
    """The alarms that last, as they are."""
    service, _ = days()
    service.look(service.began_at)
    service.note_cycle(Failure(FailureKind.LOGIN, "refused", 60.0))
    service.look(service.due_at)
    (told,) = summaries(sink)
    assert "daily summary: 1 alarm(s), 0 message(s) collected" in told
    assert "\ncritical: login journal:INBOX: " in told


def test_a_receiver_that_fails_gets_it_later_and_only_the_newest(days, sink: HttpSink) -> None:
    """Old figures help nobody; none is told twice."""
    service, _ = days()
    service.look(service.began_at)
    sink.status = 500
    service.look(service.due_at)
    service.look(service.due_at + timedelta(minutes=1))
    service.look(service.due_at + DAY)
    sink.requests.clear()
    sink.status = 200
    for minutes in (20, 21, 60):
        service.look(service.due_at + DAY + timedelta(minutes=minutes))
    (told,) = summaries(sink)
    assert f"since        {service.due_at:%Y-%m-%d %H:%M}Z" in told


def test_a_clock_that_jumps_neither_repeats_nor_silences_it(days, sink: HttpSink) -> None:
    """Ahead by a year and back: one for each jump, then one a day as before."""
    service, _ = days()
    service.look(service.began_at)
    service.look(service.due_at)
    ahead = service.due_at + 400 * DAY + timedelta(hours=1)
    for at in (ahead, ahead, service.due_at + timedelta(hours=1)):
        service.look(at)
    assert len(summaries(sink)) == 3
    service.look(service.due_at + timedelta(minutes=59))  # a correction of a minute
    service.look(service.due_at + timedelta(hours=2))
    assert len(summaries(sink)) == 3
    service.look(service.due_at + DAY)
    assert len(summaries(sink)) == 4


def test_without_a_time_of_day_the_log_alone_has_it(days, sink: HttpSink) -> None:
    """At midnight; nobody is told."""
    service, user = days(summary=False)
    service.look(service.began_at)
    user.append_many(mixed(2))
    assert service.collector.run("collect").code == 0
    with capture_logs() as lines:
        service.look(service.began_at + DAY)
    (told,) = [each for each in lines if each["event"] == "day.summarised"]
    assert (told["collected"], told["deleted"], told["by_mailbox"]) == (2, 2, {"journal": 2})
    assert summaries(sink) == []
