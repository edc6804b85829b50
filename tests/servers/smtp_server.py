"""A real SMTP server on loopback (aiosmtpd) that keeps what it is sent.

It runs in a thread of the test process, on a free port; ``refuse`` and ``login`` may be
changed while it runs.
"""

from __future__ import annotations

import asyncio
import email
import email.policy
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from queue import Queue

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

HOST = "127.0.0.1"
START_S_MAX = 10.0
REFUSABLE = ("EHLO", "HELO", "MAIL", "RCPT", "DATA", "AUTH")


@dataclass(frozen=True, slots=True)
class Delivered:
    """One message as it was sent.

    Attributes:
        raw: with CRLF, as it came behind DATA.
        secured: it came over TLS.
        user: who had logged in, empty for nobody.
    """

    sender: str
    recipients: tuple[str, ...]
    raw: bytes
    secured: bool
    user: str

    @property
    def message(self) -> EmailMessage:
        """The message taken apart."""
        return email.message_from_bytes(self.raw, policy=email.policy.default)


@dataclass  # aiosmtpd looks through all attributes; slots break that before Python 3.11.3
class SmtpServer:
    """A running server.

    Attributes:
        login: user and password that are needed; ``None``: nobody is asked.
        refuse: commands that are answered with 550, in words that hold an address.
        delivered: everything that was taken, oldest first.
    """

    login: tuple[str, str] | None = None
    refuse: set[str] = field(default_factory=set)
    delivered: list[Delivered] = field(default_factory=list)
    port: int = 0

    async def handle_DATA(  # noqa: N802 - aiosmtpd calls it so
        self, protocol: SMTP, session: Session, envelope: Envelope
    ) -> str:
        """Keep a message."""
        raw = envelope.content
        assert isinstance(raw, bytes)
        is_secured = protocol.transport.get_extra_info("ssl_object") is not None
        user = session.auth_data.login.decode() if session.authenticated else ""
        recipients = tuple(envelope.rcpt_tos)
        self.delivered.append(
            Delivered(envelope.mail_from or "", recipients, raw, is_secured, user)
        )
        return "250 taken"

    def authenticate(self, _server, _session, _envelope, _mechanism, told: LoginPassword):
        """Say whether somebody may log in."""
        may = (told.login.decode(), told.password.decode()) == self.login
        return AuthResult(success=may, handled=False, auth_data=told)


@contextmanager
def running_smtp(
    *,
    security: str = "plain",
    context: ssl.SSLContext | None = None,
    login: tuple[str, str] | None = None,
) -> Iterator[SmtpServer]:
    """Run a server for a block; ``security`` is ``plain``, ``starttls`` or ``tls``."""
    server = SmtpServer(login)
    protocol = _refusing(server)
    started: Queue[tuple[int, Callable[[], None]]] = Queue()

    async def serve() -> None:
        loop, stopped = asyncio.get_running_loop(), asyncio.Event()

        def connection() -> SMTP:
            return protocol(
                server,
                hostname="loopback",
                loop=loop,
                tls_context=context if security == "starttls" else None,
                require_starttls=security == "starttls",
                authenticator=server.authenticate,
                auth_require_tls=False,
            )

        implicit = context if security == "tls" else None
        listening = await loop.create_server(connection, HOST, 0, ssl=implicit)
        port = listening.sockets[0].getsockname()[1]
        started.put((port, lambda: loop.call_soon_threadsafe(stopped.set)))
        await stopped.wait()
        listening.close()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    server.port, stop = started.get(timeout=START_S_MAX)
    try:
        yield server
    finally:
        stop()
        thread.join()


def _refusing(server: SmtpServer) -> type[SMTP]:
    """Return the protocol, with commands that refuse while the server says so."""

    def command(name: str):
        usual = getattr(SMTP, f"smtp_{name}")

        async def answer(self: SMTP, argument: str) -> None:
            if name in server.refuse:
                await self.push("550 no mail for secret@example.org")
            elif name == "MAIL" and server.login and not self.session.authenticated:
                await self.push("530 log in first")
            else:
                await usual(self, argument)

        return answer

    return type("Refusing", (SMTP,), {f"smtp_{name}": command(name) for name in REFUSABLE})
