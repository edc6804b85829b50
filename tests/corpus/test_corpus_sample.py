"""A sample of mail of every shape, through a real Dovecot and out of the archive again."""

from __future__ import annotations

import random
from pathlib import Path

from collector_program import Collector
from corpus_run import collect_and_compare, deliver
from sample_mail import mixed, plain, report

ROOT = Path(__file__).resolve().parent.parent
HEAD = b"From: a@example.com\r\nTo: b@example.com\r\nSubject: x\r\n"

ODD = [
    HEAD + b"\r\n",
    HEAD,
    HEAD + b"\r\nno line end at the end",
    HEAD + b"\r\nFrom the start of a line\r\n.\r\n..\r\n.dots\r\n",
    HEAD + b"\r\n" + b"x" * 20_000 + b"\r\n",
    HEAD + b"\r\n" + bytes(range(128, 256)) * 4 + b"\r\n",
    HEAD + b"\r\na lone \r in a line\r\nand a NUL \x00 too\r\n",
    b"Subject: \xe4\xf6\xfc\r\n\xff\xfe: not a header\r\n\r\nbody\r\n",
    b"no header, only text\r\n",
    b"\r\n\r\n",
    b"X-Long: " + b"y" * 100_000 + b"\r\n\r\nbody\r\n",
    b"".join(b"X-%d: z\r\n" % each for each in range(5_000)) + b"\r\nbody\r\n",
    b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n" * 2_000 + b"--b--\r\n",
    b"Content-Type: message/rfc822\r\n\r\n" * 60 + HEAD + b"\r\ndeep\r\n",
    b"* 9 EXISTS\r\n* BYE ) FETCH {10}\r\n\r\nA1 OK not an answer\r\n",
]


def test_mail_of_every_shape(collector: Collector, dovecot) -> None:
    """Whatever the server hands out is what ``show --raw`` gives back."""
    user = dovecot.new_user()
    noise = random.Random(7)
    sized = [plain(1000 + each, noise.choice([10, 4_000, 60_000, 400_000])) for each in range(60)]
    fixtures = sorted(ROOT.glob("formats/**/*.eml"))
    deliver(user, [*ODD, *mixed(40), *sized, report(5, 2_000_000)])
    deliver(user, [path.read_bytes() for path in fixtures])
    collector.configure(collector.mailbox(user), log='level = "error"')
    compared = collect_and_compare(collector, user)
    assert compared.problems == []
    assert compared.delivered_count > 115
