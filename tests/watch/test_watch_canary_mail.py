"""The canary as a mail: written by us, known again, and not to be faked."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes, policy

import pytest
from test_watch_canary import PATH

from collector.watch.canary_mail import compose, is_signed, new_canary, new_key

NOW = datetime(2026, 11, 25, 12, 0, 0, 123456, tzinfo=UTC)
KEY = new_key()
CANARY = new_canary(PATH, NOW)
RAW = compose(CANARY, PATH, KEY)


def test_the_mail_is_one_that_any_server_takes():
    """Header fields as RFC 5322 has them, CRLF throughout, short lines, no blind recipient."""
    message = message_from_bytes(RAW, policy=policy.default)
    assert not message.defects
    assert message["From"].addresses[0].addr_spec == PATH.sender
    assert [each.addr_spec for each in message["To"].addresses] == [*PATH.to, *PATH.lists]
    assert message["Message-ID"] == CANARY.message_id
    assert message["Date"].datetime == NOW.replace(microsecond=0)
    assert message["Auto-Submitted"] == "auto-generated"
    assert PATH.bcc[0].encode() not in RAW
    assert RAW.count(b"\n") == RAW.count(b"\r\n")
    assert max(map(len, RAW.splitlines())) < 120


def test_no_two_canaries_are_alike():
    """Nonce and Message-ID cannot be foretold."""
    other = new_canary(PATH, NOW)
    assert other.nonce != CANARY.nonce
    assert other.message_id != CANARY.message_id


@pytest.mark.parametrize(
    "relayed",
    [
        RAW,
        b"Received: from a by b;\r\n\ttoday\r\n" + RAW,
        RAW.replace(b";\r\n mac=", b"; mac="),
        RAW.replace(b"; nonce=", b";\r\n\tnonce="),
        RAW.replace(b"X-Journal-Canary", b"x-journal-canary"),
        RAW.replace(b"\r\n", b"\n"),
        RAW + b"A disclaimer that some gateway adds.\r\n",
    ],
)
def test_what_relays_may_do_leaves_it_ours(relayed):
    """Lines on top, other folds, other case of the name, other line ends, a footer."""
    assert is_signed(relayed, CANARY, KEY)


@pytest.mark.parametrize(
    "forged",
    [
        compose(CANARY, PATH, new_key()),
        RAW.replace(b"path=outside", b"path=inside"),
        compose(new_canary(PATH, NOW), PATH, KEY),
        RAW.replace(b"X-Journal-Canary", b"X-Other"),
        RAW.replace(b"mac=", b"mac=0"),
        b"Subject: hello\r\n\r\n" + RAW,
        b"",
    ],
)
def test_a_stranger_s_mail_is_not_ours(forged):
    """Another key, another path, another nonce, no signature, or one only in the body."""
    assert not is_signed(forged, CANARY, KEY)


def test_the_signature_binds_the_message_id_and_the_time():
    """A copied field does not sign another mail."""
    assert not is_signed(RAW, replace(CANARY, message_id="<other@example.net>"), KEY)
    assert not is_signed(RAW, replace(CANARY, sent_at=NOW.replace(hour=11)), KEY)
