"""Handing a mail to a mail server: encrypted, to all or none, and bounded in time."""

from __future__ import annotations

import socket
import time
from dataclasses import replace

import pytest
from imap_eyes import PASSWORD
from journaling_relay import Copy, JournalingRelay, Manners, Taken

from collector.domain.errors import ConfigError, CycleError, LoginError
from collector.evidence.submission import Relay, probe, submit

pytestmark = pytest.mark.dovecot

RAW = b"Subject: hello\r\n\r\n.a line that begins with a dot\r\nend\r\n"
FROM, TO = "canary@example.net", ("first@example.net", "hidden@example.net")


@pytest.fixture
def server(dovecot):
    """Return a running mail server that journals nothing."""
    with JournalingRelay(dovecot.new_user(), dovecot.ca, Manners(Copy.NONE)) as relay:
        yield relay


@pytest.fixture
def relay(server) -> Relay:
    """Return how it is reached."""
    return Relay(
        "ours",
        "localhost",
        server.port,
        "starttls",
        ca_file=server.ca.ca,
        username="canary",
        password=lambda: PASSWORD,
        timeout_s=10.0,
    )


def test_a_mail_reaches_everybody_in_its_envelope(server, relay):
    """Byte for byte, blind recipients too, over an encrypted connection and a login."""
    submit(relay, FROM, TO, RAW)
    assert server.taken == [Taken(FROM, TO, RAW)]


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"password": lambda: "sesame"}, LoginError),
        ({"password": lambda: "sesäme"}, CycleError),
        ({"username": ""}, CycleError),
        ({"host": "127.0.0.2"}, CycleError),
        ({"port": 1}, CycleError),
        ({"security": "tls"}, CycleError),
    ],
)
def test_what_goes_wrong_is_an_error_without_addresses(server, relay, change, error):
    """Nothing is taken, and no password, address or word of the server is told."""
    with pytest.raises(error) as caught:
        submit(replace(relay, **change), FROM, TO, RAW)
    told = f"{caught.value}"
    assert server.taken == []
    assert not any(word in told for word in ("@", "ses", "who are you", "log in"))


def test_a_stranger_s_certificate_is_refused(server, relay):
    """Before the password is sent."""
    with pytest.raises(CycleError, match=r"verify failed|unable to get local issuer"):
        submit(replace(relay, ca_file=server.ca.other_ca), FROM, TO, RAW)
    with pytest.raises(ConfigError, match="certificates cannot be read"):
        submit(replace(relay, ca_file=server.ca.ca.parent / "none.pem"), FROM, TO, RAW)
    assert server.taken == []


def test_one_refused_recipient_stops_the_whole_mail(server, relay):
    """A canary that only some got would be graded wrongly."""
    server.manners.refuses = frozenset({TO[1]})
    with pytest.raises(CycleError, match=r"refused a recipient \(550\)") as caught:
        submit(relay, FROM, TO, RAW)
    assert "@" not in str(caught.value)
    assert server.taken == []


def test_a_server_that_stalls_is_left_in_time(server, relay):
    """The limit is for everything together."""
    server.manners.stalls = True
    began_s = time.monotonic()
    with pytest.raises(CycleError, match=r"not done within 1\.5 s"):
        submit(replace(relay, timeout_s=1.5), FROM, TO, RAW)
    assert time.monotonic() - began_s < 5.0


def test_a_login_is_tried_without_a_mail(server, relay):
    """As a mail would be sent, with the same errors, and as bounded in time."""
    probe(relay)
    with pytest.raises(LoginError, match="refused the login"):
        probe(replace(relay, password=lambda: "sesame"))
    with pytest.raises(CycleError, match="no mail could be sent"):
        probe(replace(relay, port=1))
    assert server.taken == []
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port, began_s = silent.getsockname()[1], time.monotonic()
        with pytest.raises(CycleError, match=r"no mail could be sent: not done within 0\.5 s"):
            probe(replace(relay, port=port, security="plain", timeout_s=0.5))
        assert time.monotonic() - began_s < 5.0
