"""``collector run``: the service."""

from __future__ import annotations

import typer

from collector.cli.start import person, settings_of
from collector.config import find_config
from collector.service.daemon import Daemon


def command(context: typer.Context) -> None:
    """Run the service: every mailbox on its schedule, IDLE when the server offers it.

    SIGTERM finishes the current message and exits 0; SIGHUP reads the configuration again.
    """
    settings_of(context)
    raise typer.Exit(Daemon(find_config(context.obj), person(context)).run())
