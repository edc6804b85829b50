"""What every command does first: find and read the configuration, set up the log."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from threading import Event
from typing import Any

import typer

from collector.config import Settings, find_config, load
from collector.telemetry import configure


def settings_of(context: typer.Context) -> Settings:
    """Return the settings the command line names.

    Raises:
        ConfigError: there is no configuration, or it is wrong.
    """
    settings = load(find_config(context.obj))
    configure(settings.log.level, settings.log.format)
    return settings


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
