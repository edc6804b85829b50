"""Receivers are told through apprise; an address is a secret, and nobody waits for ever."""

from __future__ import annotations

import socket
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from http_sink import http_sink

from collector.domain.alarm import Notice, Severity, Word
from collector.watch.delivery import NOTICES_MAX, Courier, message_of, without_secrets

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
NOTICE = Notice(
    "office", "quota:journal", Word.ALARM, Severity.WARNING, "head\nproblem\nhint", NOW, NOW
)
MESSAGE = message_of([NOTICE], "mailhost")


def test_a_receiver_is_told() -> None:
    """A webhook gets title, text and how bad it is."""
    with http_sink() as sink:
        assert Courier().deliver(f"json://127.0.0.1:{sink.port}/hook", MESSAGE) == ""
        (told,) = sink.documents()
    assert (told["title"], told["type"]) == ("[collector on mailhost] head", "warning")
    assert told["message"] == "problem\nhint"


def test_a_refusal_is_told_without_the_address() -> None:
    """The reason names the status; user, password and path of the address are secrets."""
    with http_sink() as sink:
        sink.status = 503
        url = f"json://someone:hunter22@127.0.0.1:{sink.port}/secrettoken"
        reason = Courier().deliver(url, MESSAGE)
    assert "503" in reason
    for secret in ("someone", "hunter22", "secrettoken"):
        assert secret not in reason


def test_an_address_nobody_knows_is_said() -> None:
    """And is not shown."""
    reason = Courier().deliver("nothing-of-this-kind", MESSAGE)
    assert "none that apprise knows" in reason


def test_a_receiver_that_hangs_is_not_waited_for() -> None:
    """A delivery ends after its time, and no second one is begun beside it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        courier = Courier(timeout_s=0.3)
        url = f"json://127.0.0.1:{listener.getsockname()[1]}/?rto=3&cto=3"
        assert courier.deliver(url, MESSAGE) == "not done within 0.3 s"
        assert courier.busy, "it may still arrive"
        assert courier.deliver(url, MESSAGE) == "the delivery before has not ended yet"


def test_many_notices_are_one_message_the_worst_first() -> None:
    """Their number is told whole; no warning hides what is critical, in title and text."""
    words = [Word.ALL_CLEAR, Word.SUMMARY, Word.REMINDER]
    many = [replace(NOTICE, word=each, text=each.value) for each in words]
    many += [NOTICE] * NOTICES_MAX
    many.append(replace(NOTICE, severity=Severity.CRITICAL, text="worst\nproblem\nhint"))
    message = message_of(many, "mailhost")
    assert message.title == f"[collector on mailhost] {NOTICES_MAX + 4} notices: worst, ..."
    assert message.body.startswith("worst\nproblem\nhint\n\nreminder\n\nhead\n")
    assert message.body.endswith("and 4 more; see `collector alarm list`")
    assert message.rank == "failure"
    order = message_of(many[:3], "mailhost").body.split("\n\n")
    assert order == ["reminder", "summary", "all-clear"]


@pytest.mark.parametrize(
    ("url", "text", "kept"),
    [
        ("slack://TokenA/TokenB/TokenC", "could not reach TokenB", "could not reach ***"),
        ("json://host.example:8080/x", "host.example port 8080", "host.example port 8080"),
        (
            "mailto://me:p%40ssword@mx.example",
            "login with p@ssword failed",
            "login with *** failed",
        ),
    ],
)
def test_nothing_of_an_address_leaves_but_where_it_leads(url: str, text: str, kept: str) -> None:
    """Tokens may stand where elsewhere a host stands."""
    assert without_secrets(text, url) == kept
