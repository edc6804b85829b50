"""``collector report``: what became of the mail of a period, and what is not known."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from collector.cli.start import recorder, settings_of
from collector.custody.watch import utc_now
from collector.domain.errors import ConfigError
from collector.service.report import Report, report
from collector.service.report_document import document
from collector.service.report_html import html_page
from collector.service.report_text import text_lines
from collector.service.report_words import Language

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
        Language, typer.Option("--language", help="Of the text and of the page.")
    ] = Language.ENGLISH,
    as_html: Annotated[
        bool, typer.Option("--html", help="One page of HTML, to be read or printed.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="New file to write. Default: print."),
    ] = None,
) -> None:
    """Report by day and mailbox what was seen, archived, deleted, lost, and is still there."""
    today = utc_now().replace(hour=0, minute=0, second=0, microsecond=0)
    since = first.replace(tzinfo=UTC) if first else today - timedelta(days=DAYS)
    before = (last.replace(tzinfo=UTC) if last else today) + timedelta(days=1)
    if before <= since:
        raise typer.BadParameter("--to lies before --from")
    if as_html and as_json:
        raise typer.BadParameter("give one of --html and --json")
    if output is not None and output.exists():
        raise ConfigError(
            "the file exists already", subject=str(output), hint="nothing is overwritten"
        )
    told = report(settings_of(context), since, before, partial(recorder, context))
    text = _text(told, language, as_html=as_html, as_json=as_json)
    if output is None:
        typer.echo(text)
    else:
        _write(output, text)


def _text(told: Report, language: Language, *, as_html: bool, as_json: bool) -> str:
    if as_json:
        return json.dumps(told.facts())
    page = document(told, language)
    return html_page(page) if as_html else "\n".join(text_lines(page))


def _write(path: Path, text: str) -> None:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(f"{text.rstrip()}\n")
    except OSError as error:
        what = f"the report cannot be written: {error.strerror}"
        raise ConfigError(what, subject=str(path)) from error
