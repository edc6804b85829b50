"""Servers on loopback that say exactly what a test wants: HTTP by script."""

from __future__ import annotations

import socket
import socketserver
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

Speech = Callable[[socket.socket], None]


@contextmanager
def serve(
    talk: Speech, context: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> Iterator[int]:
    """Hand each connection to ``talk``; gives the port."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):
                if context is None:
                    talk(self.request)
                else:
                    with context.wrap_socket(self.request, server_side=True) as secured:
                        talk(secured)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False

    with Server((host, 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def nobody() -> Iterator[int]:
    """Give a port that is taken and where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def read_request(connection: socket.socket) -> bytes:
    """Return one HTTP request, head and body.

    Raises:
        ConnectionError: who asks has gone before the end of it.
    """
    request = b""
    while b"\r\n\r\n" not in request:
        request += _received(connection)
    head, _, body = request.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
    while len(body) < length:
        body += _received(connection)
    return head + b"\r\n\r\n" + body


def _received(connection: socket.socket) -> bytes:
    piece = connection.recv(65536)
    if not piece:
        raise ConnectionError
    return piece


def answering(answer: bytes, requests: list[bytes] | None = None) -> Speech:
    """Read a request, give ``answer``, hang up."""

    def talk(connection: socket.socket) -> None:
        request = read_request(connection)
        if requests is not None:
            requests.append(request)
        connection.sendall(answer)

    return talk


def dripping(answer: bytes, pause_s: float = 0.05) -> Speech:
    """Read a request, then repeat ``answer`` byte by byte for as long as anyone listens."""

    def talk(connection: socket.socket) -> None:
        read_request(connection)
        while True:
            for byte in answer:
                connection.sendall(bytes([byte]))
                time.sleep(pause_s)

    return talk


def handshaking(connection: socket.socket) -> None:
    """Begin a TLS record of 16 KiB and send it byte by byte (RFC 8446, section 5.1)."""
    connection.sendall(b"\x16\x03\x03\x40\x00")
    while True:
        connection.sendall(b"\x02")
        time.sleep(0.05)
