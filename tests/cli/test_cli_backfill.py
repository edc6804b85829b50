"""Older mail is collected by folder and date, and stays where it is unless told otherwise."""

from __future__ import annotations

import pytest
from collector_program import Collector
from sample_mail import mixed, plain


@pytest.fixture
def full(collector: Collector, dovecot):
    """Return a program and a user with a folder of older mail."""
    user = dovecot.new_user()
    user.command("CREATE", "Old", folder=None)
    for number, day in enumerate(("01-Jan-2020", "15-Jun-2021", "31-Dec-2021", "01-Jan-2022")):
        raw = plain(number)
        literal = f"{{{len(raw)}+}}\r\n{raw.decode()}"
        user.command("APPEND", "Old", f'"{day} 12:00:00 +0000"', literal, folder=None)
    user.append_many(mixed(2))
    collector.configure(collector.mailbox(user, backfill_folders=["Old"]))
    return collector, user


def test_backfill_deletes_nothing(full) -> None:
    """What was backfilled is archived and still in the mailbox; a second run fetches nothing."""
    collector, user = full
    done = collector.run("backfill", "--json")
    assert (done.code, done.json()["collected"], done.json()["cleared"]) == (0, 4, 0)
    assert (len(user.messages("Old")), len(user.messages())) == (4, 2)
    assert collector.run("backfill", "--json").json()["collected"] == 0


def test_backfill_by_date(full) -> None:
    """Only what arrived in [since, before) is taken; the rest can be taken later."""
    collector, _ = full
    years = ["--since", "2021-01-01", "--before", "2022-01-01"]
    assert collector.run("backfill", "journal:Old", *years, "--json").json()["collected"] == 2
    days = [each["internal_date"][:10] for each in collector.run("list", "--json").lines()]
    assert days == ["2021-06-15", "2021-12-31"]
    assert collector.run("backfill", "journal:Old", "--json").json()["collected"] == 2
    assert collector.run("verify").code == 0


def test_backfill_deletes_when_told(full) -> None:
    """With ``--delete`` what is proven leaves the folder, and only that."""
    collector, user = full
    done = collector.run("backfill", "journal:Old", "--before", "2021-01-01", "--delete", "--json")
    assert (done.code, done.json()["cleared"]) == (0, 1)
    assert len(user.messages("Old")) == 3
    later = collector.run("backfill", "journal:Old", "--delete", "--json").json()
    assert (later["collected"], later["cleared"]) == (3, 3)
    assert user.messages("Old") == {}


def test_backfill_of_something_else(full) -> None:
    """A source that names no mailbox is refused."""
    collector, _ = full
    done = collector.run("backfill", "jurnal:Old")
    assert done.code == 2
    assert "jurnal" in done.err
