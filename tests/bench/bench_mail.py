"""Generates Exchange-style journal reports: the same bytes for the same seed.

Rule: no message comes twice, and none comes from anywhere else.

Sizes are log-normal, as mail in offices is: median about 25 KB, mean about
75 KB, a few messages of 1 to 10 MB.  Most attachments are base64 of random
bytes, which do not compress further, like the office documents and pictures
they stand for; the others and the text compress like text.

    python bench_mail.py KIND COUNT DIRECTORY     (KIND: business, small, numbered, giant)
"""

from __future__ import annotations

import base64
import binascii
import math
import random
import sys
import time
import uuid
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

from bench_pool import FIRST_ARRIVAL_S, Pool

SEED = 20_250
CRLF = b"\r\n"
MEDIAN_BYTES, SIGMA = 15_500, 1.66  # of the journaled message; the report adds its envelope
SIZE_BYTES_MIN, SIZE_BYTES_MAX = 2_500, 10_500_000
SMALL_BYTES = 4_000
GIANT_BYTES = 100_000_000
NUMBERED_TEXTS = 1_000

SYLLABLES = [first + second for first in "bcdfghklmnprstvz" for second in "aeiou"]
NAMES = ("abel", "brandt", "costa", "dufour", "engel", "fischer", "huber", "jansen", "keller")
DOMAINS = ("contoso.example", "fabrikam.example", "northwind.example", "tailspin.example")
SUBJECTS = ("Budget review", "Re: contract", "Invoice", "FW: order", "Rückfrage zum Gerät")
STYLE = (
    "<style><!-- p.MsoNormal, li.MsoNormal {margin:0cm; font-size:11.0pt; font-family:"
    '"Calibri",sans-serif; mso-fareast-language:EN-US;} a:link {color:#0563C1; '
    "text-decoration:underline;} @page WordSection1 {size:612.0pt 792.0pt; margin:70.85pt "
    "70.85pt 2.0cm 70.85pt;} div.WordSection1 {page:WordSection1;} --></style>"
)
PARAGRAPH = '<p class="MsoNormal"><span style="font-size:11.0pt">{}<o:p></o:p></span></p>\n'


class ReportWriter:
    """Writes reports one after the other; each differs from all others."""

    def __init__(self, seed: int = SEED) -> None:
        self.random = random.Random(seed)
        choices = self.random.choices
        self.words = ["".join(choices(SYLLABLES, k=1 + rank % 4)) for rank in range(6000)]
        total, self.weights = 0.0, []
        for rank in range(len(self.words)):  # word frequencies fall like 1/rank
            total += 1 / (rank + 3)
            self.weights.append(total)
        self.arrival_s = FIRST_ARRIVAL_S

    def business(self) -> bytes:
        """Return a report of a size drawn from the business mix."""
        while True:
            size_bytes = self.random.lognormvariate(math.log(MEDIAN_BYTES), SIGMA)
            if SIZE_BYTES_MIN <= size_bytes <= SIZE_BYTES_MAX:
                return self.report(int(size_bytes))

    def report(self, size_bytes: int) -> bytes:
        """Return a report on a message of about ``size_bytes``."""
        self.arrival_s += self.random.randint(1, 90)
        sender = self._address()
        recipients = [self._address() for _ in range(self.random.choice((1, 1, 1, 2, 4)))]
        subject = f"{self.random.choice(SUBJECTS)} {self.random.randint(100, 99_999)}"
        message_id = f"<{self._guid()}@{sender.partition('@')[2]}>"
        message = self._message(size_bytes, sender, recipients, subject, message_id)
        return self.wrap(message, sender, recipients, subject, message_id)

    def wrap(
        self, message: bytes, sender: str, recipients: list[str], subject: str, message_id: str
    ) -> bytes:
        """Return the report on ``message``, in the form Exchange 2013 and later write."""
        boundary = f"_{self._guid()}_"
        envelope = [f"Sender: {sender}", f"Subject: {subject}", f"Message-Id: {message_id}"]
        envelope += [f"{self.random.choice(('To', 'To', 'Bcc'))}: {each}" for each in recipients]
        head = [
            f"Received: from {self._host()} ({self._guid()}) by {self._host()}; {self._date()}",
            f'Content-Type: multipart/mixed;\r\n\tboundary="{boundary}"',
            f"Subject: {_encoded_word(subject)}",
            f"To: {', '.join(recipients)}",
            f"From: {sender}",
            "MIME-Version: 1.0",
            "Sender:\r\n\t<MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@contoso.example>",
            f"Message-ID: <{self._guid()}@journal.report.generator>",
            f"Date: {self._date()}",
            "X-MS-Journal-Report:",
            f"X-MS-Exchange-Parent-Message-Id: {message_id}",
            "Auto-Submitted: auto-generated",
            "X-MS-Exchange-Generated-Message-Source: Journal Agent",
            f"X-Microsoft-Antispam-Message-Info: {self._token(400)}",
        ]
        part = f'--{boundary}\r\nContent-Type: text/plain; charset="utf-8"\r\n'
        return CRLF.join(
            [
                _lines(head),
                f"{part}Content-Transfer-Encoding: 8bit\r\n".encode(),
                _lines(envelope),
                f"--{boundary}\r\nContent-Type: message/rfc822\r\n".encode(),
                message,
                f"--{boundary}--\r\n".encode(),
            ]
        )

    def _message(
        self, size_bytes: int, sender: str, recipients: list[str], subject: str, message_id: str
    ) -> bytes:
        mixed, alternative = f"_004_{self._guid()}_", f"_000_{self._guid()}_"
        head = [
            f"Received: from {self._host()} by {self._host()} with HTTPS; {self._date()}",
            f"DKIM-Signature: v=1; a=rsa-sha256; bh={self._token(32)};\r\n b={self._token(256)}",
            f"From: {sender}",
            f"To: {', '.join(recipients)}",
            f"Subject: {_encoded_word(subject)}",
            f"Date: {self._date()}",
            f"Message-ID: {message_id}",
            "MIME-Version: 1.0",
            f'Content-Type: multipart/mixed; boundary="{mixed}"',
        ]
        room = max(500, size_bytes - 1800)
        text = self._prose(min(room // 3, int(self.random.lognormvariate(math.log(4000), 1))))
        kind = f'multipart/alternative; boundary="{alternative}"'
        parts = [f"--{mixed}\r\nContent-Type: {kind}\r\n".encode()]
        parts.append(self._text_part(alternative, "plain", text))
        if size_bytes > SMALL_BYTES:
            html = STYLE + "".join(PARAGRAPH.format(line) for line in text.split("\n"))
            parts.append(self._text_part(alternative, "html", html))
        parts.append(f"--{alternative}--\r\n".encode())
        rest_bytes = room - sum(map(len, parts))
        if rest_bytes > 1500:
            parts.append(self._attachment(mixed, rest_bytes))
        return CRLF.join([_lines(head), *parts, f"--{mixed}--\r\n".encode()])

    def _text_part(self, boundary: str, kind: str, text: str) -> bytes:
        raw = text.replace("\n", "\r\n").encode()
        encoding = self.random.choice(("base64", "quoted-printable"))
        body = _base64(raw) if encoding == "base64" else binascii.b2a_qp(raw)
        head = f'--{boundary}\r\nContent-Type: text/{kind}; charset="utf-8"\r\n'
        return f"{head}Content-Transfer-Encoding: {encoding}\r\n\r\n".encode() + body

    def _attachment(self, boundary: str, size_bytes: int) -> bytes:
        raw_bytes = size_bytes * 3 // 4 * 76 // 78
        if self.random.random() < 0.4:  # with these a message compresses like real mail: to half
            kind, raw = "text/csv", self._prose(raw_bytes).encode()
        else:
            kind, raw = "application/pdf", self.random.randbytes(raw_bytes)
        head = (
            f"--{boundary}\r\nContent-Type: {kind}\r\nContent-Disposition: attachment; "
            f'filename="report_{self.random.randint(1, 9999)}"\r\n'
            "Content-Transfer-Encoding: base64\r\n\r\n"
        )
        return head.encode() + _base64(raw)

    def _prose(self, size_bytes: int) -> str:
        words = self.random.choices(
            self.words, cum_weights=self.weights, k=max(10, size_bytes // 6)
        )
        sentences = (" ".join(words[at : at + 12]) for at in range(0, len(words), 12))
        text = ".\n".join(f"{each.capitalize()}, Grüße" for each in sentences)
        return text + "\n.\nFrom a line that mbox would change\n"  # what others mangle

    def _address(self) -> str:
        person = f"{self.random.choice(NAMES)}.{self.random.randint(1, 400)}"
        return f"{person}@{self.random.choice(DOMAINS)}"

    def _host(self) -> str:
        return f"am0pr{self.random.randint(1, 9999)}.{self.random.choice(DOMAINS)}"

    def _guid(self) -> str:
        return str(uuid.UUID(bytes=self.random.randbytes(16)))

    def _token(self, length: int) -> str:
        return base64.b64encode(self.random.randbytes(length)).decode()

    def _date(self) -> str:
        return time.strftime("%a, %d %b %Y %H:%M:%S +0000", time.gmtime(self.arrival_s))


def _lines(lines: Iterable[str]) -> bytes:
    return "".join(f"{line}\r\n" for line in lines).encode()


def _base64(raw: bytes) -> bytes:
    return base64.encodebytes(raw).replace(b"\n", CRLF)


def _encoded_word(text: str) -> str:
    return text if text.isascii() else f"=?utf-8?B?{base64.b64encode(text.encode()).decode()}?="


def generate(kind: str, count: int) -> Iterator[bytes]:
    """Yield ``count`` reports: a ``business`` mix, ``small`` ones, or the mix with a ``giant``.

    ``numbered`` are a thousand small ones again and again, each time with another number:
    for folders of 200,000, which would take half an hour to write.
    """
    if kind == "numbered":
        some = list(generate("small", min(count, NUMBERED_TEXTS)))
        for number in range(count):
            yield b"X-Number: %09d\r\n%b" % (number, some[number % len(some)])
        return
    writer = ReportWriter()
    write = partial(writer.report, SMALL_BYTES - 600) if kind == "small" else writer.business
    for number in range(count):
        last = number == count - 1
        yield writer.report(GIANT_BYTES) if kind == "giant" and last else write()


if __name__ == "__main__":
    Pool.write(Path(sys.argv[3]), generate(sys.argv[1], int(sys.argv[2])))
