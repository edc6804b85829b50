"""``reconcile`` says where messages are and what the next cycle does, and changes nothing."""

from __future__ import annotations

import pytest
from collector_program import Collector
from sample_mail import mixed, plain


@pytest.fixture
def full(collector: Collector, dovecot):
    """Return a program and a user with six messages, none of them archived."""
    user = dovecot.new_user()
    user.append_many(mixed(6))
    collector.configure(collector.mailbox(user, delete=False))
    collector.run("migrate")
    return collector, user


def told(collector: Collector) -> list[tuple[str, int, bool]]:
    """Return place, count and whether a person should look, of each line."""
    done = collector.run("reconcile", "--json")
    facts = done.lines()
    assert done.code == (4 if any(each["person"] for each in facts) else 0)
    return [(each["place"], each["count"], each["person"]) for each in facts]


def test_before_anything_is_collected(full) -> None:
    """All messages are in the mailbox only, and asking does not change that."""
    collector, user = full
    assert told(collector) == told(collector) == [("mailbox", 6, False)]
    assert len(user.messages()) == 6


def test_what_is_in_both(full) -> None:
    """Archived and still listed: in both; with deletion switched on it is said to go."""
    collector, user = full
    collector.run("collect")
    user.append(plain(77))
    assert told(collector) == [("mailbox", 1, False), ("mailbox and archive", 6, False)]
    collector.configure(collector.mailbox(user))
    lines = collector.run("reconcile").text
    assert "6 in mailbox and archive: is proven again and deleted" in lines
    collector.run("collect")
    assert told(collector) == []


def test_what_somebody_else_deleted(full) -> None:
    """A message that left without us is in the archive only, and a person should look."""
    collector, user = full
    collector.run("collect")
    user.command("UID", "STORE", "2", "+FLAGS", r"(\Deleted)")
    user.command("UID", "EXPUNGE", "2")
    assert told(collector) == [("mailbox and archive", 5, False), ("archive", 1, True)]


def test_what_a_crash_left_in_a_segment(full) -> None:
    """What the segments hold and the ledger does not name is foretold to be taken over."""
    collector, _ = full
    early = [path.read_bytes() for path in sorted(collector.archive.glob("ledger.db*"))]
    names = [path.name for path in sorted(collector.archive.glob("ledger.db*"))]
    collector.run("collect")
    for path in collector.archive.glob("ledger.db*"):
        path.unlink()
    for name, content in zip(names, early, strict=True):
        (collector.archive / name).write_bytes(content)
    assert ("segment, not yet in the ledger", 6, False) in told(collector)
    assert collector.run("collect", "--json").json()["collected"] == 0
    assert told(collector) == [("mailbox and archive", 6, False)]


def test_a_mailbox_that_cannot_be_reached(full) -> None:
    """The others are told; what is not known is said to be unknown."""
    collector, user = full
    tables = [collector.mailbox(user, name="gone", port=1), collector.mailbox(user)]
    collector.configure(*tables)
    assert told(collector) == [("unknown", 0, True), ("mailbox", 6, False)]
