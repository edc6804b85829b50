"""``collector verify``: re-read and re-hash the archive."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from collector.cli.outcome import progress_shown
from collector.cli.start import print_json, settings_of, stop_on_signal
from collector.config.values import seconds_or_none
from collector.service.exit_code import ExitCode
from collector.service.facts import Facts, problem_facts
from collector.service.selection import Wanted
from collector.service.verify import Verified, verified_facts, verify

PROBLEMS_MAX = 10_000
"""More broken entries than this are counted, not listed."""


def command(
    context: typer.Context,
    full: Annotated[
        bool,
        typer.Option(
            "--full",
            help="Everything: rows, log, every message, checkpoint, time stamp and anchor file. "
            "This is also what is done without any option. Goes on where an interrupted one "
            "stopped in the last 7 days.",
        ),
    ] = False,
    anew: Annotated[
        bool, typer.Option("--anew", help="Begin anew, whatever an interrupted one has read.")
    ] = False,
    sample: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Only N entries, drawn at random.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Draw the sample that was drawn with this number.")
    ] = None,
    since: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Only entries committed on this day or later."),
    ] = None,
    full_every: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="With --sample or --since: everything instead, when the last full verification "
            "is older than this (30d), or was interrupted. For timers.",
        ),
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
        typer.Option(
            metavar="PATH",
            help="Checkpoints kept outside: a file of notes, saved mail, an mbox, or a folder of "
            "these; may be given again.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Re-read and re-hash everything, compare ledger, log and segments, name what is broken."""
    if full and (sample is not None or since is not None or without_bodies):
        raise typer.BadParameter("--full leaves nothing out: it goes with no other selection")
    if full_every is not None and sample is None and since is None:
        raise typer.BadParameter("--full-every says when --sample or --since is not enough")
    if seed is not None and sample is None:
        raise typer.BadParameter("--seed goes with --sample")
    settings = settings_of(context)
    wanted = Wanted(
        sample=sample,
        seed=seed,
        since=since.replace(tzinfo=UTC) if since else None,
        bodies=not without_bodies,
        full_every=_span(full_every),
        anew=anew,
        keys=tuple(key or ()),
        anchors=tuple(anchors or ()),
    )
    began_s = time.monotonic()
    with progress_shown("verifying", "archive.verifying") as move:
        verified = verify(settings, wanted, move, stop_on_signal())
    elapsed_s = round(time.monotonic() - began_s, 3)
    problems = [problem_facts(each) for each in verified.problems[:PROBLEMS_MAX]]
    if as_json:
        print_json({**verified_facts(verified), "problems": problems, "elapsed_s": elapsed_s})
    else:
        _tell(verified, problems, elapsed_s)
    raise typer.Exit(_code(verified))


def _span(text: str | None) -> timedelta | None:
    length_s = None if text is None else seconds_or_none(text)
    if length_s is None and text is not None:
        raise typer.BadParameter("write a number and a unit: 30d", param_hint="--full-every")
    return None if length_s is None else timedelta(seconds=length_s)


def _code(verified: Verified) -> ExitCode:
    if verified.problems:
        return ExitCode.BROKEN
    if not verified.finished:
        return ExitCode.LATER
    needs_a_person = any(each.hint for each in verified.remarks)
    return ExitCode.ATTENTION if needs_a_person else ExitCode.DONE


def _tell(verified: Verified, problems: list[Facts], elapsed_s: float) -> None:
    for each in problems:
        seq = "" if each["seq"] is None else f"seq {each['seq']} "
        digest = f"{each['digest']} " if each["digest"] else ""
        typer.echo(f"broken: {seq}{digest}{each['subject']}: {each['what']}")
    for remark in verified.remarks:
        hint = f" ({remark.hint})" if remark.hint else ""
        typer.echo(f"note: {remark.subject}: {remark.detail}{hint}")
    if verified.resumed:
        typer.echo(f"went on after {verified.resumed} entries; --anew begins with the first")
    wanted = verified.wanted
    if verified.finished:
        typer.echo(_checkpoints(verified))
    else:
        later = "; the same command goes on there within 7 days" if wanted.full else ""
        typer.echo(f"stopped before the end{later}")
    how = "in full, " if wanted.full and verified.finished else ""
    how += f"drawn with --seed {wanted.seed}, " if wanted.sample is not None else ""
    broken = len(verified.problems)
    typer.echo(f"verified {verified.entries} entries, {how}{broken} broken ({elapsed_s} s)")


def _checkpoints(verified: Verified) -> str:
    seen = verified.outside
    text = f"checkpoints: {seen.checkpoints}, {seen.stamped} with a time stamp"
    text += f" ({seen.late} of the stamps late)" if seen.late else ""
    text += f", {seen.missing} not dated by any" if seen.missing else ""
    text += f", {seen.anchored} anchored"
    return text + (f"; {seen.agreed} anchored notes agree" if seen.agreed else "")
