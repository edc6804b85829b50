"""Builds journal reports for tests, in the shape real ones have (written by us)."""

from __future__ import annotations

from collector.domain.blob import RawBytes
from collector.domain.journal import UNCONFIGURED, JournalProfile, Unwrapped
from collector.formats import unwrap as unwrap_module

BOUNDARY = b"_1f8c1e0-7d52-4f0e-9a55-2f6d0b7c1a11_"

ORIGINAL = b"""\
From: Billing <billing@supplier.example>
To: accounting@example.com
Subject: Invoice 7
Message-ID: <inv-7@supplier.example>
MIME-Version: 1.0
Content-Type: text/plain

Please pay.
""".replace(b"\n", b"\r\n")

LINES = (
    b"Sender: billing@supplier.example",
    b"Subject: Invoice 7",
    b"Message-Id: <inv-7@supplier.example>",
)

TEXT_FIELDS = b'Content-Type: text/plain; charset="us-ascii"\r\nContent-Transfer-Encoding: 7bit\r\n'


def text_part(*recipients: bytes, lines: tuple[bytes, ...] = LINES) -> bytes:
    """Return the part that tells the envelope."""
    body = b"".join(line + b"\r\n" for line in (*lines, *recipients))
    return TEXT_FIELDS + b"\r\n" + body


def message_part(original: bytes = ORIGINAL, fields: bytes = b"") -> bytes:
    """Return a message/rfc822 part."""
    return b"Content-Type: message/rfc822\r\n" + fields + b"\r\n" + original


def report(
    *parts: bytes,
    marker: bytes = b"X-MS-Journal-Report:\r\n",
    boundary: bytes = BOUNDARY,
    close: bytes = b"--\r\n",
    preamble: bytes = b"",
) -> bytes:
    """Return a journal report around ``parts``."""
    header = (
        b'Content-Type: multipart/mixed;\r\n\tboundary="' + boundary + b'"\r\n'
        b"Subject: Invoice 7\r\n"
        b"To: accounting@example.com\r\n"
        b"From: Billing <billing@supplier.example>\r\n"
        b"MIME-Version: 1.0\r\n"
        b"Sender:\r\n\t<MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@example.com>\r\n"
        b"Message-ID: <1d1f5b5e@journal.report.generator>\r\n" + marker + b"\r\n"
    )
    body = preamble
    for part in parts or (text_part(b"Recipient: accounting@example.com"), message_part()):
        body += b"--" + boundary + b"\r\n" + part + b"\r\n"
    return header + body + b"--" + boundary + close


def read(raw: bytes, profile: JournalProfile = UNCONFIGURED) -> Unwrapped:
    """Unwrap bytes held in memory, without the net that hides mistakes."""
    return unwrap_module.read(RawBytes(raw), profile)


def header(raw: bytes) -> bytes:
    """Return a report's header, its empty line with it."""
    return raw[: raw.index(b"\r\n\r\n") + 4]


def originals(raw: bytes, unwrapped: Unwrapped) -> list[bytes]:
    """Return the stored bytes of each original."""
    return [raw[each.offset : each.offset + each.length] for each in unwrapped.originals]
