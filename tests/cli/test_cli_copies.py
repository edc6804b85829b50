"""A plain copy tells its recipients where the configured server wrote them down."""

from __future__ import annotations

from collector_program import Collector
from sample_mail import plain


def test_the_configured_server_is_believed(collector: Collector, dovecot) -> None:
    """What Dovecot's LMTP recorded counts as a recipient once the mailbox says so."""
    user = dovecot.new_user()
    user.append(b"Delivered-To: real@example.net\r\n" + plain(1))
    for table, expected in (
        (collector.mailbox(user, delete=False), {"header-to"}),
        (collector.mailbox(user, delete=False, server="dovecot"), {"recipient", "header-to"}),
    ):
        collector.configure(table)
        collector.run("collect")
        collector.run("rebuild")  # reads all envelopes anew, under this configuration
        (record,) = collector.run("list", "--json").lines()
        recipients = record["envelope"]["recipients"]
        assert {each["kind"] for each in recipients} == expected
    assert recipients[0]["address"] == "real@example.net"
    assert recipients[0]["source"].lower() == "delivered-to"
