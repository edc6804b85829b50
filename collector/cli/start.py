"""What every command does first: find and read the configuration, set up the log."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from threading import Event
from typing import Any

import typer

from collector.config import Settings, find_config, load
from collector.ledger.ledger import Ledger
from collector.service.acts import UNRECORDED, Person, record_act
from collector.telemetry import configure

PERSON = "collector.person"
"""Where the context keeps who runs the command."""


def settings_of(context: typer.Context) -> Settings:
    """Return the settings the command line names.

    Raises:
        ConfigError: there is no configuration, or it is wrong.
    """
    settings = load(find_config(context.obj))
    configure(settings.log.level, settings.log.format)
    return settings


def person(context: typer.Context) -> Person:
    """Return who runs this command."""
    known: Person = context.meta[PERSON]
    return known


def recorder(context: typer.Context, ledger: Ledger) -> Callable[..., None]:
    """Return what writes an act down, as ``record(name, **keys)``, before it takes effect.

    An archive that cannot be written is read all the same, and who reads is told so.
    """

    def record(name: str, /, **keys: object) -> None:
        if not record_act(ledger, person(context), name, **keys):
            typer.echo(f"collector: {UNRECORDED}", err=True)

    return record


def print_json(facts: Any) -> None:  # noqa: ANN401 - JSON
    """Print one JSON document on one line."""
    typer.echo(json.dumps(facts))


def stop_on_signal() -> Callable[[], bool]:
    """Return a stop sign that SIGTERM and SIGINT set; the current message is finished."""
    stop = Event()

    def handler(_signal: int, _frame: object) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, handler)
    signal.signal(signal.SIGINT, handler)
    return stop.is_set
