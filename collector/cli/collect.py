"""``collector collect``: cycles until nothing is due."""

from __future__ import annotations

from typing import Annotated

import typer

from collector.cli.outcome import advance_bar, tell
from collector.cli.start import person, settings_of, stop_on_signal
from collector.custody.watch import Watch
from collector.domain.errors import IntegrityError
from collector.service.alarms import broken, look_once, tell_at_once
from collector.service.assemble import open_house
from collector.service.collect import collect_work, run_until_done


def command(
    context: typer.Context,
    mailbox: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Only this mailbox; may be given more than once."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Collect until the mailbox holds nothing that is due, tell of alarms, then exit."""
    settings = settings_of(context)
    work = collect_work(settings, mailbox or ())
    with open_house(settings, person(context)) as house, advance_bar("collecting") as advanced:
        watch = Watch(stop=stop_on_signal(), advanced=advanced)
        try:
            outcome = run_until_done(house, settings, work, watch)
        except IntegrityError as error:
            tell_at_once(settings, broken(error))
            raise
        done = outcome.summary
        if done.collected or done.cleared:
            counts = {"collected": done.collected, "cleared": done.cleared}
            house.record_act("collect.finished", **counts)
        look_once(settings, house.intake, watch.stop)
    raise typer.Exit(tell(outcome, as_json=as_json))
