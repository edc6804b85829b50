"""The heartbeat of each mailbox: whether its job made progress when it should have.

Rule: only progress feeds the watchdog, never a timer.  A job says by when it
will show life again; past that instant it counts as stuck.
"""

from __future__ import annotations

import time
from threading import Lock

WORKING_GRACE_S = 300.0
"""A working job shows progress (bytes, answers, messages) at least this often."""


class Pulse:
    """One mailbox's heartbeat."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._expected_by = time.monotonic() + WORKING_GRACE_S

    def beat(self) -> None:
        """Show progress; expected again within ``WORKING_GRACE_S``."""
        self.rest(0.0)

    def rest(self, pause_s: float) -> None:
        """Announce a pause: expected again ``WORKING_GRACE_S`` after its end."""
        with self._lock:
            self._expected_by = time.monotonic() + pause_s + WORKING_GRACE_S

    def alive(self) -> bool:
        """Return whether the job is within its time."""
        with self._lock:
            return time.monotonic() < self._expected_by
