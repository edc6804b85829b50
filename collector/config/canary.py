"""``[canary]``: test mails of our own, the servers that take them, and their paths.

Rule: nothing here has an effect before ``enabled``; then every path must fit the rest of
the configuration.  No password stands in the file, only where it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, PrivateAttr, ValidationInfo, field_validator, model_validator

from collector.config.password import SecretFile, password_of
from collector.config.values import (
    SMTP_PORTS,
    FilePath,
    Flag,
    Name,
    Port,
    Seconds,
    Section,
    Text,
    Texts,
    refused,
    within,
)
from collector.domain.canary import CanaryGrade, CanaryPath

INTERVAL = within(600, 7 * 86400, "10min to 7d")
LATE = within(30, 86400, "30s to 24h")
LOST = within(60, 7 * 86400, "1min to 7d")
_ADDRESS = re.compile(r"[^\s<>(),;:\\\"@\[\]]+@[A-Za-z0-9.-]+", re.ASCII)


def _submission_port(known: dict[str, Any]) -> int:
    """Return the port for ``security`` (RFC 8314, section 7.3; RFC 6409; RFC 5321)."""
    return SMTP_PORTS.get(known.get("security", ""), 587)


class RelaySettings(Section):
    """``[[canary.smtp]]``: a mail server that takes canaries."""

    name: Name
    host: Text
    security: Literal["tls", "starttls", "plain"] = "starttls"
    port: Annotated[Port, Field(default_factory=_submission_port)]
    ca_file: FilePath | None = None
    username: Text | None = None
    password_file: Path | None = None
    password_command: Annotated[tuple[Text, ...], Field(min_length=1)] | None = None
    _directory: Path = PrivateAttr()

    def model_post_init(self, context: Any, /) -> None:  # noqa: ANN401 - pydantic's signature
        """Keep the folder of the file, where a relative ``password_file`` is looked up."""
        self._directory = context["directory"]

    @property
    def secret_file(self) -> SecretFile | None:
        """The file of the password, if it lies in one."""
        if self.password_file is None:
            return None
        return SecretFile(self.password_file, self._directory)

    @property
    def password(self) -> Callable[[], str] | None:
        """What tells the password; ``None``: there is no login."""
        return password_of(self.secret_file, None, self.password_command)

    @model_validator(mode="after")
    def _login_fits(self) -> Self:
        given = [self.password_file, self.password_command]
        if sum(each is not None for each in given) != (self.username is not None):
            hint = "give username and one of password_file, password_command, or none of them"
            raise refused("username and password do not fit", hint, "username")
        if self.username is not None and self.security == "plain":
            hint = 'use "tls" or "starttls", or no login'
            raise refused("the password would be sent in the clear", hint, "security")
        return self


class PathSettings(Section):
    """``[[canary.path]]``: one way that canaries take."""

    name: Name
    smtp: Text
    sender: Annotated[Text, Field(alias="from")]
    to: Texts = ()
    bcc: Texts = ()
    lists: Texts = ()
    members: Texts = ()
    mailbox: Text
    expect: CanaryGrade = CanaryGrade.COMPLETE

    @field_validator("sender", "to", "bcc", "lists", "members")
    @classmethod
    def _addresses(cls, value: str | tuple[str, ...]) -> str | tuple[str, ...]:
        for each in (value,) if isinstance(value, str) else value:
            if not _ADDRESS.fullmatch(each):
                raise refused("this is not a mail address", "write it bare: name@example.net")
        return value

    @model_validator(mode="after")
    def _has_recipients(self) -> Self:
        if not (self.to or self.lists):
            raise refused("nobody is written to", "name at least one in to or lists", "to")
        if self.expect is CanaryGrade.COPY_MISSING:
            raise refused("a path without a copy shows nothing", "leave it out", "expect")
        return self


class CanarySettings(Section):
    """``[canary]``: whether test mails are sent, how often, and when one counts as lost."""

    enabled: Flag = False
    interval_s: Annotated[Seconds, Field(alias="interval"), INTERVAL] = 6 * 3600.0
    late_after_s: Annotated[Seconds, Field(alias="late_after"), LATE] = 900.0
    lost_after_s: Annotated[Seconds, Field(alias="lost_after"), LOST] = 4 * 3600.0
    hmac_key_file: FilePath | None = None
    smtp: Annotated[tuple[RelaySettings, ...], Field(max_length=100)] = ()
    path: Annotated[tuple[PathSettings, ...], Field(max_length=100)] = ()

    @field_validator("lost_after_s")
    @classmethod
    def _late_before_lost(cls, lost_after_s: float, info: ValidationInfo) -> float:
        if lost_after_s <= info.data.get("late_after_s", 0.0):
            raise refused("a canary would be lost before it is late", "make it longer")
        return lost_after_s

    @model_validator(mode="after")
    def _paths_fit(self) -> Self:
        if not self.enabled:
            return self
        if not self.path:
            raise refused("there is no [[canary.path]]", "add one, or enabled = false", "path")
        names = [each.name for each in self.path]
        if len(set(names)) < len(names):
            raise refused("two paths have the same name", "names must differ", "path")
        relays = [each.name for each in self.smtp]
        if len(set(relays)) < len(relays):
            raise refused("two servers have the same name", "names must differ", "smtp")
        for each in self.path:
            if each.smtp not in relays:
                known = ", ".join(relays) or "none"
                raise refused(f"the path {each.name} names no [[canary.smtp]]", f"known: {known}")
        return self

    @property
    def paths(self) -> tuple[CanaryPath, ...]:
        """The paths in use; none when it is not enabled."""
        return tuple(self._path(each) for each in self.path if self.enabled)

    def _path(self, path: PathSettings) -> CanaryPath:
        return CanaryPath(
            name=path.name,
            sender=path.sender,
            to=path.to,
            bcc=path.bcc,
            lists=path.lists,
            members=path.members,
            mailbox=path.mailbox,
            expected=path.expect,
            interval_s=self.interval_s,
            late_after_s=self.late_after_s,
            lost_after_s=self.lost_after_s,
        )

    def relay_of(self, path: str) -> RelaySettings:
        """Return the server that takes the canaries of a path."""
        wanted = next(each.smtp for each in self.path if each.name == path)
        return next(each for each in self.smtp if each.name == wanted)
