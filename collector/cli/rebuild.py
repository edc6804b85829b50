"""``collector rebuild``: a new ledger from the segments alone."""

from __future__ import annotations

from typing import Annotated

import typer

from collector.cli.outcome import progress_bar
from collector.cli.start import person, print_json, settings_of
from collector.service.exit_code import ExitCode
from collector.service.rebuild import rebuild


def command(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Make a new ledger from the segments alone; the old one is kept under another name."""
    settings = settings_of(context)
    with progress_bar("rebuilding") as move:
        adopted = rebuild(settings, lambda count: move(count, None), person(context))
    damages = [each for each in adopted.damages if not each.torn_tail]
    if as_json:
        print_json(
            {
                "entries": adopted.entries_count,
                "missing": adopted.missing_count,
                "damages": [
                    {
                        "segment": each.segment,
                        "frame_offset": each.frame_offset,
                        "what": each.problem,
                    }
                    for each in damages
                ],
            }
        )
    else:
        for each in damages:
            typer.echo(
                f"unreadable: segment {each.segment}, byte {each.frame_offset}: {each.problem}"
            )
        if adopted.missing_count:
            typer.echo(f"missing: {adopted.missing_count} entries are in no segment")
        typer.echo(f"the new ledger holds {adopted.entries_count} entries")
    raise typer.Exit(ExitCode.BROKEN if damages or adopted.missing_count else ExitCode.DONE)
