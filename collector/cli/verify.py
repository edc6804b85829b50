"""``collector verify``: re-read and re-hash the archive."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Annotated

import typer

from collector.cli.outcome import progress_bar
from collector.cli.start import print_json, settings_of
from collector.custody.audit import Audit
from collector.service.assemble import open_reading
from collector.service.exit_code import ExitCode
from collector.service.facts import problem_facts

PROBLEMS_MAX = 10_000
"""More broken entries than this are counted, not listed."""


def command(
    context: typer.Context,
    sample: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Only N entries, drawn at random.")
    ] = None,
    since: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Only entries committed on this day or later."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Re-read and re-hash everything, compare ledger and segments, name what is broken."""
    settings = settings_of(context)
    began_s = time.monotonic()
    with open_reading(settings) as (archive, ledger), progress_bar("verifying") as move:
        total = ledger.last_seq()
        done = 0

        def progress(count: int) -> None:
            nonlocal done
            done += count
            move(done, total)

        audit = Audit(archive, ledger, progress)
        whole = sample is None and since is None
        start = since.replace(tzinfo=UTC) if since else None
        problems = list(audit.everything() if whole else audit.some(start, sample))
    elapsed_s = round(time.monotonic() - began_s, 3)
    facts = [problem_facts(each) for each in problems[:PROBLEMS_MAX]]
    if as_json:
        print_json(
            {
                "verified": done,
                "broken": len(problems),
                "problems": facts,
                "elapsed_s": elapsed_s,
            }
        )
    else:
        for each in facts:
            seq = "" if each["seq"] is None else f"seq {each['seq']} "
            typer.echo(f"broken: {seq}{each['digest']} {each['subject']}: {each['what']}")
        typer.echo(f"verified {done} entries, {len(problems)} broken ({elapsed_s} s)")
    raise typer.Exit(ExitCode.BROKEN if problems else ExitCode.DONE)
