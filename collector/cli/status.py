"""``collector status``: how archive and mailboxes stand."""

from __future__ import annotations

from typing import Annotated

import typer

from collector.cli.alarm import print_alarm
from collector.cli.canary import print_path
from collector.cli.start import print_json, settings_of
from collector.service.assemble import open_reading
from collector.service.facts import Facts
from collector.service.report_document import span
from collector.service.status import status

LINE_CHARS = 160
"""Of a gap; the JSON form has all numbers."""


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
    exposure = facts["exposure_24h"]
    if exposure["count"]:
        typer.echo(
            f"arrival to proof, last 24 hours: median {span(exposure['median_s'])}, 99 % within "
            f"{span(exposure['p99_s'])}, longest {span(exposure['max_s'])}"
        )
    for gap in facts["gaps"]:
        numbers = gap.get("uids") or gap.get("seqs") or ""
        told = f"{gap['at']} {gap['event']} {gap['mailbox']} {numbers}"
        typer.echo(f"gap: {told[:LINE_CHARS]}".rstrip())
    for alarm in facts["alarms"]:
        print_alarm(alarm)
    if not facts["gaps"] and not facts["alarms"]:
        typer.echo("no gaps, no alarms")
