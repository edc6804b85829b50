"""A throwaway IMAP server with a journal mailbox, for ``collector demo``.

Rule: loopback only, ended by its process, nothing of it stays.  It is pymap, a
real IMAP server in memory, spoken to over a real socket.
"""

from __future__ import annotations

import contextlib
import importlib.util
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence

from collector.domain.errors import ConfigError, CycleError

HOST = "127.0.0.1"
USERNAME = "journal"
PASSWORD = "demo"  # noqa: S105 - of a server that lives for a minute on loopback
FOLDER = "Journal"
START_TIMEOUT_S = 30.0


@contextlib.contextmanager
def demo_server(messages: Sequence[bytes]) -> Iterator[int]:
    """Start the server with ``messages`` in its ``Journal`` folder; yield its port.

    Raises:
        ConfigError: pymap is not installed.
        CycleError: it did not start.
    """
    if importlib.util.find_spec("pymap") is None:
        raise ConfigError(
            "the demonstration needs a mail server to play with",
            subject="pymap",
            hint="install it with: pip install 'journal-collector[demo]'",
        )
    port = _free_port()
    program = [sys.executable, "-c", "import gc; gc.disable(); from pymap.main import main; main()"]
    options = ["--host", HOST, "--port", str(port), "--no-tls", "dict"]
    login = ["--demo-data", "--demo-user", USERNAME, "--demo-password", PASSWORD]
    server = subprocess.Popen(
        [*program, *options, *login], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait_until_open(port, server)
        _fill(port, messages)
        yield port
    finally:
        server.terminate()
        server.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
    return port


def _wait_until_open(port: int, server: subprocess.Popen[bytes]) -> None:
    deadline_s = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline_s and server.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection((HOST, port), 1.0):
            return
        time.sleep(0.1)
    raise CycleError(
        "the demonstration's mail server did not start",
        subject=f"{HOST}:{port}",
        hint="run `collector demo` again; is another program short of memory or ports?",
    )


def _fill(port: int, messages: Sequence[bytes]) -> None:
    """APPEND the messages byte for byte (RFC 9051, section 6.3.12; RFC 7888)."""
    with (
        socket.create_connection((HOST, port), START_TIMEOUT_S) as sock,
        sock.makefile("rb") as answers,
    ):
        answers.readline()  # greeting
        commands = [f"LOGIN {USERNAME} {PASSWORD}".encode(), f"CREATE {FOLDER}".encode()]
        commands += [f"APPEND {FOLDER} {{{len(raw)}+}}\r\n".encode() + raw for raw in messages]
        for number, command in enumerate(commands):
            tag = f"d{number}".encode()
            sock.sendall(tag + b" " + command + b"\r\n")
            while not (answer := answers.readline()).startswith(tag):
                if not answer:
                    break
            if not answer.startswith(tag + b" OK"):
                raise CycleError("the demonstration's mailbox could not be filled", subject=FOLDER)
