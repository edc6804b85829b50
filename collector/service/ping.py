"""Tells somebody outside that collecting goes on: a dead man's switch.

Rule: told after good cycles only, at most once a minute, and not while a mailbox fails; so
it is his silence that alarms.  A ping that fails is a line in the log and nothing else.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf

import structlog

from collector.config import Settings
from collector.custody.intake import Intake
from collector.domain.errors import CollectorError
from collector.evidence.web import Address, Limits, get
from collector.service.activity import Activity
from collector.service.pulse import Pulse

log = structlog.get_logger("collector.service")

PING_PAUSE_S = 60.0
LOOK_S = 5.0
LIMITS = Limits(timeout_s=20.0, answer_bytes_max=64 * 1024)


@dataclass(slots=True)
class PingJob:
    """The job that pings; its pulse never counts.

    Attributes:
        url: tells the address, afresh for every ping: it is a secret.
    """

    url: Callable[[], str] = field(repr=False)
    activity: Activity
    name: str = ":ping"
    pulse: Pulse = field(default_factory=Pulse)
    _pinged_s: float = -inf

    def work(self, intake: Intake, stop: Callable[[], bool]) -> float:  # noqa: ARG002 - a job's form
        """Ping when a cycle went well since the last one; return seconds to rest."""
        self.pulse.rest(inf)
        now_s = time.monotonic()
        if now_s - self._pinged_s >= PING_PAUSE_S and self.activity.good_since(self._pinged_s):
            self._pinged_s = now_s
            self._ping()
        return LOOK_S

    def close(self) -> None:
        """Nothing is held open."""

    def _ping(self) -> None:
        try:
            get(Address(self.url()), LIMITS)
        except CollectorError as error:
            log.warning("ping.failed", error=error.problem, hint=error.hint)
        except Exception as error:
            log.warning("ping.failed", error=type(error).__name__, exc_info=error)
        else:
            log.debug("ping.sent")


def ping_jobs(settings: Settings, activity: Activity) -> list[PingJob]:
    """Return the job, if somebody is to be pinged."""
    url = settings.alarms.ping_url
    return [PingJob(url, activity)] if url is not None else []
