"""The completeness report: every message counted once, losses and outages told, limits said."""

from __future__ import annotations

import re
import sqlite3
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import pytest
from collector_program import Collector
from sample_mail import mixed, plain

from collector.config import load
from collector.custody.indexing import index
from collector.custody.intake import Arrived
from collector.custody.verify import prove
from collector.domain.blob import RawBytes
from collector.domain.custody import Settlement, State
from collector.domain.errors import MessageError
from collector.domain.journal import UNCONFIGURED
from collector.domain.mailbox import Announced, Fetched, Listing, MailboxId, MessageRef
from collector.service.assemble import open_house
from collector.service.report_words import WORDS, Language

DAY = datetime(2026, 3, 4, tzinfo=UTC)
INBOX = MailboxId("journal", "INBOX")
CONFIGURED = """
name = "journal"
host = "imap.example.net"
username = "journal"
password_env = "UNUSED"
"""
PERIOD = ("--from", "2026-03-04", "--to", "2026-03-05")


@pytest.fixture
def archived(collector: Collector) -> Collector:
    """Return a program with six messages on three days: one of each fate, one a duplicate."""
    collector.configure(CONFIGURED)
    with open_house(load(collector.home / "collector.toml")) as house:
        for number, hour in ((1, 1), (2, 2), (3, 9), (1, 10), (5, 30), (6, 90)):
            at = DAY + timedelta(hours=hour)
            house.ledger.observe(Listing(INBOX, 7, 200, (hour, 150)), at)
            raw = RawBytes(b"Subject: %d\r\n\r\nbody\r\n" % number)
            announced = Announced(MessageRef(INBOX, 7, hour), None, at - timedelta(minutes=5))
            arrived = [Arrived(Fetched(announced, raw), at, index(raw, UNCONFIGURED))]
            with house.intake.turn():
                entries = house.intake.commit(house.intake.store(arrived, at))
            if number == 2:
                house.ledger.clear(
                    prove(entries, house.intake.read_back, at + timedelta(minutes=10))
                )
        fates = (State.VANISHED, State.EXPUNGED, State.SUPERSEDED)
        house.ledger.settle([Settlement(seq, fate, None, DAY) for seq, fate in enumerate(fates, 1)])
        house.ledger.set_aside(MessageRef(INBOX, 7, 150), MessageError("NIL"), DAY)
        record = house.ledger.record_event
        gap = {"uids": "3:8", "uids_count": 6, "evidence": "unaccounted"}
        record("mailbox.gap", DAY, mailbox=str(INBOX), server="dovecot", **gap)
        record("mailbox.gap", DAY, mailbox=str(INBOX), server="exchange", **gap)
        record("message.vanished", DAY, mailbox="<b>&", uids="9", uids_count=1,
               evidence="expunged", collected=False)  # fmt: skip
        noon = DAY + timedelta(hours=12)
        record("service.stopped", noon, exit_code=0)
        record("mailbox.unwatched", noon + timedelta(hours=2), mailbox=str(INBOX), seconds=7200,
               since="2026-03-04T12:00:00Z", error="")  # fmt: skip
    return collector


def test_every_message_is_counted_once(archived: Collector) -> None:
    """By day, with exposure and silence; both sums leave nothing over."""
    told = archived.run("report", *PERIOD, "--json").json()
    first, second = told["days"]
    assert (first["day"], first["archived"], first["duplicates"]) == ("2026-03-04", 4, 1)
    fates = {"expunged": 1, "vanished": 1, "superseded": 1, "in_mailbox": 1}
    assert {name: first[name] for name in fates} == fates
    assert (first["seen"], first["set_aside"], first["waiting"]) == (5, 1, 1)
    assert first["exposure"] == {"count": 1, "median_s": 900, "p99_s": 900, "max_s": 900}
    assert (second["day"], second["archived"], second["waiting"]) == ("2026-03-05", 1, 1)
    assert (told["total"]["archived"], told["total"]["difference"]) == (5, 0)
    assert told["total"]["unexplained"] == 0
    (silence,) = told["silences"]
    assert (silence["since"], silence["seconds"]) == ("2026-03-04T10:00:00Z", 20 * 3600)
    (balance,) = told["balances"]
    assert (balance["before"], balance["waiting"], balance["waiting_now"]) == (0, 1, 1)


def test_what_does_not_balance_is_named(archived: Collector) -> None:
    """A row that somebody took away leaves a difference, with the mailbox it belongs to."""
    with sqlite3.connect(archived.archive / "ledger.db") as database:
        database.execute("UPDATE day_counts SET seen_count = seen_count + 2")
    text = archived.run("report", *PERIOD).text
    assert "unexplained: journal:INBOX +6" in text
    assert "  Account                 look" in text


def test_what_others_did_is_worded_by_what_is_provable(archived: Collector) -> None:
    """A gap is ordinary on one kind of server and not on another; VANISHED is certain."""
    text = archived.run("report", *PERIOD).text
    assert "(dovecot) numbers are not skipped: probably removed between two polls" in text
    assert "(exchange) that is ordinary" in text
    assert "deleted by another client before it could be collected: the server says so" in text
    german = archived.run("report", *PERIOD, "--language", "de").text
    assert "vermutlich zwischen zwei Abfragen entfernt" in german


def test_an_outage_is_told_with_its_reason(archived: Collector) -> None:
    """The service was stopped in order; since then nobody has looked at all."""
    told = archived.run("report", *PERIOD, "--json").json()["outages"]
    first, *_ = told
    assert (first["since"], first["seconds"], first["reason"]) == (
        "2026-03-04T12:00:00Z", 7200, "stopped",
    )  # fmt: skip
    later = archived.run("report", "--json").json()["outages"][-1]
    assert (later["until"], later["reason"]) == (None, "unknown")


def test_the_report_is_told_in_two_languages(archived: Collector) -> None:
    """One page each, with the same figures and the limits."""
    english = archived.run("report", *PERIOD).text
    german = archived.run("report", *PERIOD, "--language", "de").text
    assert "5 archived = 1 deleted + 1 vanished + 1 superseded + 2 in the mailbox" in english
    assert "5 archiviert = 1 gelöscht + 1 verschwunden + 1 ersetzt + 2 im Postfach" in german
    assert "0 waiting before + 6 seen - 0 gone - 0 void - 5 archived = 1 waiting" in english
    assert "it certifies nothing" in english
    assert "er bescheinigt nichts" in german
    assert [set(WORDS[language]) for language in Language] == [set(WORDS[Language.GERMAN])] * 2


def test_the_page_holds_everything_and_nothing_from_outside(archived: Collector) -> None:
    """Well formed, escaped, without scripts, links or addresses to load from."""
    page = archived.run("report", *PERIOD, "--html", "-o", "report.html")
    assert (page.code, page.out) == (0, b"")
    html = (archived.home / "report.html").read_text(encoding="utf-8")
    seen = Tags()
    seen.feed(html)
    assert seen.open == []
    assert not {"script", "link", "img", "iframe", "object", "a", "b"} & seen.names
    assert not {"src", "href", "onload", "style"} & seen.attributes
    assert "url(" not in html
    assert "&lt;b&gt;&amp;" in html
    assert "default-src &#x27;none&#x27;" in html
    again = archived.run("report", *PERIOD, "--html", "-o", "report.html")
    assert (again.code, "exists already" in again.err) == (2, True)
    german = archived.run("report", *PERIOD, "--html", "--language", "de").text
    assert '<html lang="de">' in german


class Tags(HTMLParser):
    """Which tags and attributes there are, and which were never closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.names: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs) -> None:
        """Note a tag."""
        self.names.add(tag)
        self.attributes.update(name for name, _ in attrs)
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Close the innermost."""
        assert self.open.pop() == tag


def test_a_full_verification_is_told(archived: Collector) -> None:
    """Only one that read everything counts."""
    archived.run("verify", "--sample", "1")
    assert "Last full verification  look  none" in archived.run("report").text
    archived.run("verify")
    line = r"Last full verification  ok +\d{4}-\d\d-\d\d.*, 0 broken"
    assert re.search(rf"{line}$", archived.run("report").text, re.MULTILINE)
    past = archived.run("report", "--from", "2026-01-01", "--to", "2026-01-31")
    assert re.search(rf"{line} \(not within this period\)$", past.text, re.MULTILINE)


def test_entries_that_are_read_otherwise_now_are_told(archived: Collector) -> None:
    """Beside what is broken; it is no fault."""
    config = archived.home / "collector.toml"
    config.write_text(config.read_text().replace('name = "journal"', 'name = "other"'))
    with_format = '[[mailbox]]\nname = "journal"\nhost = "127.0.0.1"\nusername = "x"\n'
    with config.open("a") as file:
        file.write(f'{with_format}password_env = "HOME"\nformat = "exchange"\n')
    assert archived.run("verify").code == 0
    text = archived.run("report").text
    assert re.search(r"ok +\S+ \S+.*, 0 broken, \d+ read otherwise now than when they came", text)


def test_a_period_that_ends_before_it_begins_is_refused(archived: Collector) -> None:
    """A usage error."""
    done = archived.run("report", "--from", "2026-03-05", "--to", "2026-03-04")
    assert (done.code, "--to lies before --from" in done.err) == (2, True)


@pytest.mark.dovecot
@pytest.mark.parametrize("hidden", [(), ("QRESYNC", "CONDSTORE", "ENABLE")])
def test_the_account_of_a_real_mailbox_balances(
    collector: Collector, dovecot_with, hidden: tuple[str, ...]
) -> None:
    """Collected, stolen before and after a listing, too large; over four processes."""
    user = dovecot_with(hidden=hidden).new_user()
    collector.configure(collector.mailbox(user, message_size_max="1MiB"))
    user.append_many(mixed(3))
    assert collector.run("collect").code == 0
    user.append_many([plain(7), plain(8), plain(9, 2 * 1024**2)])
    steal(user, 4)
    done = collector.run("collect", "--json")  # 5 is collected, 6 is too large
    told = done.json()
    assert (done.code, told["collected"], told["set_aside"]) == (4, 1, 1)
    assert (told["vanished"], told["unaccounted"]) == ((0, 1) if hidden else (1, 0))
    steal(user, 6)
    assert collector.run("collect").code == 4
    assert collector.run("collect").code == 0
    told = collector.run("report", "--json").json()
    (day,) = told["days"]
    counts = ("seen", "archived", "gone", "waiting", "set_aside", "expunged")
    assert [day[name] for name in counts] == [5, 4, 1, 0, 1, 4]
    assert (told["total"]["unexplained"], told["total"]["difference"]) == (0, 0)
    by_name = {each["event"]: each for each in told["events"]}
    gap, gone = by_name["mailbox.gap"], by_name["message.vanished"]
    assert (gap["uids"], gap["server"], gone["uids"]) == ("4", "dovecot", "6")
    evidence = ["unaccounted", "unlisted"] if hidden else ["expunged", "expunged"]
    assert [gap["evidence"], gone["evidence"]] == evidence
    assert 0 <= day["exposure"]["median_s"] < 60
    status = collector.run("status")
    assert "arrival to proof, last 24 hours: median" in status.text


def steal(user, uid: int) -> None:
    """Let another client delete a message."""
    user.command("UID", "STORE", str(uid), "+FLAGS.SILENT", r"(\Deleted)")
    user.command("UID", "EXPUNGE", str(uid))


@pytest.mark.dovecot
def test_a_deletion_has_its_receipt(collector: Collector, dovecot) -> None:
    """Who, when, on which evidence; by us, and by somebody else."""
    user = dovecot.new_user()
    user.append_many(mixed(2))
    collector.configure(collector.mailbox(user, delete=False))
    collector.run("collect")
    steal(user, 2)
    collector.configure(collector.mailbox(user))
    collector.run("collect")
    collector.run("collect")
    ours = collector.run("show", "1", "--json").json()
    assert ours["deletion"]["by"] == "collector"
    (proof,) = ours["deletion"]["proofs"]
    assert (proof["digest"], proof["size_bytes"]) == (ours["digest"], ours["size_bytes"])
    assert ours["deletion"]["asked_at"] == [proof["proven_at"]]
    assert ours["deletion"]["gone_at"] > proof["proven_at"]
    theirs = collector.run("show", "2", "--json").json()["deletion"]
    assert (theirs["by"], theirs["asked_at"], theirs["proofs"]) == ("somebody else", [], [])
