"""A mail server on loopback that journals: SMTP with STARTTLS and a login, in a thread.

Every mail it takes is kept, and a copy of it is delivered over LMTP to a journal mailbox,
in the form that is set: a report as Exchange writes it, a copy with envelope fields as
Sendmail's milters write them, a bare copy, or none.

Rule: it takes what RFC 5321 allows and answers as real servers do; nothing of the
collector is used.
"""

from __future__ import annotations

import base64
import contextlib
import socketserver
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Self

from imap_eyes import PASSWORD, ImapUser
from throwaway_ca import ThrowawayCa


class Copy(Enum):
    """What the journal mailbox gets."""

    REPORT = "report"
    ENVELOPE_FIELDS = "envelope fields"
    BARE = "bare"
    NONE = "none"


@dataclass(frozen=True)
class Taken:
    """A mail as it was taken."""

    sender: str
    recipients: tuple[str, ...]
    raw: bytes


@dataclass
class Manners:
    """How the server behaves; may be changed while it runs.

    Attributes:
        expands: lists and who is on them.
        tells_bcc: whether recipients that are in no header are reported.
        refuses: recipients that are answered with 550.
        stalls: never answer the end of a message.
    """

    copy: Copy = Copy.REPORT
    expands: dict[str, tuple[str, ...]] = field(default_factory=dict)
    tells_bcc: bool = True
    refuses: frozenset[str] = frozenset()
    stalls: bool = False


class JournalingRelay:
    """A running server.

    Attributes:
        taken: every mail it took, in order.
        stalled_count: mails whose end it did not answer.
    """

    def __init__(self, journal: ImapUser, ca: ThrowawayCa, manners: Manners | None = None) -> None:
        self.journal = journal
        self.ca = ca
        self.manners = manners or Manners()
        self.taken: list[Taken] = []
        self.stalled_count = 0
        self.stopped = threading.Event()

    def __enter__(self) -> Self:
        relay = self

        class Session(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                with contextlib.suppress(OSError, ValueError):
                    _Session(relay, self.connection).run()

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Session)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_exception) -> None:
        self.stopped.set()
        self._server.shutdown()
        self._server.server_close()

    def take(self, mail: Taken) -> None:
        """Keep a mail and journal it."""
        self.taken.append(mail)
        copy = {
            Copy.REPORT: report_of,
            Copy.ENVELOPE_FIELDS: copy_with_envelope,
            Copy.BARE: lambda mail, _: mail.raw,
        }.get(self.manners.copy)
        if copy is not None:
            self.journal.deliver(copy(mail, self.manners), sender=mail.sender)


def _told(mail: Taken, manners: Manners) -> list[tuple[str, str]]:
    """Return who got a mail as the journal tells it: address, and the list it came by."""
    head = mail.raw.partition(b"\r\n\r\n")[0]
    told = []
    for each in mail.recipients:
        if manners.tells_bcc or each.encode() in head:
            members = manners.expands.get(each, ())
            told += [(member, each) for member in members] or [(each, "")]
    return told


def report_of(mail: Taken, manners: Manners) -> bytes:
    """Return a journal report of Exchange (MS-XJRNL, section 2.1)."""
    head = mail.raw.partition(b"\r\n\r\n")[0].decode("ascii")

    def value(name: str) -> str:
        lines = head.split("\r\n")
        return next(line for line in lines if line.startswith(f"{name}: ")).partition(": ")[2]

    lines = [
        f"Sender: {mail.sender}",
        f"Subject: {value('Subject')}",
        f"Message-Id: {value('Message-ID')}",
        *(
            f"{'To' if each.encode() in mail.raw or by else 'Bcc'}: {each}"
            + (f", Expanded: {by}" if by else "")
            for each, by in _told(mail, manners)
        ),
    ]
    border = "_journal-of-canaries_"
    top = [
        f'Content-Type: multipart/mixed; boundary="{border}"',
        f"Subject: {value('Subject')}",
        f"From: {mail.sender}",
        "MIME-Version: 1.0",
        "Sender: <MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@example.net>",
        f"Message-ID: <{len(mail.raw)}.{len(lines)}@journal.report.generator>",
        "X-MS-Journal-Report:",
        "",
        f"--{border}",
        'Content-Type: text/plain; charset="us-ascii"',
        "",
        *lines,
        "",
        f"--{border}",
        "Content-Type: message/rfc822",
        "",
        "",
    ]
    return "\r\n".join(top).encode("ascii") + mail.raw + f"\r\n--{border}--\r\n".encode()


def copy_with_envelope(mail: Taken, manners: Manners) -> bytes:
    """Return the mail with the fields that a milter adds, on top of the relay's own line."""
    fields = [f"X-Envelope-From: <{mail.sender}>"]
    fields += [f"X-Envelope-To: <{each}>" for each, _ in _told(mail, manners)]
    fields += ["Received: from client by relay.example.net; Mon, 2 Nov 2026 08:00:00 +0000"]
    return "".join(f"{each}\r\n" for each in fields).encode("ascii") + mail.raw


class _Session:
    """One connection."""

    def __init__(self, relay: JournalingRelay, connection) -> None:
        self._relay = relay
        self._connection = connection
        self._lines = connection.makefile("rb")
        self._secure = self._known = False
        self._sender = ""
        self._recipients: list[str] = []

    def run(self) -> None:
        """Answer until the client leaves."""
        self._say("220 relay.example.net ESMTP")
        while line := self._lines.readline(2048):
            word = line.split(None, 1)[0].upper().decode("ascii") if line.strip() else ""
            answers: dict[str, Callable[[str], bool | None]] = {
                "EHLO": self._ehlo,
                "STARTTLS": self._starttls,
                "AUTH": self._auth,
                "MAIL": self._mail,
                "RCPT": self._rcpt,
                "DATA": self._data,
                "RSET": lambda _: self._say("250 ok"),
                "QUIT": lambda _: self._say("221 bye") or True,
            }
            answer = answers.get(word, lambda _: self._say("502 not implemented"))
            if answer(line.decode("ascii").strip()):
                return

    def _say(self, *lines: str) -> None:
        self._connection.sendall("".join(f"{line}\r\n" for line in lines).encode("ascii"))

    def _ehlo(self, _line: str) -> None:
        if self._secure:
            self._say("250-relay.example.net", "250-AUTH PLAIN", "250 8BITMIME")
        else:
            self._say("250-relay.example.net", "250-STARTTLS", "250 8BITMIME")

    def _starttls(self, _line: str) -> None:
        self._say("220 go ahead")
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self._relay.ca.server, self._relay.ca.key)
        self._connection = context.wrap_socket(self._connection, server_side=True)
        self._lines = self._connection.makefile("rb")
        self._secure = True

    def _auth(self, line: str) -> None:
        told = base64.b64decode(line.split()[2]).split(b"\0")
        self._known = told[1:] == [b"canary", PASSWORD.encode()]
        self._say("235 welcome" if self._known else "535 who are you")

    def _mail(self, line: str) -> None:
        self._sender, self._recipients = line[line.index("<") + 1 : line.index(">")], []
        self._say("250 ok" if self._known else "530 log in first")

    def _rcpt(self, line: str) -> None:
        recipient = line[line.index("<") + 1 : line.index(">")]
        if recipient in self._relay.manners.refuses:
            self._say(f"550 no such user {recipient}")
        else:
            self._recipients.append(recipient)
            self._say("250 ok")

    def _data(self, _line: str) -> bool | None:
        if not self._recipients:
            return self._say("503 nobody to send it to")
        self._say("354 go on")
        raw = b""
        while (line := self._lines.readline()) != b".\r\n":
            if not line:
                return True
            raw += line[1:] if line.startswith(b".") else line
        if self._relay.manners.stalls:
            self._relay.stalled_count += 1
            self._relay.stopped.wait(60)
            return True
        self._relay.take(Taken(self._sender, tuple(self._recipients), raw))
        return self._say("250 taken")
