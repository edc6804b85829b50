"""``collector init``: five questions, one working configuration."""

from __future__ import annotations

import os
import sys
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer

from collector.domain.errors import ConfigError
from collector.service.init import SOURCES, Answers, write_configuration, write_password

SYSTEM_ARCHIVE = Path("/var/lib/collector")
Source = Enum("Source", {name: name for name in SOURCES})  # type: ignore[misc]


class Security(Enum):
    """As in ``[[mailbox]]``."""

    TLS = "tls"
    STARTTLS = "starttls"
    PLAIN = "plain"


def command(
    context: typer.Context,
    host: Annotated[
        str | None, typer.Option(metavar="NAME", help="The journal mailbox's IMAP server.")
    ] = None,
    username: Annotated[str | None, typer.Option(metavar="NAME", help="Its login.")] = None,
    password_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where its password lies, or shall lie.")
    ] = None,
    archive: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where the archive shall lie.")
    ] = None,
    source: Annotated[
        Source | None, typer.Option(help="The mail system that fills the mailbox.")
    ] = None,
    security: Annotated[Security, typer.Option(help="Encryption.")] = Security.TLS,
    port: Annotated[int | None, typer.Option(help="Default: the usual one.")] = None,
    ca_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Your own certification authority, PEM.")
    ] = None,
) -> None:
    """Ask five questions and write a configuration; options answer them beforehand."""
    path = context.obj or Path("collector.toml")
    if os.path.lexists(path):
        hint = "edit it, or name another: --config"
        raise ConfigError("there is a configuration already", subject=str(path), hint=hint)
    in_etc = path.absolute().is_relative_to("/etc")
    answers = Answers(
        host=host or _asked("1/5  IMAP server of the journal mailbox"),
        username=username or _asked("2/5  User name there"),
        password_file=password_file
        or Path(_asked("3/5  File with the password (made if it is missing)", "imap-password")),
        archive=archive
        or Path(_asked("4/5  Archive", str(SYSTEM_ARCHIVE if in_etc else Path("archive")))),
        source=source.value if source else _asked_source(),
        security=security.value,
        port=port,
        ca_file=ca_file and ca_file.absolute(),
    )
    settings = write_configuration(path, answers)
    secret = path.absolute().parent / answers.password_file
    if not secret.exists() and _can_ask():
        write_password(secret, _hidden("     Password (not shown)"))
    _tell(path, secret, settings.archive.path, in_etc=in_etc)


def _can_ask() -> bool:
    return sys.stdin.isatty()


def _asked(question: str, default: str | None = None, **more: Any) -> str:  # noqa: ANN401 - typer
    if not _can_ask():
        if default is not None:
            return default
        raise ConfigError(
            "nobody is there to answer",
            subject=question.partition("  ")[2],
            hint="give the answer as an option; see `collector init --help`",
        )
    return str(typer.prompt(question, default=default, **more)).strip()


def _asked_source() -> str:
    while True:
        answer = _asked(f"5/5  Mail system that fills it ({', '.join(SOURCES)})", "other")
        if answer in SOURCES:
            return answer
        typer.echo("     That is none of them; `other` can be changed later.")


def _hidden(question: str) -> str:
    return str(typer.prompt(question, hide_input=True))


def _tell(path: Path, secret: Path, archive: Path, *, in_etc: bool) -> None:
    program = "collector" if in_etc else f"collector --config {path}"
    typer.echo(f"\nwritten: {path}; the archive will be {archive}")
    if not secret.exists():
        typer.echo(f"still missing: the password, alone in {secret}, mode 0600")
    typer.echo("next:")
    typer.echo(f"  {program} check      # does everything work?  changes nothing")
    if in_etc:
        typer.echo("  systemctl enable --now collector.service")
    else:
        typer.echo(f"  {program} run        # the service; Ctrl-C ends it")
