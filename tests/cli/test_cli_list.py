"""Several reports of one message are linked by the bytes inside, and every one is kept."""

from __future__ import annotations

from collector_program import Collector
from sample_mail import plain, report


def test_by_message_the_recipients_are_united(collector: Collector, dovecot) -> None:
    """Two reports with other recipients are one message; a report of another is its own."""
    first = report(1)
    second = first.replace(b"Bcc: hidden@example.net", b"Bcc: other@example.net")
    user = dovecot.new_user()
    user.append(first, report(3), second, plain(5))
    collector.configure(collector.mailbox(user))
    collector.run("collect")
    messages = collector.run("list", "--by", "message", "--json").lines()
    assert [each["reports"] for each in messages] == [[1, 3], [2], [4]]
    addresses = [each["address"] for each in messages[0]["recipients"]]
    assert sorted(addresses) == ["first@example.net", "hidden@example.net", "other@example.net"]
    assert len(collector.run("list", "--json").lines()) == 4
    text = collector.run("list", "--by", "message").text.splitlines()
    assert "2 report(s)" in text[0]
    found = collector.run("list", "--by", "message", "--recipient", "other@", "--json").lines()
    assert [each["reports"] for each in found] == [[1, 3]]


def test_a_limit_counts_messages(collector: Collector, dovecot) -> None:
    """``--limit`` with ``--by message`` counts messages, not reports."""
    user = dovecot.new_user()
    user.append(report(1), report(1), report(3), report(5))
    collector.configure(collector.mailbox(user))
    collector.run("collect")
    messages = collector.run("list", "--by", "message", "--limit", "2", "--json").lines()
    assert [each["reports"] for each in messages] == [[1, 2], [3]]
