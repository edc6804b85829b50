"""Shows what collecting came to, and how far it is."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog
import typer

from collector.cli.start import print_json
from collector.service.collect import Outcome
from collector.service.exit_code import ExitCode, of_error, of_summary
from collector.service.facts import summary_facts

log = structlog.get_logger("collector.cli")

LINE_S = 30.0
"""Between two lines that tell how far a long work is."""


@contextmanager
def progress_bar(title: str) -> Iterator[Callable[[int, int | None], None]]:
    """Yield a function of (done, total) that moves a bar; without a terminal it does nothing."""
    if not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    from rich import console, progress  # noqa: PLC0415 - much to load, for terminals only

    columns = (
        progress.TextColumn(title),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TimeRemainingColumn(),
    )
    stderr = console.Console(stderr=True)
    with progress.Progress(*columns, console=stderr, transient=True) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


@contextmanager
def progress_shown(title: str, event: str) -> Iterator[Callable[[int, int | None], None]]:
    """Yield a function of (done, total): it moves a bar, or logs ``event`` where no terminal is."""
    if sys.stderr.isatty():
        with progress_bar(title) as move:
            yield move
        return
    again_s = time.monotonic() + LINE_S

    def tell_now_and_then(done: int, total: int | None) -> None:
        nonlocal again_s
        if time.monotonic() >= again_s:
            again_s = time.monotonic() + LINE_S
            log.info(event, done=done, total=total)

    yield tell_now_and_then


@contextmanager
def advance_bar(title: str) -> Iterator[Callable[[int, int], None]]:
    """Yield a ``Watch.advanced`` that moves a bar."""
    with progress_bar(title) as move:
        yield move


def tell(outcome: Outcome, *, as_json: bool) -> ExitCode:
    """Print the summary and the errors; return the exit code."""
    summary = outcome.summary
    if as_json:
        print_json(summary_facts(summary, outcome.elapsed_s))
    else:
        typer.echo(
            f"collected {summary.collected}, proven and deleted {summary.cleared}, "
            f"still in the mailbox {summary.waiting} ({outcome.elapsed_s:.1f} s)"
        )
        for count, what in (
            (summary.set_aside, "set aside: the server would not hand them over"),
            (summary.quarantined, "quarantined: archived, but not understood"),
            (summary.vanished, "gone from the mailbox without us"),
            (summary.refused, "archived, but the mailbox does not let them go"),
            (summary.unaccounted, "numbers of the mailbox that nobody accounts for"),
        ):
            if count:
                typer.echo(f"  {count} {what}; see `collector status`")
    for error in outcome.errors:
        typer.echo(f"collector: {error}", err=True)
    if outcome.errors:
        return max(map(of_error, outcome.errors))
    return ExitCode.LATER if summary.interrupted else of_summary(summary)
