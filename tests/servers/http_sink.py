"""A web server on loopback that keeps what it is sent and answers as it is told."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

HELD_S_MAX = 30.0


@dataclass(slots=True)
class HttpSink:
    """What was asked of it.

    Attributes:
        status: of its answers from now on.
        requests: (method, path, body), in order.
        answers: while it is not set, requests are taken and not answered.
    """

    port: int = 0
    status: int = 200
    requests: list[tuple[str, str, bytes]] = field(default_factory=list)
    answers: threading.Event = field(default_factory=threading.Event)

    def documents(self) -> list[Any]:
        """Return the JSON documents it was sent."""
        return [json.loads(body) for method, _, body in self.requests if method == "POST"]


@contextmanager
def http_sink() -> Iterator[HttpSink]:
    """Serve for the block."""
    sink = HttpSink()
    sink.answers.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            sink.requests.append((self.command, self.path, self.rfile.read(length)))
            sink.answers.wait(HELD_S_MAX)
            self.send_response(sink.status)
            self.send_header("Content-Length", "0")
            with suppress(OSError):  # who asked may be gone
                self.end_headers()

        do_GET = do_POST  # noqa: N815

        def log_message(self, *_arguments: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    sink.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield sink
    finally:
        sink.answers.set()
        server.shutdown()
        server.server_close()
        thread.join()
