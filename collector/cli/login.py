"""``collector login``: a person logs in for a mailbox, once."""

from __future__ import annotations

from typing import Annotated

import typer

from collector.cli.start import settings_of, stop_on_signal
from collector.service.access import log_in


def command(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The mailbox, as configured.")],
) -> None:
    """Log in for a mailbox by device code: shows an address and a code for a browser anywhere.

    For `device_code = true` in [mailbox.oauth].  Run it as the user the service runs as; a
    running service takes the new login at its next connection.
    """
    settings = settings_of(context)
    path = log_in(settings, name, typer.echo, stop_on_signal())
    typer.echo(f"logged in; kept in {path}")
