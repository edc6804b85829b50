"""Who handed a message over, and whose results count."""

from __future__ import annotations

import pytest

from collector.domain.blob import RawBytes
from collector.formats.header import Header, read_header
from collector.formats.trace import (
    Connection,
    confirmations,
    connection,
    own_fields,
    received_for,
    return_path,
)
from collector.formats.view import View


def header(raw: bytes) -> Header:
    """Read a header."""
    return read_header(View(RawBytes(raw)), 0, len(raw))


RECEIVED = {
    "postfix": (
        b"from helo.x (mail.example.net [192.0.2.7])\r\n by mx (Postfix)",
        Connection("mail.example.net", "192.0.2.7"),
    ),
    "postfix-unknown": (
        b"from helo.x (unknown [192.0.2.7]) by mx (Postfix)",
        Connection("", "192.0.2.7"),
    ),
    "postfix-ipv6": (
        b"from helo.x (mail.example.net [IPv6:2001:db8::7]) by mx (Postfix)",
        Connection("mail.example.net", "2001:db8::7"),
    ),
    "sendmail": (
        b"from helo.x (mail.example.net [192.0.2.7] (may be forged)) by mx",
        Connection("mail.example.net", "192.0.2.7"),
    ),
    "exchange": (b"from helo.x (192.0.2.7) by mx (2001:db8::1)", Connection("", "192.0.2.7")),
    "qmail": (b"from unknown (HELO helo.x) (192.0.2.7) by mx", Connection("", "")),
    "no-parentheses": (b"from helo.x by mx", Connection("", "")),
    "by-only": (b"by mx.example.net with SMTP id 1", Connection("", "")),
    "empty": (b"", Connection("", "")),
}


@pytest.mark.parametrize("name", sorted(RECEIVED))
def test_the_host_is_the_one_the_server_saw(name: str) -> None:
    """The name a client gives itself is never taken for the host."""
    line, expected = RECEIVED[name]
    assert connection(header(b"Received: " + line + b"\r\n\r\n").fields, "") == expected


def test_exim_puts_the_host_it_found_first() -> None:
    """Exim writes the name found by address after from, and only that one."""
    line = b"Received: from mail.example.net ([192.0.2.7] helo=helo.x) by mx with esmtp\r\n\r\n"
    assert connection(header(line).fields, "exim") == Connection("mail.example.net", "192.0.2.7")
    assert connection(header(line).fields, "") == Connection("", "192.0.2.7")
    bare = b"Received: from [192.0.2.7] (helo=helo.x) by mx with esmtp\r\n\r\n"
    assert connection(header(bare).fields, "exim").host == ""


@pytest.mark.parametrize(
    ("patterns", "matches"),
    [
        (("*.example.net",), True),
        (("MAIL.example.NET",), True),
        (("*.example.org",), False),
        (("192.0.2.0/24",), True),
        (("192.0.2.7",), True),
        (("198.51.100.0/24",), False),
        (("2001:db8::/32",), False),
        ((), False),
    ],
)
def test_hosts_match_names_and_networks(patterns: tuple[str, ...], *, matches: bool) -> None:
    """Patterns with stars, in any case, and networks of both kinds."""
    assert Connection("mail.example.net", "192.0.2.7").matches(patterns) is matches
    assert not Connection("", "").matches(patterns)


def test_own_lines_end_at_our_last_received_line() -> None:
    """One Received line is ours unless more are configured."""
    told = header(b"A: 1\r\nReceived: ours\r\nB: 2\r\nReceived: theirs\r\nC: 3\r\n\r\n")
    assert [name for name, _ in own_fields(told, 1)] == [b"a", b"received"]
    assert [name for name, _ in own_fields(told, 2)] == [b"a", b"received", b"b", b"received"]
    assert own_fields(header(b"A: 1\r\n\r\n"), 1) == []


def test_the_return_path_is_the_first_line() -> None:
    """Further down it is somebody else's."""
    assert return_path(header(b"Return-Path: <a@x>\r\nReceived: b\r\n\r\n").fields) == b"<a@x>"
    assert return_path(header(b"A: b\r\nReturn-Path: <a@x>\r\n\r\n").fields) == b""


def test_received_for_names_one_recipient() -> None:
    """With and without angle brackets; none when the server tells none."""
    for line in (b"from a by b for <u@x.example>; now", b"from a by b\r\n\tfor u@x.example; now"):
        assert received_for(header(b"Received: " + line + b"\r\n\r\n").fields) == "u@x.example"
    assert received_for(header(b"Received: from a by b; now\r\n\r\n").fields) == ""


RESULTS = (
    b"Authentication-Results: mx.example.net 1; spf=pass (a; b=c) smtp.mailfrom=user@a.example;\r\n"
    b" dkim=fail reason=x header.d=b.example; dkim/1=pass header.i=@c.example; dmarc=pass\r\n\r\n"
)


def test_results_are_read_with_their_domains() -> None:
    """SPF by envelope sender, DKIM by signing domain (RFC 8601)."""
    assert list(confirmations(header(RESULTS).fields, "MX.example.net")) == [
        ("spf", "pass", "a.example"),
        ("dkim", "fail", "b.example"),
        ("dkim", "pass", "c.example"),
    ]


def test_results_of_another_server_do_not_count() -> None:
    """Only the configured name is believed."""
    assert list(confirmations(header(RESULTS).fields, "other.example.net")) == []
    assert (
        list(confirmations(header(b"Authentication-Results: spf=pass\r\n\r\n").fields, "a")) == []
    )
