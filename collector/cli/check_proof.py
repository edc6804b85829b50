"""``collector check-proof``: checks what ``prove`` wrote, offline and without the archive."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from collector.cli.check import print_finding
from collector.cli.start import print_json
from collector.config.values import seconds_or_none
from collector.domain.errors import ConfigError
from collector.domain.finding import Grade
from collector.evidence.note import VerifierKey
from collector.evidence.proof_check import Trust, check_proof
from collector.service.exit_code import ExitCode
from collector.service.facts import finding_facts

CERTIFICATES_BYTES_MAX = 1024 * 1024


def command(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the proof.")],
    key: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME+ID+KEY", help="Verifier key that was published for the log."),
    ] = None,
    authority: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=FILE", help="Certificates of a time-stamp authority, PEM."),
    ] = None,
    late_after: Annotated[
        str,
        typer.Option(metavar="TIME", help="A stamp that came later than this is named as late."),
    ] = "2h",
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Check message, inclusion, signature and time stamps of a proof."""
    keys = tuple(VerifierKey.parse(text) for text in key or ())
    late_after_s = seconds_or_none(late_after)
    if late_after_s is None:
        raise typer.BadParameter("write a number and a unit: 2h", param_hint="--late-after")
    certificates = dict(_certificates(text) for text in authority or ())
    trust = Trust(keys, certificates, timedelta(seconds=late_after_s))
    findings = check_proof(directory, trust)
    if as_json:
        print_json({"findings": [finding_facts(each) for each in findings]})
    else:
        console = Console(highlight=False, soft_wrap=True)
        for finding in findings:
            print_finding(console, finding)
    broken = any(each.grade is Grade.FAILED for each in findings)
    raise typer.Exit(ExitCode.BROKEN if broken else ExitCode.DONE)


def _certificates(text: str) -> tuple[str, bytes]:
    name, equals, path = text.partition("=")
    if not equals:
        raise typer.BadParameter("write NAME=FILE", param_hint="--authority")
    try:
        with Path(path).open("rb") as file:
            return name, file.read(CERTIFICATES_BYTES_MAX)
    except OSError as error:
        raise ConfigError(f"certificates cannot be read: {error.strerror}", subject=path) from error
