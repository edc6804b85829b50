"""Requests against servers that answer well, badly, slowly, or elsewhere."""

import socket
import time

import pytest
from evidence_servers import answering, dripping, handshaking, nobody, read_request, serve

from collector.domain.errors import ConfigError, CycleError
from collector.domain.hosts import is_loopback
from collector.evidence.web import Address, Deadline, Limits, post

LIMITS = Limits(timeout_s=20, answer_bytes_max=1000)
QUICK = Limits(timeout_s=0.5, answer_bytes_max=1000)
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


def url(port, scheme="http"):
    """Return a URL whose path is a secret."""
    return f"{scheme}://127.0.0.1:{port}/secret-path"


def test_a_request_carries_what_was_given():
    """Body, type and authorization go out, the answer's body comes back."""
    requests = []
    with serve(answering(OK, requests)) as port:
        address = Address(url(port), authorization="Bearer token")
        assert post(address, b"body \xff", "text/plain", LIMITS) == b"hello"
    head, _, body = requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /secret-path HTTP/1.1\r\n")
    assert b"\r\nAuthorization: Bearer token\r\n" in head + b"\r\n"
    assert b"\r\nContent-Type: text/plain\r\n" in head + b"\r\n"
    assert body == b"body \xff"


def test_an_answer_without_length_ends_with_the_connection():
    """HTTP/1.0 style, and the limit holds there too."""
    with serve(answering(b"HTTP/1.0 204 No Content\r\n\r\n")) as port:
        assert post(Address(url(port)), b"", "text/plain", LIMITS) == b""
    with (
        serve(answering(b"HTTP/1.0 200 OK\r\n\r\n" + b"x" * 1001)) as port,
        pytest.raises(CycleError, match="too long"),
    ):
        post(Address(url(port)), b"", "text/plain", LIMITS)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", "it answered 500"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n", "it answered 302"),
        (b"HTTP/1.1 307 Found\r\nLocation: file:///etc/passwd\r\n\r\n", "it answered 307"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", "cut off"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n" + b"x" * 2000, "too long"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe", "request failed"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n", "request failed"),
        (b"secret nonsense\r\n\r\n", r"not speak HTTP as expected \(BadStatusLine\)"),
        (b"", "request failed"),
    ],
)
def test_a_bad_answer_is_refused(answer, why):
    """Errors, redirections, and answers that are cut off, too long or nonsense."""
    with serve(answering(answer)) as port, pytest.raises(CycleError, match=why) as caught:
        post(Address(url(port)), b"", "text/plain", LIMITS)
    assert "secret" not in str(caught.value)


def test_a_silent_server_is_left_by_the_deadline_alone():
    """A shorter time-out of the socket does not end the wait in another way."""
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        Deadline(0.5) as deadline,
        socket.create_connection(silent.getsockname(), 0.1) as connection,
    ):
        assert deadline.watch(connection).recv(1) == b""
        assert deadline.expired


@pytest.mark.parametrize(
    "answer",
    [
        b"H",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 99,
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
    ],
)
@pytest.mark.parametrize("pause_s", [0.1, 0.01, 0.0])
def test_a_busy_server_keeps_us_no_longer_than_asked(answer, pause_s):
    """Byte by byte without an end: in the status line, in the head, in the body."""
    began = time.monotonic()
    limits = Limits(timeout_s=0.5, answer_bytes_max=10**9)
    with serve(dripping(answer, pause_s)) as port, pytest.raises(CycleError, match="failed"):
        post(Address(url(port)), b"", "text/plain", limits)
    assert time.monotonic() - began < 5


def test_a_silent_server_keeps_us_no_longer_than_asked():
    """Without an answer, without a TLS handshake, and with one that never ends."""
    began = time.monotonic()
    with serve(lambda connection: read_request(connection) and time.sleep(3)) as port:
        with pytest.raises(CycleError, match=r"not done within 0\.5 s"):
            post(Address(url(port)), b"", "text/plain", QUICK)
        with pytest.raises(CycleError, match=r"not done within 0\.5 s"):
            post(Address(url(port, "https")), b"", "text/plain", QUICK)
    with serve(handshaking) as port, pytest.raises(CycleError, match=r"not done within 0\.5 s"):
        post(Address(url(port, "https")), b"", "text/plain", QUICK)
    assert time.monotonic() - began < 5


def test_nobody_there_is_said_so():
    """A refused connection names the host, not the path."""
    refused = r"Connection refused: 127\.0\.0\.1"
    with nobody() as port, pytest.raises(CycleError, match=refused):
        post(Address(url(port)), b"", "text/plain", LIMITS)


def test_a_certificate_is_checked(authority, server_context):
    """With the right authority it works; without, or for another name, it does not."""
    ca_file = authority.home / "ca.crt"
    with serve(answering(OK), server_context) as port:
        trusted = Address(url(port, "https"), ca_file=ca_file)
        assert post(trusted, b"", "text/plain", LIMITS) == b"hello"
        with pytest.raises(CycleError, match="certificate is not trusted"):
            post(Address(url(port, "https")), b"", "text/plain", LIMITS)
    with serve(answering(OK), server_context, "127.0.0.2") as port:
        elsewhere = Address(f"https://127.0.0.2:{port}/", ca_file=ca_file)
        with pytest.raises(CycleError, match=r"not trusted: IP address mismatch"):
            post(elsewhere, b"", "text/plain", LIMITS)


def test_a_missing_ca_file_is_a_matter_of_configuration(tmp_path):
    """Waiting does not help."""
    address = Address("https://127.0.0.1:1/", ca_file=tmp_path / "missing")
    with pytest.raises(ConfigError, match="certificates cannot be read"):
        post(address, b"", "text/plain", LIMITS)


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "example.org",
        "ftp://example.org/",
        "file:///etc/passwd",
        "http://",
        "http://user:secret@example.org/",
        "http://example.org:99999999/",
        "http://example.org:0/",
        "http://[::1/",
        "http://example.org/a b\r\nX: y",
    ],
)
def test_a_url_that_cannot_be_used_is_refused(bad):
    """Other schemes, no host, credentials, line breaks; and it is not repeated in the error."""
    with pytest.raises(ConfigError, match="cannot be used") as caught:
        Address(bad)
    assert "secret" not in str(caught.value)


def test_secrets_do_not_show():
    """Neither path nor authorization appear when an address is printed."""
    assert "secret" not in repr(Address("https://h/secret", authorization="secret"))


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.1.2.3", True),
        ("::1", True),
        ("example.org", False),
        ("10.0.0.1", False),
        ("localhost.example.org", False),
    ],
)
def test_loopback_is_known_without_asking(host, expected):
    """By number or by its one name."""
    assert is_loopback(host) is expected
