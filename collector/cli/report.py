"""``collector report``: what became of the mail of a period, and what is not known."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from collector.cli.start import print_json, settings_of
from collector.custody.watch import utc_now
from collector.service.report import Language, report, report_lines

DAYS = 30


def command(
    context: typer.Context,
    first: Annotated[
        datetime | None,
        typer.Option("--from", formats=["%Y-%m-%d"], help="First day, UTC. Default: 30 days ago."),
    ] = None,
    last: Annotated[
        datetime | None,
        typer.Option("--to", formats=["%Y-%m-%d"], help="Last day, included. Default: today."),
    ] = None,
    language: Annotated[
        Language, typer.Option("--language", help="Of the text.")
    ] = Language.ENGLISH,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Report by day and mailbox what was archived, deleted, lost, and is still there."""
    today = utc_now().replace(hour=0, minute=0, second=0, microsecond=0)
    since = first.replace(tzinfo=UTC) if first else today - timedelta(days=DAYS)
    before = (last.replace(tzinfo=UTC) if last else today) + timedelta(days=1)
    if before <= since:
        raise typer.BadParameter("--to lies before --from")
    told = report(settings_of(context), since, before)
    if as_json:
        print_json(told.facts())
        return
    for line in report_lines(told, language):
        typer.echo("".join(char if char.isprintable() else "?" for char in line))
