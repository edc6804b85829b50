"""``collector reconcile``: what is where, and what will happen next."""

from __future__ import annotations

from typing import Annotated

import typer

from collector.cli.start import print_json, settings_of
from collector.service.assemble import open_reading
from collector.service.exit_code import ExitCode
from collector.service.facts import standing_facts
from collector.service.reconcile import Standing, reconcile


def command(
    context: typer.Context,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object per line.")
    ] = False,
) -> None:
    """Compare mailbox, ledger and segments; say what is where and what happens next.

    Changes nothing and can be asked beside the service.
    """
    settings = settings_of(context)
    standings: list[Standing] = []
    with open_reading(settings) as (archive, ledger):
        for standing in reconcile(settings, archive, ledger):
            standings.append(standing)
            if as_json:
                print_json(standing_facts(standing))
            else:
                whose = standing.mailbox or "archive"
                place = standing.place.value
                typer.echo(f"{whose}: {standing.count} in {place}: {standing.next}")
    if not standings and not as_json:
        typer.echo("every mailbox is empty, and ledger and segments agree")
    looked_at = any(each.person for each in standings)
    raise typer.Exit(ExitCode.ATTENTION if looked_at else ExitCode.DONE)
