"""The keys of the configuration file, their kinds, limits and defaults.

Rule: every key stands here once and in ``collector.example.toml`` with its reason;
a key that is not here is refused.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    Field,
    PrivateAttr,
    StrictInt,
    ValidationInfo,
    field_validator,
    model_validator,
)

from collector.config.alarms import AlarmSettings, CalendarSettings, MetricsSettings
from collector.config.canary import CanarySettings, PathSettings, RelaySettings
from collector.config.envelopes import EnvelopeSettings
from collector.config.evidence import EvidenceSettings
from collector.config.mail import MailSettings
from collector.config.oauth import OauthSettings
from collector.config.password import Password, PasswordCommand, SecretFile, password_of
from collector.config.values import (
    Bytes,
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
from collector.domain.hosts import is_loopback
from collector.source.providers import AUTO, NAMES

IMAPS_PORT = 993
IMAP_PORT = 143
INBOX = "INBOX"
POLL = within(1, 3600, "1s to 1h")
SIZE = within(1024**2, 8 * 1024**3 - 1, "1 MiB to below 8 GiB")  # a tar header's limit (POSIX)
DAILY = within(1024**2, 1024**4, "1 MiB to 1024 GiB")
SECRET_KEYS = ("password_file", "password_env", "password_command", "token_command", "oauth")
ONE_SECRET = f"give exactly one of {', '.join(SECRET_KEYS[:-1])}, or [mailbox.oauth]"
_HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+")


def standard_port(known: dict[str, Any]) -> int:
    """Return the port for ``security`` (RFC 8314, section 3.2; RFC 9051, section 2.1)."""
    return IMAPS_PORT if known.get("security") == "tls" else IMAP_PORT


class ArchiveSettings(Section):
    """``[archive]``: where the archive lies."""

    path: FilePath


class LogSettings(Section):
    """``[log]``: how much is told, and in which form."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "json", "console"] = "auto"


class MailboxSettings(EnvelopeSettings, CalendarSettings):
    """``[[mailbox]]``: one journal mailbox, how to reach it and what to do with it."""

    name: Name
    host: str
    security: Literal["tls", "starttls", "plain"] = "tls"
    port: Annotated[Port, Field(default_factory=standard_port)]
    ca_file: FilePath | None = None
    username: Text
    password_file: Path | None = None
    password_env: Text | None = None
    password_command: Annotated[tuple[Text, ...], Field(min_length=1)] | None = None
    token_command: Annotated[tuple[Text, ...], Field(min_length=1)] | None = None
    oauth: OauthSettings | None = None
    provider: str = AUTO
    folders: Texts = (INBOX,)
    backfill_folders: Texts = ()
    poll_interval_s: Annotated[Seconds, Field(alias="poll_interval"), POLL] = 30.0
    idle: Flag = True
    delete: Flag = True
    keep_unrecognised: Flag = False
    deleted_folder: Text | None = None
    exclusive: Flag = False
    message_bytes_max: Annotated[Bytes, Field(alias="message_size_max"), SIZE] = 2 * 1024**3
    size_is_hint: Flag | None = None
    daily_bytes_max: Annotated[Annotated[Bytes, DAILY] | None, Field(alias="daily_size_max")] = None
    connections_max: Annotated[StrictInt, Field(ge=1, le=100)] | None = None
    _directory: Path = PrivateAttr()

    def model_post_init(self, context: Any, /) -> None:  # noqa: ANN401 - pydantic's signature
        """Keep the folder of the file, where a relative ``password_file`` is looked up."""
        self._directory = context["directory"]

    @property
    def password(self) -> Password:
        """What tells the password; nothing is read before it is called."""
        file = SecretFile(self.password_file, self._directory) if self.password_file else None
        command = self.password_command or ()
        return password_of(file, self.password_env, command) or PasswordCommand(command)

    @property
    def takes_tokens(self) -> bool:
        """Whether the mailbox is opened with access tokens, and not with a password."""
        return self.token_command is not None or self.oauth is not None

    def secret_files(self) -> list[SecretFile]:
        """Return every file with a secret that is named."""
        files = [] if self.oauth is None else self.oauth.secret_files()
        if self.password_file is not None:
            files.append(SecretFile(self.password_file, self._directory))
        return files

    @field_validator("provider")
    @classmethod
    def _known_provider(cls, provider: str) -> str:
        if provider not in NAMES:
            raise refused("this provider has no preset", f"known are {', '.join(NAMES)}")
        return provider

    @field_validator("host")
    @classmethod
    def _bare_host(cls, host: str) -> str:
        if not _HOST.fullmatch(host):
            raise refused("this is not a host", "the name or address alone; the port has a key")
        return host

    @field_validator("security")
    @classmethod
    def _plain_on_loopback(cls, security: str, info: ValidationInfo) -> str:
        if security == "plain" and not is_loopback(info.data.get("host", "")):
            raise refused("plain is for loopback hosts only", 'use "tls" or "starttls"')
        return security

    @model_validator(mode="after")
    def _one_password(self) -> Self:
        given = [key for key in SECRET_KEYS if getattr(self, key) is not None]
        if len(given) != 1:
            what = "more than one password" if given else "the password is missing"
            raise refused(what, ONE_SECRET)
        return self

    @model_validator(mode="after")
    def _folders_fit(self) -> Self:
        if not (self.folders or self.backfill_folders):
            raise refused("there is no folder", "name at least one", "folders")
        if self.deleted_folder in {*self.folders, *self.backfill_folders}:
            hint = "what is moved there would be collected again; name another folder"
            raise refused("this folder is collected too", hint, "deleted_folder")
        return self


SECTIONS: dict[str, type[Section]] = {
    "archive": ArchiveSettings,
    "mailbox": MailboxSettings,
    "mailbox.oauth": OauthSettings,
    "log": LogSettings,
    "evidence": EvidenceSettings,
    "evidence.mail": MailSettings,
    "alarms": AlarmSettings,
    "metrics": MetricsSettings,
    "canary": CanarySettings,
    "canary.smtp": RelaySettings,
    "canary.path": PathSettings,
}


class ConfigFile(Section):
    """The whole file."""

    archive: ArchiveSettings
    mailboxes: Annotated[tuple[MailboxSettings, ...], Field(alias="mailbox", max_length=1000)] = ()
    log: LogSettings = LogSettings()
    evidence: Annotated[
        EvidenceSettings, Field(default_factory=lambda: EvidenceSettings.model_validate({}))
    ]
    alarms: AlarmSettings = AlarmSettings()
    metrics: MetricsSettings = MetricsSettings()
    canary: CanarySettings = CanarySettings()

    @model_validator(mode="after")
    def _each_mailbox_once(self) -> Self:
        names: set[str] = set()
        places: dict[tuple[object, ...], str] = {}
        for mailbox in self.mailboxes:
            if mailbox.name in names:
                raise refused(f"two mailboxes are called {mailbox.name}", "names must differ")
            names.add(mailbox.name)
            for place in _places(mailbox):
                other = places.setdefault(place, mailbox.name)
                if other != mailbox.name:
                    what = f"the mailboxes {other} and {mailbox.name} share a folder"
                    raise refused(what, "a folder is collected by one mailbox only")
        return self

    @model_validator(mode="after")
    def _canaries_reach_a_mailbox(self) -> Self:
        known = [mailbox.name for mailbox in self.mailboxes]
        for path in self.canary.paths:
            if path.mailbox not in known:
                what = f"the path {path.name} leads to a mailbox that is not configured"
                raise refused(
                    what, f"known: {', '.join(known) or 'none'}", "[[canary.path]] mailbox"
                )
        return self


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything the program is configured with.

    Attributes:
        path: the file, absolute.
        digest: ``sha256:<hex>`` over all settings in effect, secrets left out.
    """

    path: Path
    digest: str
    archive: ArchiveSettings
    mailboxes: Sequence[MailboxSettings]
    log: LogSettings
    evidence: EvidenceSettings
    alarms: AlarmSettings
    metrics: MetricsSettings
    canary: CanarySettings


def _places(mailbox: MailboxSettings) -> list[tuple[object, ...]]:
    """Return what tells the folders of a mailbox from those of others.

    Both standard ports lead to the same server; INBOX is one in any case (RFC 9051,
    section 5.1).
    """
    port = IMAPS_PORT if mailbox.port == IMAP_PORT else mailbox.port
    return [
        (mailbox.host.lower(), port, mailbox.username, INBOX if each.upper() == INBOX else each)
        for each in (*mailbox.folders, *mailbox.backfill_folders)
    ]
