"""The canary as a mail: how it is written, and how it is known again.

Rule: only who has the key can write one.  The signature (HMAC-SHA256, RFC 2104) covers
nonce, Message-ID, path and time of sending, and lies in a header field, which journals
and relays leave alone; the body may be changed on the way (footers, scanners).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import datetime
from email.utils import format_datetime

from collector.domain.blob import RawBytes
from collector.domain.canary import Canary, CanaryPath
from collector.formats.header import read_header, unfold
from collector.formats.view import View

FIELD = "X-Journal-Canary"
KEY_BYTES = 32
NONCE_BYTES = 16
HEADER_BYTES_MAX = 256 * 1024

BODY = """\
This is a test mail of the journal collector.

It shows whether mail on this path is journaled with its sender and all its recipients.
Nobody has to read it; delete it, or let a filter on the field X-Journal-Canary do so.
"""


def new_key() -> bytes:
    """Return a new key."""
    return secrets.token_bytes(KEY_BYTES)


def new_canary(path: CanaryPath, now: datetime) -> Canary:
    """Return a canary that nobody can foretell."""
    nonce = secrets.token_hex(NONCE_BYTES)
    domain = path.sender.rpartition("@")[2]
    return Canary(nonce, path.name, f"<canary.{nonce}@{domain}>", now.replace(microsecond=0))


def compose(canary: Canary, path: CanaryPath, key: bytes) -> bytes:
    """Return the mail (RFC 5322): CRLF, ASCII."""
    lines = [
        f"From: Journal canary <{path.sender}>",
        *_addresses("To", [*path.to, *path.lists]),
        f"Subject: Journal canary {canary.nonce}",
        f"Date: {format_datetime(canary.sent_at)}",
        f"Message-ID: {canary.message_id}",
        f"{FIELD}: {_signed(canary)};",
        f" mac={_mac(canary, key)}",
        "Auto-Submitted: auto-generated",
        "Precedence: bulk",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=us-ascii",
        "",
        *BODY.splitlines(),
        f"canary {canary.nonce}",
    ]
    return "".join(f"{line}\r\n" for line in lines).encode("ascii")


def is_signed(head: bytes, canary: Canary, key: bytes) -> bool:
    """Say whether a message that begins with ``head`` is this canary and nobody's forgery."""
    raw = RawBytes(head[:HEADER_BYTES_MAX])
    fields = read_header(View(raw), 0, raw.size_bytes).fields
    expected = f"{_signed(canary)}; mac={_mac(canary, key)}".encode("ascii")
    name = FIELD.lower().encode("ascii")
    return any(
        hmac.compare_digest(b" ".join(unfold(value).split()), expected)
        for each, value in fields
        if each == name
    )


def _addresses(field: str, addresses: list[str]) -> list[str]:
    last = len(addresses) - 1
    return [
        f"{f'{field}:' if not index else ''} {address}{',' if index < last else ''}"
        for index, address in enumerate(addresses)
    ]


def _signed(canary: Canary) -> str:
    """Return what the signature covers, as it stands in the field."""
    return f"v=1; path={canary.path}; nonce={canary.nonce}; at={int(canary.sent_at.timestamp())}"


def _mac(canary: Canary, key: bytes) -> str:
    text = f"journal-canary\n{_signed(canary)}\n{canary.message_id}\n"
    return hmac.new(key, text.encode("ascii"), hashlib.sha256).hexdigest()
