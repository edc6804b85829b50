"""``collector verify``: re-read and re-hash the archive."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from collector.cli.outcome import progress_bar
from collector.cli.start import print_json, settings_of
from collector.custody.audit import Problem
from collector.service.exit_code import ExitCode
from collector.service.facts import problem_facts
from collector.service.verify import Wanted, verify

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
    without_bodies: Annotated[
        bool, typer.Option("--without-bodies", help="Rows, log and checkpoints only.")
    ] = False,
    key: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME+ID+KEY",
            help="Verifier key that was published for the log; may be given again. Default: "
            "those that lie beside the checkpoints.",
        ),
    ] = None,
    anchors: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Checkpoints kept outside; may be given again."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Re-read and re-hash everything, compare ledger, log and segments, name what is broken."""
    settings = settings_of(context)
    wanted = Wanted(
        sample=sample,
        since=since.replace(tzinfo=UTC) if since else None,
        bodies=not without_bodies,
        keys=tuple(key or ()),
        anchors=tuple(anchors or ()),
    )
    began_s = time.monotonic()
    with progress_bar("verifying") as move:
        done, problems = verify(settings, wanted, move)
    elapsed_s = round(time.monotonic() - began_s, 3)
    _tell(done, problems, elapsed_s, as_json=as_json)
    raise typer.Exit(ExitCode.BROKEN if problems else ExitCode.DONE)


def _tell(done: int, problems: list[Problem], elapsed_s: float, *, as_json: bool) -> None:
    facts = [problem_facts(each) for each in problems[:PROBLEMS_MAX]]
    if as_json:
        broken = len(problems)
        found = {"verified": done, "broken": broken, "problems": facts, "elapsed_s": elapsed_s}
        print_json(found)
        return
    for each in facts:
        seq = "" if each["seq"] is None else f"seq {each['seq']} "
        digest = f"{each['digest']} " if each["digest"] else ""
        typer.echo(f"broken: {seq}{digest}{each['subject']}: {each['what']}")
    typer.echo(f"verified {done} entries, {len(problems)} broken ({elapsed_s} s)")
