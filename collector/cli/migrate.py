"""``collector migrate``: bring the ledger's tables up to this version."""

from __future__ import annotations

from typing import Annotated

import typer

from collector.cli.start import print_json, settings_of
from collector.service.assemble import migrate_ledger


def command(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Apply the migrations this version needs; asked for in so many words, never done by itself."""
    applied = migrate_ledger(settings_of(context))
    if as_json:
        print_json({"applied": applied})
    else:
        typer.echo(f"applied: {', '.join(applied)}" if applied else "nothing to do")
