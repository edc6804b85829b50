"""Mail for tests of the whole program: reports and copies with names that may not leak."""

from __future__ import annotations

import random

SECRET_WORDS = ("zanzibar-subject", "quokka-body", "aardvark@secret.example", "marmoset")


def plain(number: int, size_bytes: int = 600) -> bytes:
    """Return a plain copy, each number a different one."""
    noise = random.Random(number).randbytes(size_bytes // 2).hex()
    lines = "\r\n".join(noise[at : at + 76] for at in range(0, len(noise), 76))
    return (
        f"Received: from mx.example.com by mail.example.net; Mon, 2 Nov 2026 08:00:00 +0000\r\n"
        f"From: aardvark@secret.example\r\nTo: marmoset@example.net\r\n"
        f"Subject: zanzibar-subject {number}\r\nMessage-ID: <plain-{number}@example.com>\r\n"
        f"\r\nquokka-body {number}\r\n{lines}\r\n"
    ).encode()


def report(number: int, size_bytes: int = 600) -> bytes:
    """Return an Exchange journal report with a Bcc recipient and an expanded list."""
    inner = plain(number, size_bytes)
    border = f"_journal-{number}_"
    head = (
        f'Content-Type: multipart/mixed;\r\n\tboundary="{border}"\r\n'
        f"Subject: zanzibar-subject {number}\r\nTo: marmoset@example.net\r\n"
        "From: aardvark@secret.example\r\nMIME-Version: 1.0\r\n"
        "Sender:\r\n\t<MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@example.net>\r\n"
        f"Message-ID: <{number:032x}@journal.report.generator>\r\n"
        "X-MS-Journal-Report:\r\n"
        "X-MS-Exchange-Generated-Message-Source: Journal Agent\r\n"
        f'\r\n--{border}\r\nContent-Type: text/plain; charset="us-ascii"\r\n'
        "Content-Transfer-Encoding: 7bit\r\n\r\n"
        f"Sender: aardvark@secret.example\r\nSubject: zanzibar-subject {number}\r\n"
        f"Message-Id: <plain-{number}@example.com>\r\n"
        "To: first@example.net, Expanded: team@example.net\r\n"
        "Bcc: hidden@example.net\r\n\r\n"
        f"--{border}\r\nContent-Type: message/rfc822\r\n\r\n"
    )
    return head.encode() + inner + f"\r\n--{border}--\r\n".encode()


def mixed(count: int, size_bytes: int = 600) -> list[bytes]:
    """Return reports and copies in turn."""
    return [(report if each % 2 else plain)(each, size_bytes) for each in range(count)]
