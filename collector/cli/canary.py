"""``collector canary``: test mails of our own, and what they tell about the journal."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

import typer

from collector.cli.start import print_json, settings_of
from collector.config import Settings
from collector.custody.watch import utc_now
from collector.domain.canary import CanaryPath
from collector.domain.errors import ConfigError
from collector.service.assemble import open_reading
from collector.service.canary import Canaries, canary_alarms, canary_facts, canary_key
from collector.service.exit_code import ExitCode
from collector.service.facts import Facts, alarm_facts


class Action(Enum):
    """What to do."""

    STATUS = "status"
    SEND = "send"


def command(
    context: typer.Context,
    action: Annotated[
        Action, typer.Argument(help="status: how every path does; send: one on every path, now.")
    ] = Action.STATUS,
    path: Annotated[
        list[str] | None, typer.Option("--path", metavar="NAME", help="Only this path; repeatable.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Send signed test mails through the real paths, and show whether their copies arrive."""
    settings = settings_of(context)
    paths = _paths(settings, path or [])
    if action is Action.SEND:
        _send(settings, paths, as_json=as_json)
    else:
        _status(settings, paths, as_json=as_json)


def _paths(settings: Settings, names: list[str]) -> list[CanaryPath]:
    known = {path.name: path for path in settings.canary.paths}
    if not known:
        raise ConfigError(
            "there is no path for canaries",
            subject="[canary]",
            hint="set enabled = true and add a [[canary.path]], as collector.example.toml shows",
        )
    for name in names:
        if name not in known:
            what, hint = "there is no such path", f"configured are: {', '.join(known)}"
            raise ConfigError(what, subject=name, hint=hint)
    return [known[name] for name in names] or list(known.values())


def _send(settings: Settings, paths: list[CanaryPath], *, as_json: bool) -> None:
    with open_reading(settings) as (archive, ledger):
        canaries = Canaries(settings, archive, ledger, canary_key(settings))
        sent = [canaries.send(path) for path in paths]
    if as_json:
        print_json([{"path": each.path, "nonce": each.nonce, "error": each.error} for each in sent])
    for each in () if as_json else sent:
        typer.echo(f"{each.path}: {each.error or f'sent {each.nonce}'}")
    raise typer.Exit(ExitCode.LATER if any(each.error for each in sent) else ExitCode.DONE)


def _status(settings: Settings, paths: list[CanaryPath], *, as_json: bool) -> None:
    """Show how the paths do; what has arrived since the service looked last counts."""
    names = [path.name for path in paths]
    with open_reading(settings) as (archive, ledger):
        now = utc_now()
        if not ledger.read_only:
            Canaries(settings, archive, ledger, canary_key(settings)).look(now)
        facts = [each for each in canary_facts(settings, ledger) if each["path"] in names]
        found = [each for each in canary_alarms(settings, ledger, now) if each.subject in names]
    if as_json:
        print_json({"paths": facts, "alarms": [alarm_facts(each) for each in found]})
    else:
        for each in facts:
            print_path(each)
        for alarm in found:
            typer.echo(f"{alarm.severity.value}: {alarm.subject}: {alarm.problem} ({alarm.hint})")
    raise typer.Exit(ExitCode.ATTENTION if found else ExitCode.DONE)


def print_path(facts: Facts) -> None:
    """Print how one path does, on one line."""
    took = facts["last_latency_s"]
    told = f"archived after {took:.0f} s as {facts['last_seq']}" if took is not None else "-"
    typer.echo(
        f"canary {facts['path']} -> {facts['mailbox']}: {facts['grade'] or 'on its way'}, "
        f"sent {facts['last_sent_at'] or 'never'}, last arrival {told}"
    )
