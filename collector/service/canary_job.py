"""The job of the service that sends canaries and looks for them, beside collecting.

Rule: nothing that goes wrong here stops or delays collecting: it is a log line.  Only an
``IntegrityError`` goes up, because it is about the archive, not about canaries.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from collector.config import Settings
from collector.custody.intake import Intake
from collector.custody.watch import utc_now
from collector.domain.canary import CanaryPath
from collector.domain.errors import IntegrityError
from collector.evidence.submission import TIMEOUT_S
from collector.service.canary import Canaries, canary_key
from collector.service.pulse import Pulse

log = structlog.get_logger("collector.service")

LOOK_S = 30.0
RETRY_S = 600.0
"""Before the next attempt when one could not be sent."""


@dataclass(slots=True)
class CanaryJob:
    """Sends on every path when it is due."""

    settings: Settings
    name: str = ":canary"
    pulse: Pulse = field(default_factory=Pulse)
    _due_s: dict[str, float] = field(default_factory=dict)
    _key: bytes = b""

    def work(self, intake: Intake, stop: Callable[[], bool]) -> float:
        """Send what is due, look for what is on its way; return seconds to rest.

        Raises:
            IntegrityError: a stored message is broken, or the ledger is.
        """
        try:
            with intake.ledger.session():
                self._key = self._key or canary_key(self.settings)
                canaries = Canaries(self.settings, intake.archive, intake.ledger, self._key)
                canaries.look(utc_now())
                for path in self.settings.canary.paths:
                    if not stop() and self._due_s_of(path, canaries) <= time.monotonic():
                        self.pulse.rest(TIMEOUT_S)
                        sent = canaries.send(path)
                        pause_s = RETRY_S if sent.error else jittered_s(path)
                        self._due_s[path.name] = time.monotonic() + pause_s
        except IntegrityError:
            raise
        except Exception as error:
            log.error("canary.failed", error=type(error).__name__, exc_info=error)
        self.pulse.rest(LOOK_S)
        return LOOK_S

    def close(self) -> None:
        """Nothing is held open."""

    def _due_s_of(self, path: CanaryPath, canaries: Canaries) -> float:
        """Return when the next one is due, on the monotonic clock; at once on a new path."""
        if path.name not in self._due_s:
            last = canaries.ledger.canaries.latest(path.name, 1)
            rest_s = jittered_s(path) - last[0].age_s(utc_now()) if last else 0.0
            self._due_s[path.name] = time.monotonic() + max(0.0, rest_s)
        return self._due_s[path.name]


def jittered_s(path: CanaryPath) -> float:
    """Return half to one and a half of the interval, as nobody can foretell."""
    return path.interval_s * (0.5 + secrets.randbelow(1_000_001) / 1_000_000)


def canary_jobs(settings: Settings) -> list[CanaryJob]:
    """Return the job, if canaries are sent."""
    return [CanaryJob(settings)] if settings.canary.paths else []
