"""``[evidence.mail]``: who gets checkpoints by mail, and through which server.

Rule: without recipients nothing is mailed, and nothing else in here counts.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, PrivateAttr, model_validator

from collector.config.password import Password, SecretFile, password_of
from collector.config.values import (
    SMTP_PORTS,
    FilePath,
    Port,
    Seconds,
    Section,
    Text,
    Texts,
    refused,
    within,
)
from collector.domain.hosts import is_loopback

INTERVAL = within(60, 7 * 86400, "1min to 7d")
_ADDRESS = re.compile(r"[^\s@<>,;]+@[^\s@<>,;]+")


def usual_security(known: dict[str, Any]) -> str:
    """Return the default of ``security``: the mail server of this machine needs none."""
    return "plain" if is_loopback(known.get("host", "")) else "tls"


def usual_port(known: dict[str, Any]) -> int:
    """Return the standard port for ``security``."""
    return SMTP_PORTS[known.get("security", "tls")]


class MailSettings(Section):
    """Where checkpoints are mailed to, how often, and through which server."""

    recipients: Texts = ()
    sender: Text | None = None
    host: Text = "localhost"
    security: Annotated[Literal["tls", "starttls", "plain"], Field(default_factory=usual_security)]
    port: Annotated[Port, Field(default_factory=usual_port)]
    ca_file: FilePath | None = None
    username: Text | None = None
    password_file: Path | None = None
    password_env: Text | None = None
    password_command: Annotated[tuple[Text, ...], Field(min_length=1)] | None = None
    interval_s: Annotated[Seconds, Field(alias="interval"), INTERVAL] = 86400.0
    _directory: Path = PrivateAttr(default=Path())

    def model_post_init(self, context: Any, /) -> None:  # noqa: ANN401 - pydantic's signature
        """Keep the folder of the file, where a relative ``password_file`` is looked up."""
        if context:
            self._directory = context["directory"]

    @property
    def password(self) -> Password | None:
        """What tells the password, ``None`` without a login; nothing is read before it is called.

        The same sources as those of a mailbox.
        """
        file = SecretFile(self.password_file, self._directory) if self.password_file else None
        return password_of(file, self.password_env, self.password_command)

    @model_validator(mode="after")
    def _usable(self) -> Self:
        if not self.recipients:
            return self
        if not all(map(_ADDRESS.fullmatch, self.recipients)):
            raise refused("this is not an address", "plain addresses: name@host", "recipients")
        if self.sender is not None and not _ADDRESS.fullmatch(self.sender):
            raise refused("this is not an address", "a plain address: name@host", "sender")
        if self.security == "plain" and not is_loopback(self.host):
            hint = 'use "tls" or "starttls"'
            raise refused("plain is for loopback hosts only", hint, "security")
        return self

    @model_validator(mode="after")
    def _one_login(self) -> Self:
        given = sum(each is not None for each in self._secrets())
        if self.recipients and given != (self.username is not None):
            hint = "give username and exactly one of password_file, password_env, password_command"
            raise refused("the login is not complete", hint, "username")
        return self

    def _secrets(self) -> tuple[object, ...]:
        return self.password_file, self.password_env, self.password_command
