"""The only switch from what happened to an exit code (design, section 6)."""

from __future__ import annotations

from enum import IntEnum

from collector.domain.custody import Summary
from collector.domain.errors import CollectorError, ConfigError, IntegrityError


class ExitCode(IntEnum):
    """What the caller of a command is told."""

    DONE = 0
    LATER = 1
    USAGE = 2
    BROKEN = 3
    ATTENTION = 4


def of_error(error: CollectorError) -> ExitCode:
    """Return the exit code of a command that ended with ``error``."""
    match error:
        case IntegrityError():
            return ExitCode.BROKEN
        case ConfigError():
            return ExitCode.USAGE
        case _:
            return ExitCode.LATER


def of_summary(summary: Summary) -> ExitCode:
    """Return the exit code of cycles that ran to their end, or were asked to stop."""
    needs_person = (
        summary.set_aside,
        summary.quarantined,
        summary.vanished,
        summary.refused,
        summary.unaccounted,
    )
    return ExitCode.ATTENTION if any(needs_person) else ExitCode.DONE
