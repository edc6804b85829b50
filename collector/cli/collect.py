"""``collector collect``: cycles until nothing is due."""

from __future__ import annotations

from typing import Annotated

import typer

from collector.cli.outcome import advance_bar, tell
from collector.cli.start import person, settings_of, stop_on_signal
from collector.config import Settings
from collector.custody.watch import Watch
from collector.domain.errors import IntegrityError
from collector.service.assemble import House, open_house
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
            _tell_broken(settings, error)
            raise
        done = outcome.summary
        if done.collected or done.cleared:
            counts = {"collected": done.collected, "cleared": done.cleared}
            house.record_act("collect.finished", **counts)
        _tell_alarms(settings, house, watch)
    raise typer.Exit(tell(outcome, as_json=as_json))


# Alarms look at everything there is: they are imported for those who configured receivers.


def _tell_alarms(settings: Settings, house: House, watch: Watch) -> None:
    if settings.alarms.receiver_urls:
        from collector.service.alarms import look_once  # noqa: PLC0415 - see above

        look_once(settings, house.intake, watch.stop)


def _tell_broken(settings: Settings, error: IntegrityError) -> None:
    if settings.alarms.receiver_urls:
        from collector.service.alarms import broken, tell_at_once  # noqa: PLC0415 - see above

        tell_at_once(settings, broken(error))
