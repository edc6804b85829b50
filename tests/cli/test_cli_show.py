"""``show`` tells a person who really got a message, and how certain that is."""

from __future__ import annotations

import pytest
from collector_program import Collector
from sample_mail import plain, report


@pytest.fixture
def shown(collector: Collector, dovecot):
    """Return a function that shows an entry: 1 is a report, 2 a copy."""
    user = dovecot.new_user()
    user.append(report(1), plain(2))
    collector.configure(collector.mailbox(user))
    collector.run("collect")
    return lambda seq, *more: collector.run("show", str(seq), *more).text


def test_a_report_tells_who_received(shown) -> None:
    """Recipients stand under what the server recorded, with their way; Bcc is told as hidden."""
    lines = shown(1).splitlines()
    start = next(at for at, line in enumerate(lines) if line.startswith("received by"))
    wanted = "  to         first@example.net, through the list team@example.net"
    assert lines[start + 1].startswith(wanted)
    assert lines[start + 2].startswith("  bcc        hidden@example.net")
    assert "not confirmed" in lines[start]


def test_a_copy_tells_that_nothing_is_recorded(shown) -> None:
    """What the author wrote stands under a heading that says so."""
    text = shown(2)
    assert "who received it is not recorded" in text
    assert "addressed by the author, which is no proof of receipt:" in text
    assert "  header-to  marmoset@example.net" in text


def test_one_form_at_a_time(shown, collector: Collector) -> None:
    """Two forms at once are refused."""
    assert collector.run("show", "1", "--raw", "--json").code == 2
