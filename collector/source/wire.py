"""The connection below IMAPClient: bounded reading, verified TLS, no debug output.

Rule: whatever the server sends, a line, an answer and a wait have an end.  imaplib
documents ``open``, ``read``, ``readline``, ``send`` and ``shutdown`` as the methods to
override; all five are here, so that Python 3.11 to 3.14 read the same way.

imaplib and IMAPClient limit neither the time nor the size of an answer: a read
time-out starts anew with every byte (imap reference, 1.2).
"""

from __future__ import annotations

import contextlib
import imaplib
import io
import re
import socket
import ssl
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from collector.source.account import Limits

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

CRLF = b"\r\n"
READ_BYTES = 64 * 1024
"""Buffer of the reader; larger literals go past it, straight to their place."""

LIBRARY_LINES_MAX = 10_000
LIBRARY_LITERAL_MAX = 64 * 1024
"""imaplib keeps every line of its own commands (login, capabilities, ACL) in memory."""

LITERAL = re.compile(rb"\{(\d{1,19})\}$")


class Wire(imaplib.IMAP4):
    """An imaplib connection with limits.

    Args:
        context: TLS from the first byte; ``None``: plain, until ``starttls``.
        progress: called while bytes arrive, at most once a second.

    Raises:
        OSError: no connection, or TLS failed.
        imaplib.IMAP4.error: the greeting is not one.
    """

    def __init__(
        self,
        host: str,
        port: int,
        context: ssl.SSLContext | None,
        limits: Limits,
        progress: Callable[[], None],
    ) -> None:
        self._context = context
        self.limits = limits
        self._budget = _Budget(limits, progress)
        self._line_bytes = 0
        self._lines = 0
        super().__init__(host, port, timeout=limits.connect_s)

    def open(self, host: str = "", port: int = 0, timeout: float | None = None) -> None:
        """Connect; called by imaplib's constructor."""
        self.host, self.port = host, port
        self.sock = socket.create_connection((host, port), timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._context is not None:
            self._wrap(self._context)
        self._start_reading()

    def _wrap(self, context: ssl.SSLContext) -> None:
        plain = self.sock
        plain.settimeout(self.limits.connect_s)
        try:
            self.sock = context.wrap_socket(plain, server_hostname=self.host)
        except BaseException:
            plain.close()
            raise

    def _start_reading(self) -> None:
        self._budget.begin()
        self._reader = io.BufferedReader(_Receiver(self.sock, self._budget), READ_BYTES)

    def starttls(self, ssl_context: ssl.SSLContext | None = None) -> Any:  # noqa: ANN401
        """Turn the connection into TLS (RFC 9051, section 6.2.1).

        What a third party may have put behind the server's answer in clear is dropped
        with the old reader, and the capabilities are asked for again.
        """
        kind, answer = self._simple_command("STARTTLS")
        if kind != "OK" or ssl_context is None:
            raise self.error("STARTTLS was refused")
        self._wrap(ssl_context)
        self.sock.settimeout(self.limits.silence_s)
        self._start_reading()
        self._tls_established = True
        self._get_capabilities()
        return kind, answer

    def send(self, data: ReadableBuffer) -> None:
        """Send all of ``data``; whatever the server answers to it has a budget of its own."""
        self._budget.begin()
        self._line_bytes = self._lines = 0
        self.sock.sendall(data)

    def begin(self, command: bytes) -> bytes:
        """Send ``command`` under a new tag; return the tag and the space behind it."""
        tag: bytes = self._new_tag()
        del self.tagged_commands[tag]  # imaplib shall not wait for it
        self.send(tag + b" " + command + CRLF)
        return tag + b" "

    def line(self) -> bytes:
        """Return the next line without its end.

        Raises:
            imaplib.IMAP4.abort: the connection ended, or a limit was passed.
            OSError: silence, or the rate is too low.
        """
        line = self._reader.readline(self.limits.line_bytes_max + 1)
        self._line_bytes += len(line)
        if not line.endswith(CRLF):
            raise self.abort(self._why_unfinished(line))
        if self._line_bytes > self.limits.answer_bytes_max:
            raise self.abort("the answer does not end")
        return line[:-2]

    def _why_unfinished(self, line: bytes) -> str:
        if not line:
            return "the connection was closed"
        if len(line) > self.limits.line_bytes_max:
            return "a line of the answer does not end"
        return "the connection was closed within a line"

    def wait(self, timeout_s: float) -> bool:
        """Return whether something can be read, or the connection ended, within the time."""
        self.sock.settimeout(timeout_s)
        try:
            self._reader.peek(1)
        except TimeoutError:
            return False
        finally:
            self.sock.settimeout(self.limits.silence_s)
        return True

    def take(self, size_bytes: int) -> bytes:
        """Return exactly ``size_bytes`` bytes of a literal; the caller bounds them."""
        raw = self._reader.read(size_bytes)
        if len(raw) < size_bytes:
            raise self.abort("the connection was closed within a message")
        return raw

    def readline(self) -> bytes:
        """Return the next line of an answer that imaplib reads."""
        self._lines += 1
        if self._lines > LIBRARY_LINES_MAX:
            raise self.abort("the answer does not end")
        return self.line() + CRLF

    def read(self, size: int) -> bytes:
        """Return a literal of an answer that imaplib reads."""
        if size > LIBRARY_LITERAL_MAX:
            raise self.abort("the answer announces too much")
        return self.take(size)

    def shutdown(self) -> None:
        """Close the connection without a word; may be repeated."""
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()


class _Budget:
    """How long we wait for the current answer; only time spent waiting counts."""

    __slots__ = ("_grace_s", "_progress", "_rate_min", "_received", "_shown_s", "_waited_s")

    def __init__(self, limits: Limits, progress: Callable[[], None]) -> None:
        self._grace_s = limits.grace_s
        self._rate_min = limits.rate_min
        self._progress = progress
        self._shown_s = 0.0
        self.begin()

    def begin(self) -> None:
        """Start anew: a command was sent."""
        self._waited_s = 0.0
        self._received = 0

    def received(self, count: int, began_s: float) -> None:
        """Count bytes that were waited for since ``began_s``.

        Raises:
            TimeoutError: they come too slowly.
        """
        now_s = time.monotonic()
        self._received += count
        self._waited_s += now_s - began_s
        if self._waited_s > self._grace_s + self._received / self._rate_min:
            raise TimeoutError("the server answers too slowly")
        if now_s - self._shown_s > 1.0:
            self._shown_s = now_s
            self._progress()


class _Receiver(io.RawIOBase):
    """The socket as a raw stream: every receive is counted."""

    def __init__(self, sock: socket.socket, budget: _Budget) -> None:
        self._receive = sock.recv_into
        self._count = budget.received

    def readable(self) -> bool:
        """Say yes."""
        return True

    def readinto(self, into: WriteableBuffer) -> int:
        """Receive once."""
        began_s = time.monotonic()
        count = self._receive(into)
        self._count(count, began_s)
        return count
