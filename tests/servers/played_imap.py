"""A mail server that we play ourselves, for what no real one does.

Endless answers, absurd sizes, a million messages; plain IMAP on loopback.

Rule: it plays the outside world; nothing of the collector is used.  Whatever ``answers``
does not override is answered as a small, correct server would.
"""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import threading
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator
from typing import Self

from imap_eyes import ImapUser
from throwaway_ca import ThrowawayCa

Answer = Callable[[str], Iterable[bytes]]
"""From the command without its tag to the lines, with ends; the tagged line is added."""

LATER = b"{later}"
"""As the only line: the command is not answered now."""


class PlayedImap:
    """A running server, in threads of this process.

    Args:
        answers: by regular expression, searched in the command; the first match answers.
        uids: the messages it claims to hold.
        size_bytes: of every message.
        ca: whose certificate is shown after STARTTLS.

    Attributes:
        commands: every command seen, without its tag; ``tags`` has the tags.
        deaf: what is sent to it is not answered any more.
        continued: the tagged status after a line without a command (DONE, or SASL).
    """

    def __init__(
        self,
        answers: dict[str, Answer] | None = None,
        uids: range = range(0),
        size_bytes: int = 100,
        capability: str = "IMAP4rev1 UIDPLUS IDLE",
        greeting: bytes = b"* OK ready\r\n",
        ca: ThrowawayCa | None = None,
    ) -> None:
        self._answers = answers or {}
        self._uids = uids
        self._size_bytes = size_bytes
        self._capability = capability
        self._greeting = greeting
        self._ca = ca
        self.commands: list[str] = []
        self.tags: list[bytes] = []
        self.connections_count = 0
        self.deaf = False
        self.continued = b"OK done"
        self._open: list[socket.socket] = []

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_exception) -> None:
        for each in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def user(self) -> ImapUser:
        """Return whoever logs in."""
        return ImapUser("127.0.0.1", self.port, None, "journal")

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                self._open.append(sock)
                self.connections_count += 1
                threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        with contextlib.suppress(OSError):
            sock.sendall(self._greeting)
            lines = sock.makefile("rb")
            last_tag = b""
            while line := lines.readline():
                tag, _, command = line.rstrip(b"\r\n").partition(b" ")
                if self.deaf:
                    continue
                if not command:
                    sock.sendall(last_tag + b" " + self.continued + b"\r\n")
                    continue
                last_tag = tag
                self.tags.append(tag)
                self.commands.append(command.decode("latin-1"))
                self._answer(sock, tag, self.commands[-1])
                if command == b"STARTTLS" and self._ca is not None:
                    sock = self._in_tls(sock)
                    lines = sock.makefile("rb")

    def _in_tls(self, sock: socket.socket) -> ssl.SSLSocket:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self._ca.server, self._ca.key)
        wrapped = context.wrap_socket(sock, server_side=True)
        self._open.append(wrapped)
        return wrapped

    def _answer(self, sock: socket.socket, tag: bytes, command: str) -> None:
        for pattern, answer in self._answers.items():
            if re.search(pattern, command):
                pieces = answer(command)
                break
        else:
            pieces = self._usual(command)
        for piece in pieces:
            if piece == LATER:
                return
            sock.sendall(piece.replace(b"{tag}", tag))
            if piece.startswith((b"{tag} ", b"+ ")):
                return
        sock.sendall(tag + b" OK done\r\n")

    def _usual(self, command: str) -> Iterator[bytes]:
        match command.split():
            case ["CAPABILITY", *_]:
                yield f"* CAPABILITY {self._capability}\r\n".encode()
            case ["SELECT", *_]:
                yield b"* %d EXISTS\r\n* OK [UIDVALIDITY 7] numbers\r\n" % len(self._uids)
                yield b"* OK [UIDNEXT %d] next\r\n" % (self._uids.stop or 1)
                yield b"{tag} OK [READ-WRITE] selected\r\n"
            case ["FETCH", numbers, "(UID)"]:
                for number in map(int, numbers.split(",")):
                    yield b"* %d FETCH (UID %d)\r\n" % (number, self._uids[number - 1])
            case ["UID", *words]:
                yield from self._by_uid(words)
            case ["IDLE"]:
                yield b"+ idling\r\n"
            case ["LOGOUT"]:
                yield b"* BYE\r\n"

    def _by_uid(self, words: list[str]) -> Iterator[bytes]:
        match words:
            case ["SEARCH", *keys]:
                first, last = self._range(keys)
                shown = self._uids[bisect_left(self._uids, first) : bisect_right(self._uids, last)]
                yield b"* SEARCH " + b" ".join(b"%d" % uid for uid in shown) + b"\r\n"
            case ["FETCH", uids, *items]:
                yield from self._fetched(uids, " ".join(items))
            case ["STORE", uids, *_]:
                for uid in spread(uids):
                    yield b"* 1 FETCH (UID %d FLAGS (\\Deleted))\r\n" % uid

    def _range(self, keys: list[str]) -> tuple[int, int]:
        found = re.search(r"UID (\d+):(\d+)", " ".join(keys))
        return (int(found[1]), int(found[2])) if found else (1, 2**32)

    def _fetched(self, uids: str, items: str) -> Iterator[bytes]:
        newest = str(self._uids[-1]) if self._uids else "0"
        for uid in spread(uids.replace("*", newest)):
            if uid in self._uids:
                number = self._uids.index(uid) + 1
                line = b"* %d FETCH (UID %d RFC822.SIZE %d" % (number, uid, self._size_bytes)
                if "FLAGS" in items and "INTERNALDATE" not in items:
                    line = b"* %d FETCH (UID %d FLAGS ()" % (number, uid)
                if "INTERNALDATE" in items:
                    line += b' INTERNALDATE "01-Nov-2026 12:00:00 +0000"'
                if "BODY" in items:
                    line += b" BODY[] {%d}\r\n" % self._size_bytes + b"x" * self._size_bytes
                yield line + b")\r\n"


def spread(uid_set: str) -> Iterator[int]:
    """Yield the UIDs of a sequence set."""
    for part in uid_set.split(","):
        first, _, last = part.partition(":")
        yield from range(int(first), int(last or first) + 1)
