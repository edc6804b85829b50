"""Looks into a mailbox and fills it, through the standard library and nothing of ours.

Rule: byte for byte; nothing of the collector is used, so that a mistake in it cannot
hide itself.
"""

from __future__ import annotations

import imaplib
import re
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PASSWORD = "secret"
_UID = re.compile(rb"UID (\d+)")


@dataclass(frozen=True, slots=True)
class ImapUser:
    """A user of a throwaway server, whose mailbox is his own.

    Attributes:
        port: IMAP with TLS, or plain when ``ca`` is ``None``.
    """

    host: str
    port: int
    ca: Path | None
    name: str
    password: str = PASSWORD
    lmtp_port: int | None = None

    def connected(self) -> imaplib.IMAP4:
        """Return a connection that is logged in; the caller logs out."""
        if self.ca is None:
            client = imaplib.IMAP4(self.host, self.port, timeout=60)
        else:
            context = ssl.create_default_context(cafile=self.ca)
            client = imaplib.IMAP4_SSL(self.host, self.port, ssl_context=context, timeout=60)
        if self.password.isascii():
            client.login(self.name, self.password)
        else:
            client.authenticate("PLAIN", lambda _: f"\0{self.name}\0{self.password}".encode())
        return client

    def append(self, *raws: bytes, folder: str = "INBOX") -> None:
        """Put messages into a folder, byte for byte: imaplib's ``append`` mends line ends."""
        client = self.connected()
        for raw in raws:
            client.literal = raw
            kind, text = client._simple_command("APPEND", folder)
            assert kind == "OK", text
        client.logout()

    def append_many(self, raws: Sequence[bytes], folder: str = "INBOX", at_once: int = 100) -> None:
        """Put many messages into a folder (RFC 3502, RFC 7888), byte for byte."""
        client = self.connected()
        for start in range(0, len(raws), at_once):
            tag = client._new_tag()
            pieces = [tag + b" APPEND " + folder.encode()]
            for raw in raws[start : start + at_once]:
                pieces += [b" {%d+}\r\n" % len(raw), raw]
            client.send(b"".join([*pieces, b"\r\n"]))
            kind, text = client._command_complete("APPEND", tag)
            assert kind == "OK", text
        client.logout()

    def deliver(self, *raws: bytes, sender: str = "sender@example.com") -> None:
        """Deliver over LMTP as a mail server would; the server adds its header lines."""
        assert self.lmtp_port is not None, "this server takes no LMTP"
        with socket.create_connection(("127.0.0.1", self.lmtp_port), 30) as sock:
            answers = sock.makefile("rb")

            def say(line: bytes | None, wanted: bytes) -> None:
                if line is not None:
                    sock.sendall(line + b"\r\n")
                while (answer := answers.readline())[3:4] == b"-":
                    pass
                assert answer.startswith(wanted), answer

            say(None, b"220")
            say(b"LHLO test", b"250")
            for raw in raws:
                say(b"MAIL FROM:<" + sender.encode() + b">", b"250")
                say(b"RCPT TO:<" + self.name.encode() + b">", b"250")
                say(b"DATA", b"354")
                dotted = (b"\n" + raw).replace(b"\n.", b"\n..")[1:]
                sock.sendall(dotted if dotted.endswith(b"\r\n") else dotted + b"\r\n")
                say(b".", b"250")
            say(b"QUIT", b"221")
            answers.close()

    def messages(self, folder: str = "INBOX") -> dict[int, bytes]:
        """Return the raw messages of a folder by UID."""
        client = self.connected()
        kind, text = client.select(folder, readonly=True)
        assert kind == "OK", text
        found: dict[int, bytes] = {}
        kind, items = client.uid("FETCH", "1:*", "(UID BODY.PEEK[])")
        assert kind == "OK", items
        for item in items:
            if isinstance(item, tuple):
                found[int(_UID.search(item[0])[1])] = item[1]
        client.logout()
        return found

    def flags(self, folder: str = "INBOX") -> dict[int, set[bytes]]:
        r"""Return the flags by UID, without \Recent."""
        client = self.connected()
        client.select(folder, readonly=True)
        _, items = client.uid("FETCH", "1:*", "(UID FLAGS)")
        client.logout()
        return {
            int(_UID.search(item)[1]): set(imaplib.ParseFlags(item)) - {b"\\Recent"}
            for item in items
            if item
        }

    def command(self, *words: str, folder: str | None = "INBOX") -> list:
        r"""Run one command, such as ``UID STORE 3 +FLAGS (\Deleted)``; return its answer."""
        client = self.connected()
        if folder is not None:
            kind, text = client.select(folder)
            assert kind == "OK", text
        method = client.uid if words[0] == "UID" else client.xatom
        kind, answer = method(*(words[1:] if words[0] == "UID" else words))
        assert kind == "OK", answer
        client.logout()
        return answer
