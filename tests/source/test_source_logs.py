"""No byte of a body and no password in any log, at any level."""

from __future__ import annotations

import logging
import tracemalloc
from datetime import UTC, datetime

import pytest
from fault_proxy import Cut, FaultProxy, Rewrite, Rule
from source_samples import account_of, open_mailbox, proofs_of

from collector.source.probe import probe
from collector.source.wire import Wire

pytestmark = pytest.mark.dovecot

MARK = b"Zauberwort-7f3a"


def test_the_most_talkative_log_holds_no_mail_and_no_secret(
    dovecot_with, tmp_path, caplog, capfd
) -> None:
    """A whole life at DEBUG, faults included: login, listing, bodies, deletion, check."""
    secret = "Sesam-öffne-dich"
    server = dovecot_with(password=secret)
    caplog.set_level(logging.DEBUG)
    user = server.new_user()
    raw = b"Subject: " + MARK + b"\r\n\r\n" + MARK * 500 + b"\r\n"
    user.append(*([raw] * 3))
    rules = [
        Rule("UID FETCH .*BODY", Cut(which=2, at=3000)),
        Rule("UID FETCH 3 .*BODY", Rewrite(r"RFC822\.SIZE \d+", "RFC822.SIZE 1")),
    ]
    with FaultProxy(server, *rules) as proxy:
        with open_mailbox(proxy.user(user), tmp_path) as mailbox:
            listing = mailbox.poll()
            answers = list(mailbox.fetch(mailbox.announce(listing.refs(0, 3))))
            mailbox.wait_for_arrival(0.2, lambda: False)
            mailbox.expunge(proofs_of(listing, [1, 2, 3]), listing.removal)
            mailbox.poll()
        findings = list(
            probe(account_of(proxy.user(user), tmp_path), "INBOX", lambda: datetime.now(UTC))
        )
    assert len(answers) == 3
    told = caplog.text + "".join(capfd.readouterr()) + repr(answers) + repr(findings)
    assert MARK.decode() not in told
    for form in (secret, secret.encode().hex(), repr(secret.encode())[2:-1]):
        assert form not in told


def test_debug_output_is_off_before_anything_is_sent(dovecot, tmp_path, monkeypatch) -> None:
    """IMAPClient switches it on for ever; every message would be formatted twice."""
    levels = []
    send = Wire.send

    def noted(wire, command):
        levels.append(wire.debug)
        send(wire, command)

    monkeypatch.setattr(Wire, "send", noted)
    with open_mailbox(dovecot.new_user(), tmp_path) as mailbox:
        mailbox.poll()
    assert len(levels) >= 4
    assert set(levels) == {0}


def test_a_fetched_body_is_never_formatted(dovecot, tmp_path, monkeypatch) -> None:
    """Fetching 20 MB costs about its own size in memory, not three to seven times as much."""
    user = dovecot.new_user()
    user.append(b"Subject: x\r\n\r\n" + b"\xe4" * 3_900_000)
    with open_mailbox(user, tmp_path) as mailbox:
        announced = mailbox.announce(mailbox.poll().refs(0, 1))
        tracemalloc.start()
        answers = list(mailbox.fetch(announced))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert answers[0].raw.size_bytes > 3_900_000
    assert peak < 1.5 * answers[0].raw.size_bytes
