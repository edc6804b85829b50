"""Checkpoints put where whoever owns the archive cannot take them back.

Rule: what is sent is the signed note, byte for byte; it says how many entries
there are and one hash, nothing of any message.

A mailed checkpoint must not reach an address whose mail is journaled: each one
would be archived, and so call for the next.
"""

from __future__ import annotations

import os
import smtplib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from pathlib import Path
from typing import Protocol

from collector.domain.errors import ConfigError, CycleError
from collector.domain.evidence import SignedCheckpoint
from collector.domain.hosts import is_loopback
from collector.evidence.submission import Relay, Security, connected, reason
from collector.evidence.web import Address, Deadline, Limits, post

NOTE_TYPE = "text/plain; charset=utf-8"
ANCHOR_FILE_MODE = 0o644
"""Anyone may read an anchor file: a checkpoint is made to be shown."""


class Anchor(Protocol):
    """A place outside."""

    def publish(self, signed: SignedCheckpoint, now: datetime) -> None:
        """Put the checkpoint there; it is there when this returns.

        Publishing one twice does no harm.

        Raises:
            CycleError: not now.
        """


@dataclass(frozen=True, slots=True)
class WebhookAnchor:
    """Posts the note as the body of a request; any 2xx means it was taken.

    Raises:
        ConfigError: the address is neither https nor on this machine.
    """

    address: Address
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        if not self.address.is_private:
            raise ConfigError("a webhook needs https", subject=self.address.host)

    def publish(self, signed: SignedCheckpoint, now: datetime) -> None:  # noqa: ARG002
        """Post the checkpoint (see ``Anchor``)."""
        post(self.address, signed.raw, NOTE_TYPE, self.limits)


@dataclass(frozen=True, slots=True)
class FileAnchor:
    """Appends the note to a file on another disk, mount or host.

    Attributes:
        sync: makes an open file or directory durable.
    """

    path: Path
    sync: Callable[[int, Path], None]

    def publish(self, signed: SignedCheckpoint, now: datetime) -> None:  # noqa: ARG002
        """Append the checkpoint (see ``Anchor``)."""
        try:
            self._append(signed.raw)
        except OSError as error:
            raise CycleError(
                f"a checkpoint cannot be anchored in a file: {error.strerror}",
                subject=str(self.path),
            ) from error

    def _append(self, raw: bytes) -> None:
        """Write between empty lines, so that a note cut off by a crash spoils no other one."""
        flags = os.O_APPEND | os.O_CREAT | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC
        is_new = not self.path.exists()
        fd = os.open(self.path, flags, ANCHOR_FILE_MODE)
        try:
            view = memoryview(b"\n\n" + raw)
            while view:
                view = view[os.write(fd, view) :]
            self.sync(fd, self.path)
        finally:
            os.close(fd)
        if is_new:
            self._sync_directory()

    def _sync_directory(self) -> None:
        fd = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            self.sync(fd, self.path.parent)
        finally:
            os.close(fd)


@dataclass(frozen=True, slots=True)
class MailAnchor:
    """Mails the note, attached as it is.

    Attributes:
        security: ``tls``, ``starttls``, or ``plain`` on this machine only.
        username: empty for no login.
        sender, recipients: plain addresses.

    Raises:
        ConfigError: ``plain`` to another host, or an address that is none.
    """

    host: str
    port: int
    sender: str
    recipients: tuple[str, ...]
    security: Security = "tls"
    username: str = ""
    password: str = field(default="", repr=False)
    ca_file: Path | None = None
    timeout_s: float = 60.0

    def __post_init__(self) -> None:
        if self.security not in {"tls", "starttls"} and not (
            self.security == "plain" and is_loopback(self.host)
        ):
            raise ConfigError(
                "mail is sent over tls or starttls; plain is for this machine", subject=self.host
            )
        addresses = (self.sender, *self.recipients)
        if not self.recipients or not all(map(_is_address, addresses)):
            raise ConfigError("a mail anchor needs plain addresses, name@host", subject=self.host)

    def publish(self, signed: SignedCheckpoint, now: datetime) -> None:
        """Mail the checkpoint (see ``Anchor``)."""
        message = compose_mail(signed, self.sender, self.recipients, now)

        def send(client: smtplib.SMTP) -> None:
            client.send_message(message, self.sender, self.recipients)

        self._talk(send)

    def probe(self) -> None:
        """Say all that comes before a mail, and take it back (RFC 5321, section 4.1.1.5).

        Raises:
            CycleError: the server cannot be reached, or would not take the mail.
        """

        def ask(client: smtplib.SMTP) -> None:
            client.ehlo_or_helo_if_needed()
            _require(client.mail(self.sender))
            for recipient in self.recipients:
                _require(client.rcpt(recipient))
            client.rset()

        self._talk(ask)

    def _talk(self, speech: Callable[[smtplib.SMTP], None]) -> None:
        """Connect, log in, and say ``speech``; all of it in time."""
        with Deadline(self.timeout_s) as deadline:
            try:
                with connected(self._relay(), deadline) as client:
                    speech(client)
            except (OSError, smtplib.SMTPException) as error:
                why = "it took too long" if deadline.expired else reason(error)
                raise CycleError(
                    f"a checkpoint cannot be mailed: {why}", subject=self.host
                ) from error

    def _relay(self) -> Relay:
        return Relay(
            name="checkpoints",
            host=self.host,
            port=self.port,
            security=self.security,
            ca_file=self.ca_file,
            username=self.username,
            password=lambda: self.password,
            timeout_s=self.timeout_s,
        )


def compose_mail(
    signed: SignedCheckpoint, sender: str, recipients: tuple[str, ...], now: datetime
) -> EmailMessage:
    """Return the mail of one checkpoint; the same checkpoint has the same Message-ID."""
    checkpoint = signed.checkpoint
    domain = sender.rpartition("@")[2]
    message = EmailMessage(policy=SMTP)
    message["From"] = sender
    message["To"] = ", ".join(recipients)
    message["Date"] = format_datetime(now)
    message["Message-ID"] = f"<{checkpoint.size}.{checkpoint.root.hex()}@{domain}>"
    message["Subject"] = f"Checkpoint {checkpoint.size} of {checkpoint.origin}"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834, section 5
    text = f"Keep this: it shows what the archive held.\n\n{signed.raw.decode()}"
    message.set_content(text, cte="quoted-printable")  # as it is, through servers of seven bits
    message.add_attachment(
        signed.raw,
        maintype="application",
        subtype="octet-stream",
        filename=f"{checkpoint.size}.checkpoint",
    )
    return message


def _require(answer: tuple[int, bytes]) -> None:
    code, text = answer
    if code // 100 != 2:
        raise smtplib.SMTPResponseException(code, text)


def _is_address(address: str) -> bool:
    local, _, domain = address.rpartition("@")
    return bool(local and domain) and address.isprintable() and " " not in address
