"""Learns what the server is, and lets it tell of expunged UIDs (RFC 7162, QRESYNC).

Rule: once for every connection, after the login; nothing that collecting needs hangs on it.
"""

from __future__ import annotations

import itertools

from collector.domain.mailbox import ServerKind
from collector.source.client import Client
from collector.source.refusal import Refused

_NAMES = (
    (b"dovecot", ServerKind.DOVECOT),
    (b"cyrus", ServerKind.CYRUS),
    (b"courier", ServerKind.COURIER),
    (b"microsoft", ServerKind.EXCHANGE),
    (b"gimap", ServerKind.GMAIL),
)
"""As they stand in greetings and in answers to ID (RFC 2971)."""

LINES_MAX = 100


def enable_resync(client: Client) -> None:
    """Let the server tell of expunged UIDs, where it can.

    Raises:
        OSError, imaplib.IMAP4.error: the connection is lost.
    """
    if client.has_capability("ENABLE") and client.has_capability("QRESYNC"):
        client.resyncs = any(
            line.upper().startswith(b"* ENABLED") and b"QRESYNC" in line.upper().split()
            for line in _asked(client, b"ENABLE QRESYNC")
        )


def server_kind(client: Client, *, ask: bool) -> ServerKind:
    """Return what the server is.

    Args:
        ask: ask a server for its name (ID) whose greeting does not tell; some answers
            to that cannot be read and end the connection.

    Raises:
        OSError, imaplib.IMAP4.error: the connection is lost.
    """
    if client.has_capability("X-GM-EXT-1"):
        return ServerKind.GMAIL
    kind = _named(bytes(client.wire.welcome or b""))
    if kind is ServerKind.OTHER and ask and client.has_capability("ID"):
        kind = _named(b" ".join(_asked(client, b"ID NIL")))
    return kind


def _asked(client: Client, command: bytes) -> list[bytes]:
    """Return the first lines of an answer; nothing when the server will not."""
    try:
        lines = client.run(command)
        first = list(itertools.islice(lines, LINES_MAX))
        for _ in lines:
            pass
    except Refused:
        return []
    return first


def _named(text: bytes) -> ServerKind:
    lower = text.lower()
    return next((kind for name, kind in _NAMES if name in lower), ServerKind.OTHER)
