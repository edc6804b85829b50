"""A tap on the line between collector and mail server; hears a command before the server does."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

CHUNK_BYTES = 65536


class ImapTap:
    """Listens on a loopback port and passes everything on; a context manager.

    Args:
        port: of the server on loopback.
        hear: called with every line the client sends, before it is passed on.

    Attributes:
        port: where to connect instead.
    """

    def __init__(self, port: int, hear: Callable[[str], None]) -> None:
        self._server_port = port
        self._hear = hear
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._server_port))
                for target, source, sink in (
                    (self._pass_commands, client, server),
                    (self._pass_answers, server, client),
                ):
                    threading.Thread(target=target, args=(source, sink), daemon=True).start()

    def _pass_commands(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError), client.makefile("rb") as lines:
            for line in lines:
                self._hear(line.decode("latin-1"))
                server.sendall(line)
        with suppress(OSError):
            server.shutdown(socket.SHUT_WR)

    def _pass_answers(self, server: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while piece := server.recv(CHUNK_BYTES):
                client.sendall(piece)
        for each in (client, server):
            each.close()
