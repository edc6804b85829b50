"""An IMAP-aware proxy on loopback that does what broken servers and networks do.

    with FaultProxy(dovecot, Rule("UID FETCH .*BODY", Cut(at=100))) as proxy:
        user = proxy.user(some_user)

A rule fires on the ``nth`` command that matches ``on`` (searched in the command without
its tag, counted over all connections), ``times`` times; 0 means for ever.  ``GREETING``
is the connection's first line.  Several rules may fire on one command.

Rule: what no rule touches passes byte for byte, in both directions.
"""

from __future__ import annotations

import contextlib
import re
import select
import socket
import ssl
import threading
from collections import deque
from dataclasses import dataclass, replace
from typing import Self

from imap_eyes import ImapUser
from played_imap import spread
from throwaway_ca import ThrowawayCa

LITERAL = re.compile(rb"\{(\d+)\}\r\n$")
ABOUT_UID = re.compile(rb"\* \d+ FETCH \(.*\bUID (\d+)")
CLIENT_LITERAL = re.compile(rb"\{(\d+)(\+?)\}\r\n$")
PIECE_BYTES = 64 * 1024


class Hangup(Exception):  # noqa: N818 - not an error: the connection ends here
    """The proxy closes both sides."""


class Action:
    """What a rule does; the methods pass everything through unless they are overridden."""

    def command(self, wires: Wires, tag: bytes) -> bool:
        """See the command before the server does; ``False`` keeps it from the server."""
        return True

    def line(self, wires: Wires, line: bytes, tag: bytes) -> bytes | None:
        """Return a line of the answer as the client shall see it; ``None``: not at all."""
        return line

    def literal(self, wires: Wires, head: bytes, raw: bytes, number: int) -> bytes | None:
        """Return what shall be sent for the ``number``-th literal; ``None``: as it is.

        Args:
            head: the line up to the announced length.
        """
        return None


@dataclass(frozen=True)
class Close(Action):
    """Close before the command is forwarded: it is not executed."""

    def command(self, wires, tag):
        raise Hangup


@dataclass(frozen=True)
class Hold(Action):
    """Wait, then forward."""

    seconds: float

    def command(self, wires, tag):
        wires.sleep(self.seconds)
        return True


@dataclass(frozen=True)
class Reply(Action):
    """Answer instead of the server; ``{tag}`` is replaced."""

    lines: tuple[str, ...]
    then_close: bool = False

    def command(self, wires, tag):
        for line in self.lines:
            wires.to_client(line.replace("{tag}", tag.decode()).encode("latin-1") + b"\r\n")
        if self.then_close:
            raise Hangup
        return False


@dataclass(frozen=True)
class Inject(Action):
    """Send lines before the server's answer."""

    lines: tuple[str, ...]

    def command(self, wires, tag):
        for line in self.lines:
            wires.to_client(line.encode("latin-1") + b"\r\n")
        return True


@dataclass(frozen=True)
class DropTagged(Action):
    """Forward the answer but its tagged line, then close: executed, and the client cannot know."""

    def line(self, wires, line, tag):
        if line.startswith(tag + b" "):
            raise Hangup
        return line


@dataclass(frozen=True)
class Rewrite(Action):
    """Replace in the lines of the answer, never in literals."""

    find: str
    by: str

    def line(self, wires, line, tag):
        return re.sub(self.find.encode("latin-1"), self.by.encode("latin-1"), line)


@dataclass(frozen=True)
class Swallow(Action):
    """From here on nothing passes in either direction, and the connection stays open."""

    def command(self, wires, tag):
        wires.sleep(3600.0)
        raise Hangup


@dataclass(frozen=True)
class Slow(Action):
    """From here on answer with so many bytes a second."""

    bytes_per_s: float

    def command(self, wires, tag):
        wires.bytes_per_s = self.bytes_per_s
        return True


@dataclass(frozen=True)
class _OfLiteral(Action):
    which: int = 1

    def literal(self, wires, head, raw, number):
        return self.changed(wires, head, raw) if number == self.which else None

    def changed(self, wires: Wires, head: bytes, raw: bytes) -> bytes:
        """Return what the client gets."""
        raise NotImplementedError


def announced(head: bytes, raw: bytes, size_bytes: int | None = None) -> bytes:
    """Return a literal with its head; ``size_bytes`` may lie."""
    return head + b"{%d}\r\n" % (len(raw) if size_bytes is None else size_bytes) + raw


@dataclass(frozen=True)
class Cut(_OfLiteral):
    """Close after ``at`` bytes of the literal."""

    at: int = 0

    def changed(self, wires, head, raw):
        wires.to_client(announced(head, raw[: self.at], len(raw)))
        raise Hangup


@dataclass(frozen=True)
class Stall(_OfLiteral):
    """Fall silent after ``at`` bytes of the literal, then go on."""

    at: int = 0
    seconds: float = 60.0

    def changed(self, wires, head, raw):
        wires.to_client(announced(head, raw[: self.at], len(raw)))
        wires.sleep(self.seconds)
        return raw[self.at :]


@dataclass(frozen=True)
class Shorten(_OfLiteral):
    """Announce and send a literal that lacks its last bytes: a server that truncates."""

    by: int = 1

    def changed(self, wires, head, raw):
        return announced(head, raw[: -self.by])


@dataclass(frozen=True)
class Flip(_OfLiteral):
    """Change one bit of one byte of the literal; its length stays."""

    at: int = 0

    def changed(self, wires, head, raw):
        return announced(head, raw[: self.at] + bytes([raw[self.at] ^ 1]) + raw[self.at + 1 :])


@dataclass(frozen=True)
class Nil(_OfLiteral):
    """Send NIL instead of the literal."""

    def changed(self, wires, head, raw):
        return head + b"NIL"


@dataclass(frozen=True)
class Substitute(_OfLiteral):
    """Send another message; every RFC822.SIZE of the line agrees with it."""

    by: bytes = b"This message is no longer available.\r\n"

    def changed(self, wires, head, raw):
        size = b"RFC822.SIZE %d" % len(self.by)
        return announced(re.sub(rb"RFC822\.SIZE \d+", size, head), self.by)


@dataclass(frozen=True)
class Announce(_OfLiteral):
    """Announce ``size_bytes`` bytes, and send them for as long as they are taken."""

    size_bytes: int = 10 * 1024**3

    def changed(self, wires, head, raw):
        wires.to_client(head + b"{%d}\r\n" % self.size_bytes)
        for _ in range(self.size_bytes // PIECE_BYTES):
            wires.to_client(bytes(PIECE_BYTES))
        raise Hangup


@dataclass(frozen=True)
class LeaveOut(Action):
    """Leave the answers out whose first line matches, with their literals."""

    find: str

    def line(self, wires, line, tag):
        return None if re.search(self.find.encode("latin-1"), line) else line


@dataclass(frozen=True, slots=True)
class Rule:
    """When an action is taken."""

    on: str
    action: Action
    nth: int = 1
    times: int = 1


class FaultProxy:
    """A running proxy, in threads of this process.

    Args:
        server: the real server, with its ``ca`` and ``imaps_port``.
        certificate: what the proxy shows; default: the server's.

    Attributes:
        fired: the commands that met a rule, and the rule's action, in order.
        connections_count: connections accepted so far.
        commands: every command seen, without its tag; literals are left out.
    """

    def __init__(self, server, *rules: Rule, certificate: ThrowawayCa | None = None) -> None:
        self._upstream_port = server.imaps_port
        self._ca: ThrowawayCa = server.ca
        self._shown = certificate or server.ca
        self._rules = list(rules)
        self.fired: list[tuple[str, Action]] = []
        self.commands: list[str] = []
        self.connections_count = 0
        self._seen: dict[int, int] = {}
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self.stopped = threading.Event()

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_exception) -> None:
        self.stopped.set()
        _shut(self._listener)  # wakes the thread that accepts
        for each in list(self._open):
            _shut(each)

    def user(self, user: ImapUser) -> ImapUser:
        """Return the same user, reached through the proxy."""
        return replace(user, port=self.port)

    def add(self, *rules: Rule) -> None:
        """Add rules; their counting begins now."""
        self._rules += rules

    def actions_for(self, command: str) -> list[Action]:
        """Count a command; return what it meets."""
        met = []
        with self._lock:
            self.commands.append(command)
            for number, rule in enumerate(self._rules):
                if not re.search(rule.on, command):
                    continue
                seen = self._seen[number] = self._seen.get(number, 0) + 1
                if seen >= rule.nth and (rule.times == 0 or seen < rule.nth + rule.times):
                    met.append(rule.action)
                    self.fired.append((command, rule.action))
        return met

    def _accept(self) -> None:
        inwards = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        inwards.load_cert_chain(self._shown.server, self._shown.key)
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                self.connections_count += 1
                threading.Thread(target=self._serve, args=(sock, inwards), daemon=True).start()

    def _serve(self, sock: socket.socket, inwards: ssl.SSLContext) -> None:
        outwards = ssl.create_default_context(cafile=self._ca.ca)
        opened = [sock]
        try:
            client = inwards.wrap_socket(sock, server_side=True)
            raw = socket.create_connection(("127.0.0.1", self._upstream_port))
            for each in (client, raw):  # what comes in pieces shall not wait for each other
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            server = outwards.wrap_socket(raw, server_hostname="localhost")
            opened = [client, server]
            self._open.update(opened)
            Wires(self, client, server).run()
        except (OSError, Hangup, ValueError):
            pass
        finally:
            for each in opened:
                _shut(each)
                self._open.discard(each)


def _shut(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
    sock.close()


class _Side:
    """One side of a connection, read through a buffer of our own."""

    def __init__(self, sock: ssl.SSLSocket) -> None:
        self.sock = sock
        self._buffer = bytearray()

    def has_line(self) -> bool:
        """Return whether a whole line has come."""
        return b"\n" in self._buffer

    def fill(self) -> None:
        """Receive once."""
        piece = self.sock.recv(PIECE_BYTES)
        if not piece:
            raise Hangup
        self._buffer += piece

    def line(self) -> bytes:
        """Return the next line."""
        while not self.has_line():
            self.fill()
        return self._cut(self._buffer.index(b"\n") + 1)

    def read(self, size_bytes: int) -> bytes:
        """Return exactly so many bytes."""
        while len(self._buffer) < size_bytes:
            self.fill()
        return self._cut(size_bytes)

    def _cut(self, size_bytes: int) -> bytes:
        piece = bytes(self._buffer[:size_bytes])
        del self._buffer[:size_bytes]
        return piece


@dataclass(slots=True)
class _Command:
    """A command that the server has, and has not ended.

    Attributes:
        uids: what it asks for, when it is a UID FETCH.
        literals_count: literals of its answer so far.
    """

    tag: bytes
    actions: list[Action]
    uids: frozenset[int]
    literals_count: int = 0


class Wires:
    """One connection in one thread: a TLS socket must not be used by two at once."""

    def __init__(self, proxy: FaultProxy, client: ssl.SSLSocket, server: ssl.SSLSocket) -> None:
        self._proxy = proxy
        self._client, self._server = _Side(client), _Side(server)
        self._outstanding: deque[_Command] = deque()
        self.bytes_per_s = 0.0

    def run(self) -> None:
        """Pass everything on until one side ends."""
        greeting = self._server.line()
        actions = self._proxy.actions_for("GREETING")
        passes = [action.command(self, b"*") for action in actions]
        if all(passes):
            self.to_client(greeting)
        sides = [self._client, self._server]
        while True:
            if self._client.has_line():
                self._upwards(self._client.line())
            elif self._server.has_line():
                self._downwards(self._server.line())
            else:
                waiting = [side for side in sides if side.sock.pending()]
                waiting = waiting or select.select([side.sock for side in sides], [], [])[0]
                for side in sides:
                    if side in waiting or side.sock in waiting:
                        side.fill()

    def sleep(self, seconds: float) -> None:
        """Wait, but no longer than the proxy lives."""
        self._proxy.stopped.wait(seconds)

    def to_client(self, data: bytes) -> None:
        """Send, at the speed that is set."""
        if not self.bytes_per_s:
            self._client.sock.sendall(data)
            return
        step = max(1, int(self.bytes_per_s / 20))
        for start in range(0, len(data), step):
            piece = data[start : start + step]
            self._client.sock.sendall(piece)
            self.sleep(len(piece) / self.bytes_per_s)

    def _upwards(self, line: bytes) -> None:
        tag, _, command = line.rstrip(b"\r\n").partition(b" ")
        if not command:  # DONE, or the answer to a challenge
            self._server.sock.sendall(line)
            return
        actions = self._proxy.actions_for(command.decode("latin-1"))
        passes = [action.command(self, tag) for action in actions]
        if all(passes):
            found = re.search(rb"UID FETCH ([\d:,]+) ", command)
            uids = frozenset(spread(found[1].decode()) if found else ())
            self._outstanding.append(_Command(tag, actions, uids))
            self._server.sock.sendall(line)
            while literal := CLIENT_LITERAL.search(line):
                if not literal[2]:
                    self.to_client(self._server.line())  # the server says go on
                self._server.sock.sendall(self._client.read(int(literal[1])))
                line = self._client.line()
                self._server.sock.sendall(line)

    def _downwards(self, line: bytes) -> None:
        command = self._whose(line)
        shown = self._shown(line, command)
        while literal := LITERAL.search(line):
            raw = self._server.read(int(literal[1]))
            if shown is not None:
                self._send_literal(LITERAL.sub(b"", shown), raw, command)
            line = self._server.line()
            shown = self._shown(line, command) if shown is not None else None
        if shown is not None:
            self.to_client(shown)

    def _whose(self, line: bytes) -> _Command:
        """Return the command a line answers: by tag, by UID, else the oldest."""
        for each in self._outstanding:
            if line.startswith(each.tag + b" "):
                self._outstanding.remove(each)
                return each
        if found := ABOUT_UID.match(line):
            for each in self._outstanding:
                if int(found[1]) in each.uids:
                    return each
        return self._outstanding[0] if self._outstanding else _Command(b"", [], frozenset())

    def _shown(self, line: bytes, command: _Command) -> bytes | None:
        shown: bytes | None = line
        for action in command.actions:
            shown = None if shown is None else action.line(self, shown, command.tag)
        return shown

    def _send_literal(self, head: bytes, raw: bytes, command: _Command) -> None:
        command.literals_count += 1
        for action in command.actions:
            changed = action.literal(self, head, raw, command.literals_count)
            if changed is not None:
                self.to_client(changed)
                return
        self.to_client(announced(head, raw))
