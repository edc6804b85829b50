"""The completeness report: every message counted once, gaps and silence told, limits said."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from collector_program import Collector

from collector.config import load
from collector.custody.intake import Arrived
from collector.custody.verify import prove
from collector.domain.blob import RawBytes
from collector.domain.custody import Settlement, State
from collector.domain.mailbox import Announced, Fetched, MailboxId, MessageRef
from collector.formats.unwrap import unwrap
from collector.service.assemble import open_house

DAY = datetime(2026, 3, 4, tzinfo=UTC)
INBOX = MailboxId("journal", "INBOX")
PERIOD = ("--from", "2026-03-04", "--to", "2026-03-05")


@pytest.fixture
def archived(collector: Collector) -> Collector:
    """Return a program with five messages on two days: one of each fate, one a duplicate."""
    collector.configure()
    with open_house(load(collector.home / "collector.toml")) as house:
        for number, hour in ((1, 1), (2, 2), (3, 9), (1, 10), (5, 30), (6, 90)):
            at = DAY + timedelta(hours=hour)
            raw = RawBytes(b"Subject: %d\r\n\r\nbody\r\n" % number)
            announced = Announced(MessageRef(INBOX, 7, hour), None, at - timedelta(minutes=5))
            arrived = [Arrived(Fetched(announced, raw), at, unwrap(raw))]
            with house.intake.turn():
                entries = house.intake.commit(house.intake.store(arrived, at))
            if number == 2:
                house.ledger.clear(
                    prove(entries, house.archive, house.ledger, at + timedelta(minutes=10))
                )
        fates = (State.VANISHED, State.EXPUNGED, State.SUPERSEDED)
        house.ledger.settle([Settlement(seq, fate, None, DAY) for seq, fate in enumerate(fates, 1)])
        house.ledger.record_event("mailbox.gap", DAY, mailbox=str(INBOX), uids="3:8", uids_count=6)
    return collector


def test_every_message_is_counted_once(archived: Collector) -> None:
    """By day, with the longest exposure and silence; the sums leave no difference."""
    told = archived.run("report", *PERIOD, "--json").json()
    first, second = told["days"]
    assert (first["day"], first["archived"], first["duplicates"]) == ("2026-03-04", 4, 1)
    fates = {"expunged": 1, "vanished": 1, "superseded": 1, "in_mailbox": 1}
    assert {name: first[name] for name in fates} == fates
    assert first["exposed_s_max"] == 15 * 60
    assert first["silence_s_max"] == 7 * 3600
    assert (second["day"], second["archived"], second["in_mailbox"]) == ("2026-03-05", 1, 1)
    assert second["silence_s_max"] == 20 * 3600
    assert (told["total"]["archived"], told["total"]["difference"]) == (5, 0)
    gap = {"event": "mailbox.gap", "uids": "3:8", "uids_count": 6}
    assert [gap.items() <= event.items() for event in told["events"]] == [True]


def test_the_report_is_told_in_two_languages(archived: Collector) -> None:
    """One page each, with the same figures and the limits."""
    english = archived.run("report", *PERIOD).text
    german = archived.run("report", *PERIOD, "--language", "de").text
    assert "5 archived = 1 deleted + 1 vanished + 1 superseded + 2 in the mailbox" in english
    assert "5 archiviert = 1 gelöscht + 1 verschwunden + 1 ersetzt + 2 im Postfach" in german
    assert "it certifies nothing" in english
    assert "er bescheinigt nichts" in german
    assert "no full verification in this period" in english


def test_a_full_verification_is_told(archived: Collector) -> None:
    """Only one that read everything counts."""
    archived.run("verify", "--sample", "1")
    assert "no full verification" in archived.run("report").text
    archived.run("verify")
    assert "last full verification in this period: " in archived.run("report").text


def test_a_period_that_ends_before_it_begins_is_refused(archived: Collector) -> None:
    """A usage error."""
    done = archived.run("report", "--from", "2026-03-05", "--to", "2026-03-04")
    assert (done.code, "--to lies before --from" in done.err) == (2, True)
