"""Mail to be lost: plain messages and Exchange journal reports of any size, each one different.

Rule: the same number gives the same bytes, so that a run that failed can be
repeated; bodies hardly compress, so that sizes on the disk follow sizes of mail.
"""

from __future__ import annotations

import base64
import random

PLAIN, EXCHANGE = "plain", "exchange"
FORMATS = (PLAIN, EXCHANGE)


def message(kind: str, number: int, size_bytes: int = 1500) -> bytes:
    """Return a message of about ``size_bytes`` with CRLF line ends."""
    plain = _plain(number, size_bytes)
    return plain if kind == PLAIN else _report(number, plain)


def _plain(number: int, size_bytes: int) -> bytes:
    noise = base64.encodebytes(random.Random(number).randbytes(size_bytes * 3 // 4))
    head = (
        f"From: Sender {number} <sender{number}@example.org>\n"
        "To: team@example.net\n"
        f"Subject: number {number}\n"
        f"Message-ID: <{number}@example.org>\n"
        "Date: Mon, 02 Nov 2026 08:00:00 +0000\n"
        "\n"
    )
    return (head.encode("ascii") + noise).replace(b"\n", b"\r\n")


def _report(number: int, original: bytes) -> bytes:
    border = f"_{number:032x}_"
    head = (
        f'Content-Type: multipart/mixed;\n\tboundary="{border}"\n'
        f"Subject: number {number}\n"
        "To: team@example.net\n"
        f"From: Sender {number} <sender{number}@example.org>\n"
        "MIME-Version: 1.0\n"
        "Sender:\n\t<MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@example.net>\n"
        f"Message-ID: <{number:032x}@journal.report.generator>\n"
        "Date: Mon, 02 Nov 2026 08:00:01 +0000\n"
        "X-MS-Journal-Report:\n"
        "X-MS-Exchange-Generated-Message-Source: Journal Agent\n"
        "\n"
        f"--{border}\n"
        'Content-Type: text/plain; charset="us-ascii"\n'
        "Content-Transfer-Encoding: 7bit\n"
        "\n"
        f"Sender: sender{number}@example.org\n"
        f"Subject: number {number}\n"
        f"Message-Id: <{number}@example.org>\n"
        "To: first@example.net, Expanded: team@example.net\n"
        "Bcc: hidden@example.net\n"
        "\n"
        f"--{border}\n"
        "Content-Type: message/rfc822\n"
        "\n"
    )
    tail = f"\r\n--{border}--\r\n".encode("ascii")
    return head.replace("\n", "\r\n").encode("ascii") + original + tail
