"""``collector alarm``: what is wrong now, and whether anybody would hear of it."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from collector.cli.check import print_finding
from collector.cli.start import print_json, settings_of
from collector.domain.errors import ConfigError
from collector.domain.finding import Grade
from collector.service.alarms import try_receivers
from collector.service.assemble import open_reading
from collector.service.exit_code import ExitCode
from collector.service.facts import Facts, finding_facts
from collector.service.status import present_alarms

app = typer.Typer(
    name="alarm",
    add_completion=False,
    no_args_is_help=True,
    help="Show what is wrong now, or try whether every receiver hears of it.",
)


@app.command("list")
def list_alarms(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print one alarm a line.")] = False,
) -> None:
    """Show what is wrong now, critical first, each with a hint; exit code 4 when anything is."""
    settings = settings_of(context)
    with open_reading(settings) as (archive, ledger):
        alarms = present_alarms(settings, archive, ledger)
    for each in alarms:
        if as_json:
            print_json(each)
        else:
            print_alarm(each)
    if not alarms and not as_json:
        typer.echo("no alarms")
    raise typer.Exit(ExitCode.ATTENTION if alarms else ExitCode.DONE)


@app.command("test")
def try_all(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print one receiver a line.")] = False,
) -> None:
    """Send a test to every receiver, and tell for each whether it was taken."""
    settings = settings_of(context)
    if not settings.alarms.receiver_urls:
        raise ConfigError(
            "nobody would hear of an alarm",
            subject=f"{settings.path}: [alarms]",
            hint="name receivers; see collector.example.toml",
        )
    console = Console(highlight=False, soft_wrap=True)
    failed = False
    for finding in try_receivers(settings):
        failed |= finding.grade is Grade.FAILED
        if as_json:
            print_json(finding_facts(finding))
        else:
            print_finding(console, finding)
    raise typer.Exit(ExitCode.LATER if failed else ExitCode.DONE)


def print_alarm(alarm: Facts) -> None:
    """Print one alarm, and below it what to do."""
    since = f" (since {alarm['since']})" if alarm["since"] else ""
    subject = f" {alarm['subject']}" if alarm["subject"] else ""
    typer.echo(f"{alarm['severity']}: {alarm['kind']}{subject}: {alarm['problem']}{since}")
    typer.echo(f"  {alarm['hint']}")
