"""Puts the commands together and turns errors into one line and an exit code."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from collector import __version__
from collector.cli import (
    backfill,
    canary,
    check,
    check_proof,
    collect,
    demo,
    export,
    init,
    list_,
    migrate,
    prove,
    rebuild,
    reconcile,
    report,
    run,
    show,
    status,
    verify,
)
from collector.domain.errors import CollectorError
from collector.service.exit_code import ExitCode, of_error

app = typer.Typer(
    name="collector",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    help=(
        "Empties a journal mailbox into an archive: every message is stored byte for byte, "
        "proven by reading it back, and only then deleted from the mailbox."
    ),
    epilog=(
        "Exit codes: 0 done · 1 could not finish now, will work later · 2 usage or "
        "configuration · 3 integrity broken, nothing more is deleted · 4 done, but something "
        "needs a person."
    ),
)

COMMANDS = (
    demo,
    init,
    check,
    run,
    collect,
    backfill,
    verify,
    reconcile,
    status,
    list_,
    show,
    export,
)
for module in (*COMMANDS, report, prove, check_proof, canary, rebuild, migrate):
    name = module.__name__.rpartition(".")[2].rstrip("_").replace("_", "-")
    app.command(name=name)(module.command)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"collector {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    context: typer.Context,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            "-c",
            metavar="FILE",
            help="Configuration file. Default: $COLLECTOR_CONFIG, ./collector.toml, "
            "/etc/collector/collector.toml.",
        ),
    ] = None,
    _show_version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    context.obj = config


def main() -> None:
    """Run the command line; never returns."""
    try:
        app()
    except CollectorError as error:
        typer.echo(f"collector: {error}", err=True)
        sys.exit(of_error(error))
    except BrokenPipeError:  # `collector list | head`
        sys.stderr.close()
        sys.exit(ExitCode.DONE)
