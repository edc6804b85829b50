"""Looks at what a person must know of in time: the quota, and the server's certificate.

Rule: over a connection that is open anyway; changes nothing on the server.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from datetime import UTC, datetime

from collector.domain.mailbox import Quota, Survey
from collector.source.client import Client, quoted
from collector.source.lines import QUOTA

QUOTAS_MAX = 20


def survey(client: Client, folder: str) -> Survey:
    """Return what the server tells of a folder's quota, and until when its certificate is good.

    Raises:
        OSError, imaplib.IMAP4.error: the connection is lost, or the server refuses.
    """
    lines = client.ask(b"GETQUOTAROOT " + quoted(folder)) if client.has_capability("QUOTA") else []
    return Survey(tuple(quotas_in(lines))[:QUOTAS_MAX], _expiry(client))


def quotas_in(lines: Iterable[bytes]) -> list[Quota]:
    """Return the quotas in the answer to GETQUOTAROOT (RFC 9208, section 4.2.1)."""
    return [
        Quota(name.decode().upper(), int(used), int(limit))
        for line in lines
        for name, used, limit in QUOTA.findall(line)
    ]


def _expiry(client: Client) -> datetime | None:
    sock = client.wire.sock
    if not isinstance(sock, ssl.SSLSocket):
        return None
    told = (sock.getpeercert() or {}).get("notAfter")
    if not isinstance(told, str):
        return None
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(told), UTC)
