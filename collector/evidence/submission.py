"""Hands one mail of ours to a mail server (SMTP, RFC 5321; submission, RFC 6409).

Rule: bounded in time as a whole, whatever the server does.  A mail goes to all its
recipients or to none.  No address and no word of the server gets into an error text,
only its three digits.
"""

from __future__ import annotations

import contextlib
import smtplib
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from collector.domain.errors import CycleError, LoginError
from collector.evidence.web import Deadline, tls_context

TIMEOUT_S = 30.0

Security = Literal["tls", "starttls", "plain"]


@dataclass(frozen=True, slots=True)
class Relay:
    """A mail server that takes mail from us.

    Attributes:
        security: ``plain`` only without a login, or on loopback.
        username: empty: no login.
        password: read afresh for every mail.
    """

    name: str
    host: str
    port: int
    security: Security
    ca_file: Path | None = None
    username: str = field(default="", repr=False)
    password: Callable[[], str] | None = field(default=None, repr=False)
    timeout_s: float = TIMEOUT_S

    def __str__(self) -> str:
        return f"{self.name} at {self.host}:{self.port}"


def submit(relay: Relay, sender: str, recipients: Sequence[str], raw: bytes) -> None:
    """Hand ``raw`` over for all ``recipients``; the server has taken it when this returns.

    Raises:
        CycleError: not now: not reached, refused, too slow; the mail was not taken, or it
            is not known whether.
        LoginError, ConfigError: refused the login; the password or certificates cannot
            be read.
    """

    def send(client: smtplib.SMTP) -> None:
        _hand_over(client, sender, recipients, raw)

    _talk(relay, send, "a mail was not taken")


def probe(relay: Relay) -> None:
    """Greet and log in, as ``submit`` does, and send nothing.

    Raises:
        CycleError, LoginError, ConfigError: as ``submit``.
    """

    def greet(client: smtplib.SMTP) -> None:
        client.ehlo_or_helo_if_needed()

    _talk(relay, greet, "no mail could be sent")


def _talk(relay: Relay, speech: Callable[[smtplib.SMTP], None], failed: str) -> None:
    """Connect, log in, say ``speech`` and take leave; all of it in time."""
    with Deadline(relay.timeout_s) as deadline:
        try:
            with contextlib.closing(connected(relay, deadline)) as client:
                speech(client)
                with contextlib.suppress(OSError, smtplib.SMTPException):
                    client.quit()  # it was done, whatever the server says now
        except smtplib.SMTPAuthenticationError as error:
            raise LoginError(
                f"the mail server refused the login ({error.smtp_code})",
                subject=str(relay),
                hint="check username and password_file of this [[canary.smtp]]",
            ) from None
        except (OSError, smtplib.SMTPException, UnicodeError) as error:
            why = f"not done within {relay.timeout_s:g} s" if deadline.expired else reason(error)
            raise CycleError(f"{failed}: {why}", subject=str(relay)) from None


class _Client(smtplib.SMTP):
    """An SMTP connection that is cut in time."""

    def __init__(self, relay: Relay, deadline: Deadline) -> None:
        self._relay = relay
        self._deadline = deadline
        self.context = tls_context(relay.ca_file)
        name = socket.gethostname()
        local = name if "." in name and name.isascii() else "[127.0.0.1]"
        super().__init__(relay.host, relay.port, local_hostname=local, timeout=relay.timeout_s)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        connection = self._deadline.watch(socket.create_connection((host, port), timeout))
        if self._relay.security != "tls":
            return connection
        return self.context.wrap_socket(connection, server_hostname=host)


def connected(relay: Relay, deadline: Deadline) -> smtplib.SMTP:
    """Return an encrypted, logged-in connection that ``deadline`` cuts.

    Raises:
        OSError, smtplib.SMTPException, UnicodeError: it cannot be had; ``reason`` says why.
        ConfigError: the password or certificates cannot be read.
    """
    client = _Client(relay, deadline)
    try:
        if relay.security == "starttls":
            client.ehlo_or_helo_if_needed()
            client.starttls(context=client.context)
        if relay.username and relay.password:
            client.login(relay.username, relay.password())
    except BaseException:
        client.close()
        raise
    return client


def _hand_over(client: smtplib.SMTP, sender: str, recipients: Sequence[str], raw: bytes) -> None:
    client.ehlo_or_helo_if_needed()
    _expect(client.mail(sender), "the sender")
    for recipient in recipients:
        _expect(client.rcpt(recipient), "a recipient")
    _expect(client.data(raw), "the message")


def _expect(answer: tuple[int, bytes], what: str) -> None:
    code = answer[0]
    if not 200 <= code < 300:
        raise CycleError(f"the mail server refused {what} ({code})")


def reason(error: Exception) -> str:
    """Say what went wrong, in no words of the other side."""
    why = f"it does not speak SMTP as expected ({type(error).__name__})"
    match error:
        case smtplib.SMTPResponseException():
            why = f"the server answered {error.smtp_code}"
        case smtplib.SMTPNotSupportedError():
            why = "it has no STARTTLS or no login that we know"
        case TimeoutError():
            why = "it does not answer"
        case UnicodeError():
            why = "the password has characters that SMTP cannot carry"
        case OSError() if not isinstance(error, smtplib.SMTPException):
            why = str(getattr(error, "verify_message", "") or error.strerror or "no connection")
    return why
