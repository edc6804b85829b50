"""Writes a first configuration out of five answers: ``collector init``.

Rule: nothing that is there is overwritten, and what is written is loaded before it stays.
No secret gets into the configuration, only where it lies.
"""

from __future__ import annotations

import contextlib
import grp
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from collector.config import Settings, load
from collector.domain.errors import ConfigError
from collector.formats.presets import PRESETS
from collector.store import durable

GROUP = "collector"
"""Of the service, when it is installed; it may read the configuration."""

REPORTS = {
    "exchange": 'format = "exchange"     # journal reports; anything else is shown as quarantined',
    "google": 'format = "google"       # copies of Google Workspace, and its wrappers',
}
SOURCES = ("other", *REPORTS, *(name for name in PRESETS if name not in REPORTS))

TEMPLATE = """\
# Written by `collector init`.  Every other key, with its default and its reason, is in
# collector.example.toml; `collector check` tells whether everything in here works.

[archive]
path = {archive}

[[mailbox]]
name = "journal"           # part of what is recorded for every message: do not change it later
host = {host}
{connection}username = {username}
password_file = {password_file}  # read anew for every login
folders = ["INBOX"]        # add the spam folder: a filter may put journal mail there
{source}
"""


@dataclass(frozen=True, slots=True)
class Answers:
    """What a configuration needs to know.

    Attributes:
        security: as in ``[[mailbox]]``; ``port`` ``None``: the usual one.
        source: which mail system fills the mailbox; one of ``SOURCES``.
    """

    host: str
    username: str
    password_file: Path
    archive: Path
    source: str = "other"
    security: str = "tls"
    port: int | None = None
    ca_file: Path | None = None


def configuration(answers: Answers) -> str:
    """Return the text of the configuration."""
    connection: Mapping[str, object] = {
        "security": None if answers.security == "tls" else answers.security,
        "port": answers.port,
        "ca_file": answers.ca_file and str(answers.ca_file),
    }
    lines = (f"{key} = {_toml(value)}\n" for key, value in connection.items() if value is not None)
    return TEMPLATE.format(
        archive=_toml(str(answers.archive)),
        host=_toml(answers.host),
        connection="".join(lines),
        username=_toml(answers.username),
        password_file=_toml(str(answers.password_file)),
        source=_source(answers.source),
    )


def _source(name: str) -> str:
    if name == "other":
        return '# format = "exchange"   # what fills the mailbox; see docs/guides'
    return REPORTS.get(name, f'server = "{name}"  # whose header lines tell the envelope of a copy')


def _toml(value: object) -> str:
    """Return a TOML value; its basic strings and integers are those of JSON."""
    return json.dumps(value, ensure_ascii=False)


def write_configuration(path: Path, answers: Answers) -> Settings:
    """Write the configuration and return it as loaded.

    Raises:
        ConfigError: there is one already, an answer cannot be used, or it cannot be
            written there; nothing is left behind.
    """
    _write_new(path, configuration(answers), "configuration", "edit it, or name another: --config")
    try:
        return load(path)
    except BaseException:
        path.unlink()
        raise


def write_password(path: Path, password: str) -> None:
    """Write the password into a file of its own, readable for its owner only.

    Raises:
        ConfigError: there is one already, or it cannot be written there.
    """
    _write_new(path, f"{password}\n", "password file", "use it as it is, or name another", own=True)


def _write_new(path: Path, text: str, what: str, remedy: str, *, own: bool = False) -> None:
    try:
        fd = durable.create(path)
        try:
            durable.write(fd, text.encode("utf-8"))
            if not own:
                _let_the_service_read(fd)
            durable.sync_file(fd, path)
        finally:
            os.close(fd)
    except FileExistsError as error:
        raise ConfigError(f"there is a {what} already", subject=str(path), hint=remedy) from error
    except OSError as error:
        raise ConfigError(
            f"the {what} cannot be written: {error.strerror}",
            subject=str(path),
            hint="make the directory, or run it as a user who may write there",
        ) from error


def _let_the_service_read(fd: int) -> None:
    """Give the file to the service's group, when root writes it and the group is there."""
    with contextlib.suppress(KeyError):
        if os.geteuid() == 0:
            os.fchown(fd, 0, grp.getgrnam(GROUP).gr_gid)
            os.fchmod(fd, 0o640)
