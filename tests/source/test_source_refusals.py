"""What servers say when they refuse, and how long we then wait (imap reference, 2.7)."""

from __future__ import annotations

import socket
import ssl

import pytest
from fault_proxy import FaultProxy, Inject, Reply, Rule
from source_samples import letter, open_mailbox, proofs_of

from collector.domain.errors import CycleError, LoginError, ThrottledError
from collector.source.refusal import Complaints, LoginRefused, Refused, clean

BACKOFF = (
    "BAD Request is throttled. Suggested Backoff Time: 89123 milliseconds",
    "[UNAVAILABLE] Server busy. Suggested Backoff Time: 89123 milliseconds",
)
TABLE = [
    *((text, ThrottledError, 89.123, 89.123) for text in BACKOFF),
    ("BAD User is authenticated but not connected.", ThrottledError, 300.0, 3600.0),
    ("NO [UNAVAILABLE] Backend down", CycleError, None, None),
    ("NO [INUSE] Mailbox in use", CycleError, None, None),
    ("NO [SERVERBUG] Internal error", CycleError, None, None),
    ("NO Server Unavailable. 15", CycleError, None, None),
    (
        "NO [OVERQUOTA] Account exceeded command or bandwidth limits. (Failure)",
        ThrottledError,
        3600.0,
        86400.0,
    ),
    ("NO [ALERT] Too many simultaneous connections. (Failure)", CycleError, 60.0, 60.0),
    (
        "NO [LIMIT] Maximum number of connections (mail_max_userip_connections=10)",
        CycleError,
        60.0,
        60.0,
    ),
    ("NO [AUTHENTICATIONFAILED] Authentication failed.", LoginError, None, None),
    ("NO AUTHENTICATE failed.", LoginError, None, None),
    ("NO Invalid credentials (Failure)", LoginError, None, None),
    ("NO [EXPIRED] password expired", LoginError, None, None),
    ("NO [PRIVACYREQUIRED] use TLS", LoginError, None, None),
    ("NO [AUTHORIZATIONFAILED] no", LoginError, None, None),
    ("NO [CONTACTADMIN] ask", CycleError, 3600.0, 3600.0),
    ("NO [NOPERM] Permission denied", CycleError, 3600.0, 3600.0),
    ("NO [NONEXISTENT] Unknown Mailbox: INBOX", CycleError, 3600.0, 3600.0),
    ("BYE Session invalidated - AccessTokenExpired", CycleError, 0.0, 30.0),
    ("NO something nobody has seen before", CycleError, None, None),
]


@pytest.mark.parametrize(("text", "kind", "first_s", "again_s"), TABLE)
def test_a_text_has_its_class_and_its_waiting_time(text, kind, first_s, again_s) -> None:
    """Every row of the table, the first time and when it comes again."""
    complaints = Complaints()
    for wait_s in (first_s, again_s, again_s):
        error = complaints.translated(Refused(text), "it failed", "journal")
        assert type(error) is kind
        assert error.retry_after_s == wait_s
    complaints.forget()
    assert complaints.translated(Refused(text), "it failed", "x").retry_after_s == first_s


def test_a_throttle_is_gone_on_with_after_a_restart() -> None:
    """What an earlier run was told counts: the same complaint is not the first one."""
    text = "NO [OVERQUOTA] Account exceeded command or bandwidth limits. (Failure)"
    first = Complaints().translated(Refused(text), "it failed", "journal")
    assert isinstance(first, ThrottledError)
    complaints = Complaints()
    complaints.resume(first.throttle)
    again = complaints.translated(Refused(text), "it failed", "journal")
    assert (first.retry_after_s, again.retry_after_s) == (3600.0, 86400.0)
    complaints.resume("something unknown")


def test_every_known_complaint_has_a_hint() -> None:
    """A person reads what to do next."""
    for text, *_ in TABLE[:-1]:
        assert Complaints().translated(Refused(text), "it failed", "journal").hint


def test_whatever_a_login_is_refused_with_is_a_login_error() -> None:
    """An unknown text at login is about the credentials; a passing one is not."""
    unknown = Complaints().translated(LoginRefused("NO go away"), "it failed", "journal")
    assert isinstance(unknown, LoginError)
    passing = Complaints().translated(LoginRefused("[UNAVAILABLE] later"), "it failed", "x")
    assert type(passing) is CycleError


def test_a_server_s_text_is_cleaned() -> None:
    """No address, no control character, no end of line, not too long."""
    told = clean("NO user journal@example.com\r\n\x1b[31m is <a.b@c.example>" + "x" * 500)
    assert told.startswith("NO user <address> [31m is <<address>>")
    assert len(told) == 200


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (socket.gaierror(-2, "Name or service not known"), "host name is not known"),
        (ConnectionRefusedError(111, "Connection refused"), "connection refused"),
        (TimeoutError("timed out"), "timed out"),
        (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version"), "TLS failed"),
        (ValueError("some line of a body"), "the answer is not IMAP"),
        (Refused("unexpected response: b'some line of a body'"), "the answer is not IMAP"),
        (RecursionError("maximum recursion depth exceeded"), "the answer is not IMAP"),
    ],
    ids=repr,
)
def test_the_network_s_errors_are_told_in_words(error, reason) -> None:
    """What happened is said, and never a line that was not understood."""
    told = Complaints().translated(error, "it failed", "journal")
    assert reason in str(told)
    assert "some line" not in str(told)


@pytest.mark.dovecot
@pytest.mark.parametrize("command", ["SELECT", "UID SEARCH", "UID FETCH .*BODY", "UID STORE"])
def test_throttling_is_honoured_at_every_step(dovecot, tmp_path, command) -> None:
    """The server's time reaches the service, even in the middle of a batch."""

    def whole_life() -> None:
        listing = mailbox.poll()
        list(mailbox.fetch(mailbox.announce(listing.refs(0, 1))))
        mailbox.expunge(proofs_of(listing, [1]), listing.removal)

    user = dovecot.new_user()
    user.append(letter(1))
    answer = Reply((f"{{tag}} {BACKOFF[0]}", "* BYE come back"), then_close=True)
    with (
        FaultProxy(dovecot, Rule(command, answer)) as proxy,
        open_mailbox(proxy.user(user), tmp_path) as mailbox,
        pytest.raises(CycleError, match="asks to wait 89 s") as caught,
    ):
        whole_life()
    assert caught.value.retry_after_s == 89.123
    assert len(proxy.fired) == 1
    assert len(user.messages()) == 1


@pytest.mark.dovecot
def test_too_many_connections_are_told(dovecot_with, tmp_path) -> None:
    """Dovecot's own limit: wait a minute, use fewer."""
    user = dovecot_with(connections_max=1).new_user()
    with open_mailbox(user, tmp_path) as first, open_mailbox(user, tmp_path) as second:
        first.poll()
        with pytest.raises(CycleError, match="connections") as caught:
            second.poll()
    assert caught.value.retry_after_s == 60.0


@pytest.mark.dovecot
@pytest.mark.parametrize(
    "line", ["* OK [ALERT] disk failing at a@b.example", "* NO [ALERT] disk failing"]
)
def test_an_alert_reaches_a_person(dovecot, tmp_path, line) -> None:
    """RFC 9051, section 7.1: it must be shown; addresses in it are not."""
    alerts = []
    with FaultProxy(dovecot, Rule("UID SEARCH", Inject((line,)))) as proxy:
        user = proxy.user(dovecot.new_user())
        user.append(letter(1))
        with open_mailbox(user, tmp_path, alert=alerts.append) as mailbox:
            assert len(mailbox.poll().uids) == 1
    assert len(alerts) == 1
    assert "disk failing" in alerts[0]
    assert "b.example" not in alerts[0]
