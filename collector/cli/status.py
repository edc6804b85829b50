"""``collector status``: how archive and mailboxes stand."""

from __future__ import annotations

from typing import Annotated

import typer

from collector.cli.canary import print_path
from collector.cli.start import print_json, settings_of
from collector.service.assemble import open_reading
from collector.service.facts import Facts
from collector.service.status import status


def command(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Show backlog, oldest waiting message, last cycle, last proof, gaps and alarms."""
    settings = settings_of(context)
    with open_reading(settings) as (archive, ledger):
        facts = status(settings, archive, ledger)
    if as_json:
        print_json(facts)
    else:
        _print(facts)


def _print(facts: Facts) -> None:
    archive = facts["archive"]
    typer.echo(
        f"archive {archive['path']}: {archive['entries']} entries in {archive['segments']} "
        f"segment(s), {archive['stored_bytes'] / 1e6:.1f} MB, "
        f"{archive['free_bytes'] / 1e9:.1f} GB free"
    )
    if archive["sealed_ratio"]:
        typer.echo(f"sealed segments take {archive['sealed_ratio']:.1%} of what they hold")
    for each in facts["mailboxes"]:
        states = ", ".join(f"{count} {state}" for state, count in each["states"].items())
        typer.echo(f"{each['mailbox']}:{each['folder']}")
        typer.echo(f"  waiting        {each['waiting']}, oldest {each['oldest_waiting_at'] or '-'}")
        typer.echo(f"  last cycle     {each['last_cycle_at'] or '-'}")
        typer.echo(f"  last proof     {each['last_proof_at'] or '-'}")
        typer.echo(f"  entries        {each['entries']} ({states or 'none'})")
        typer.echo(f"  set aside      {each['set_aside']}, quarantined {each['quarantined']}")
    for path in facts["canary"]:
        print_path(path)
    for gap in facts["gaps"]:
        typer.echo(f"gap: {gap['at']} {gap['event']} {gap['mailbox']}")
    for alarm in facts["alarms"]:
        typer.echo(f"alarm: {alarm}")
    if not facts["gaps"] and not facts["alarms"]:
        typer.echo("no gaps, no alarms")
