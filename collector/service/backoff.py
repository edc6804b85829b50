"""How long a mailbox rests after a cycle that failed.

Rule: what the server asked for is honoured; otherwise the pause doubles, with
full jitter, so that many collectors do not come back at once (imap reference, 2.7).
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from collector.domain.errors import ConfigError, CycleError, LoginError

FIRST_S = 30.0
MAX_S = 900.0
LOGIN_S = 3600.0
"""A refused login is repeated seldom: servers lock accounts that keep trying."""


@dataclass(slots=True)
class Backoff:
    """The pauses of one mailbox."""

    failures_count: int = 0

    def succeeded(self) -> None:
        """Begin anew."""
        self.failures_count = 0

    def failed(self, error: CycleError | ConfigError) -> float:
        """Return the seconds to rest after ``error``."""
        self.failures_count += 1
        if isinstance(error, CycleError) and error.retry_after_s is not None:
            return error.retry_after_s * random.uniform(1.0, 1.1)  # noqa: S311 - jitter
        if isinstance(error, LoginError):
            return LOGIN_S * random.uniform(0.9, 1.1)  # noqa: S311
        ceiling = min(FIRST_S * 2 ** (self.failures_count - 1), MAX_S)
        return random.uniform(ceiling / 2, ceiling)  # noqa: S311


def jittered(interval_s: float) -> float:
    """Return the interval, up to a tenth longer or shorter."""
    return interval_s * random.uniform(0.9, 1.1)  # noqa: S311
