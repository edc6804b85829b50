"""Puts the commands together and turns errors into one line and an exit code."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from collector import __version__
from collector.domain.errors import CollectorError
from collector.service.exit_code import ExitCode, of_error

COMMANDS = (
    "demo",
    "init",
    "check",
    "login",
    "run",
    "collect",
    "backfill",
    "verify",
    "reconcile",
    "status",
    "alarm",
    "list",
    "show",
    "export",
    "report",
    "prove",
    "check-proof",
    "canary",
    "rebuild",
    "migrate",
)
"""As ``--help`` shows them; each is a module of this package."""


class _Modules(Mapping[str, Any]):
    """The commands by their names, each loaded when it is asked for.

    What one command needs, a scheduler or X.509, costs the others no time and no memory.
    """

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - typer does not show the type
        if name not in COMMANDS:
            raise KeyError(name)
        return _load(name)

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)


def _import_structlog() -> None:
    """Import it without rich, which it takes for tracebacks: we never show one of its.

    A tenth of the time of a start, and 4 MB.
    """
    if "rich" not in sys.modules:
        sys.modules["rich"] = None  # type: ignore[assignment] # cannot be imported now
        try:
            import_module("structlog")
        finally:
            del sys.modules["rich"]


@cache
def _load(name: str) -> Any:  # noqa: ANN401 - as above
    _import_structlog()
    module_name = "list_" if name == "list" else name.replace("-", "_")
    module = import_module(f"collector.cli.{module_name}")
    if hasattr(module, "app"):  # a group of its own
        return typer.main.get_command(module.app)
    alone = typer.Typer(add_completion=False, rich_markup_mode="rich")
    alone.command(name=name)(module.command)
    return typer.main.get_command(alone)


class _Commands(TyperGroup):
    """The group of all of them."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - typer's own
        super().__init__(**options)
        modules: Any = _Modules()  # nobody changes them
        self.commands = modules


app = typer.Typer(
    name="collector",
    cls=_Commands,
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
    name: Annotated[
        str,
        typer.Option(
            "--as",
            metavar="NAME",
            envvar="COLLECTOR_AS",
            help="Who you are, when several people share a user; kept with what you do.",
        ),
    ] = "",
    reason: Annotated[
        str,
        typer.Option(
            "--reason",
            metavar="TEXT",
            envvar="COLLECTOR_REASON",
            help="Why you do it; kept with what you do.",
        ),
    ] = "",
    _show_version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    # A command follows: what all of them need is imported now, not for --version.
    from collector.cli.start import PERSON  # noqa: PLC0415 - see above
    from collector.service.acts import person_of  # noqa: PLC0415 - see above

    gc.freeze()  # all is imported now: see collector.__main__
    gc.enable()
    context.obj = config
    context.meta[PERSON] = person_of(name, reason)


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
