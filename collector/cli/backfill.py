"""``collector backfill``: older mail, once."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from collector.cli.outcome import advance_bar, tell
from collector.cli.start import person, settings_of, stop_on_signal
from collector.custody.watch import Watch
from collector.service.assemble import open_house
from collector.service.collect import backfill_work, run_until_done
from collector.service.facts import summary_facts

DATES = ["%Y-%m-%d"]


def command(
    context: typer.Context,
    source: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[SOURCE]...",
            help="NAME:FOLDER, a folder of a configured mailbox; or NAME, all its "
            "backfill_folders. Default: the backfill_folders of every mailbox.",
        ),
    ] = None,
    since: Annotated[
        datetime | None,
        typer.Option(formats=DATES, help="Only mail that arrived on this day or later."),
    ] = None,
    before: Annotated[
        datetime | None, typer.Option(formats=DATES, help="Only mail that arrived before this day.")
    ] = None,
    delete: Annotated[
        bool, typer.Option("--delete", help="Also delete what is proven. Default: never delete.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Collect older mail from IMAP folders; can be stopped and resumed at any time."""
    settings = settings_of(context)
    work = backfill_work(
        settings,
        source or (),
        since.date() if since else None,
        before.date() if before else None,
        delete=delete,
    )
    with open_house(settings, person(context)) as house, advance_bar("backfilling") as advanced:
        watch = Watch(stop=stop_on_signal(), advanced=advanced)
        folders = [f"{each.mailbox.name}:{each.folder}" for each in work]
        house.record_act("backfill.started", folders=folders, delete=delete)
        outcome = run_until_done(house, settings, work, watch)
        facts = summary_facts(outcome.summary, outcome.elapsed_s)
        house.record_act(
            "backfill.finished", collected=facts["collected"], cleared=facts["cleared"]
        )
    raise typer.Exit(tell(outcome, as_json=as_json))
