"""The stages of ``limit_wire.c`` in Python: what the language and IMAPClient cost.

Rule: nothing but the stages; no ledger, no report parsed, no crash survived.

    python limit_stages.py sockets|imapclient PORT USER PASSWORD STAGE FILE
"""

from __future__ import annotations

import hashlib
import os
import re
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import zstandard
from imapclient import IMAPClient

GROUP_BYTES = 8 << 20
UIDS_AT_ONCE = 5_000
"""Dovecot takes no longer line than 64 KB."""

STAGES = ("fetch", "hash", "zstd", "append", "prove", "delete")
LISTED = re.compile(rb"UID (\d+) RFC822\.SIZE (\d+)")


class Sockets:
    """IMAP spoken over a socket, as little of it as is needed."""

    def __init__(self, port: int, user: str, password: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = self._socket.makefile("rb", buffering=1 << 18)
        self._file.readline()
        self._order(f"LOGIN {user} {password}")
        self._order("SELECT INBOX")

    def sizes(self) -> list[tuple[int, int]]:
        """Return UID and size of every message."""
        lines = self._order("UID FETCH 1:* (UID RFC822.SIZE)")
        return [(int(m[1]), int(m[2])) for m in map(LISTED.search, lines) if m]

    def fetch(self, uids: list[int]) -> Iterator[bytes]:
        """Yield the messages."""
        self._say(f"UID FETCH {uids[0]}:{uids[-1]} (UID BODY.PEEK[])")
        while not self._answered(line := self._file.readline()):
            if line.endswith(b"}\r\n"):
                yield self._file.read(int(line[line.rindex(b"{") + 1 : -3]))

    def delete(self, uids: list[int]) -> None:
        """Delete messages for good."""
        self._order(f"UID STORE {uids[0]}:{uids[-1]} +FLAGS.SILENT (\\Deleted)")
        self._order(f"UID EXPUNGE {uids[0]}:{uids[-1]}")

    def _order(self, command: str) -> list[bytes]:
        self._say(command)
        lines = []
        while not self._answered(line := self._file.readline()):
            lines.append(line)
        return lines

    def _say(self, command: str) -> None:
        self._socket.sendall(f"a {command}\r\n".encode())

    def _answered(self, line: bytes) -> bool:
        if not line or (line.startswith(b"a ") and not line.startswith(b"a OK")):
            sys.exit(f"the server said {line!r}")
        return line.startswith(b"a ")


class Library:
    """IMAPClient, with the debug formatting of imaplib switched off."""

    def __init__(self, port: int, user: str, password: str) -> None:
        self._client = IMAPClient("127.0.0.1", port, ssl=False)
        self._client._imap.debug = 0
        self._client.login(user, password)
        self._client.select_folder("INBOX")

    def sizes(self) -> list[tuple[int, int]]:
        """Return UID and size of every message."""
        uids = self._client.search("ALL")
        listed = {}
        for start in range(0, len(uids), UIDS_AT_ONCE):
            portion = uids[start : start + UIDS_AT_ONCE]
            listed.update(self._client.fetch(portion, ["RFC822.SIZE"]))
        return [(uid, listed[uid][b"RFC822.SIZE"]) for uid in sorted(listed)]

    def fetch(self, uids: list[int]) -> Iterator[bytes]:
        """Yield the messages."""
        answers = self._client.fetch(uids, ["BODY.PEEK[]"])
        for uid in uids:
            yield answers[uid][b"BODY[]"]

    def delete(self, uids: list[int]) -> None:
        """Delete messages for good."""
        self._client.delete_messages(uids, silent=True)
        self._client.uid_expunge(uids)


class Sink:
    """Takes messages in, up to the stage that is asked for."""

    def __init__(self, stage: int, path: Path) -> None:
        self.messages = self.raw_bytes = self.stored_bytes = 0
        self._stage = stage
        self._fd = os.open(path, os.O_CREAT | os.O_TRUNC | os.O_RDWR, 0o600)
        self._compressor = zstandard.ZstdCompressor(level=3)
        self._decompressor = zstandard.ZstdDecompressor()
        self._group: list[tuple[int, int, bytes]] = []

    def take(self, raw: bytes) -> None:
        """Take one message in."""
        self.messages += 1
        self.raw_bytes += len(raw)
        if self._stage >= 1:
            digest = hashlib.sha256(raw).digest()
        if self._stage >= 2:
            frame = self._compressor.compress(raw)
        if self._stage >= 3:
            os.write(self._fd, frame)
            self._group.append((self.stored_bytes, len(frame), digest))
            self.stored_bytes += len(frame)

    def settle(self) -> None:
        """Make a group durable and prove it."""
        if self._stage >= 3:
            os.fdatasync(self._fd)
        if self._stage >= 4:
            start = self._group[0][0]
            os.posix_fadvise(self._fd, start, self.stored_bytes - start, os.POSIX_FADV_DONTNEED)
            for offset, length, digest in self._group:
                raw = self._decompressor.decompress(os.pread(self._fd, length, offset))
                if hashlib.sha256(raw).digest() != digest:
                    sys.exit("what was read back differs")
        self._group.clear()


def groups(sizes: list[tuple[int, int]]) -> Iterator[list[int]]:
    """Yield UIDs whose messages have about GROUP_BYTES together."""
    group: list[int] = []
    group_bytes = 0
    for uid, size_bytes in sizes:
        if group and group_bytes + size_bytes > GROUP_BYTES:
            yield group
            group, group_bytes = [], 0
        group.append(uid)
        group_bytes += size_bytes
    if group:
        yield group


def main(library: str, *arguments: str) -> None:
    """Empty the mailbox, up to a stage."""
    port, user, password, stage_name, path = arguments
    stage = STAGES.index(stage_name)
    client = (Sockets if library == "sockets" else Library)(int(port), user, password)
    sink = Sink(stage, Path(path))
    for uids in groups(client.sizes()):
        for raw in client.fetch(uids):
            sink.take(raw)
        sink.settle()
        if stage >= 5:
            client.delete(uids)
    sys.stdout.write(f"{sink.messages} messages {sink.raw_bytes} bytes\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
