"""Waits for new mail with IDLE (RFC 2177), on a connection that may die in silence.

Rule: an ended connection is an answer, never a busy loop; IDLE is renewed, so that a
silent death is found and no server logs us out for idleness.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from collector.domain.errors import CollectorError
from collector.source.client import Client
from collector.source.connection import Connection
from collector.source.lines import exists_of, expunged_count

LOOK_S = 1.0
"""How often the stop sign is looked at."""


def wait_for_exists(
    connection: Connection, listed_count: int, timeout_s: float, stop: Callable[[], bool]
) -> bool:
    """Wait until the folder holds more than ``listed_count`` messages.

    Returns:
        ``False`` when the time is over, ``stop`` said so, or the connection died.
    """
    until_s = time.monotonic() + timeout_s
    session = connection.current
    arrived = False
    try:
        with connection.guarded("waiting for new mail failed"):
            while session and not (arrived or stop()) and time.monotonic() < until_s:
                renew_s = min(until_s, time.monotonic() + connection.account.limits.idle_s)
                idle = _Idle(session.client, listed_count)
                idle.until(renew_s, stop)
                idle.done()
                arrived, listed_count = idle.arrived, idle.count
    except CollectorError:
        return False
    return arrived


class _Idle:
    """One IDLE command.

    Its answers cost the server nothing, so a connection on which they do not come is dead.

    Attributes:
        count: messages in the folder, as far as told.
        arrived: it has grown, even if others went.
    """

    def __init__(self, client: Client, count: int) -> None:
        self.count = count
        self.arrived = False
        self._wire = client.wire
        self._expect_soon()
        self._tag = self._wire.begin(b"IDLE")
        while not (line := self._wire.line()).startswith(b"+"):
            if line.startswith(self._tag):
                raise client.Error("IDLE was refused")
            self._heed(line)

    def until(self, until_s: float, stop: Callable[[], bool]) -> None:
        """Listen until a message has arrived, the time is over, or ``stop`` says so."""
        while not (self.arrived or stop()) and (left_s := until_s - time.monotonic()) > 0:
            if self._wire.wait(min(left_s, LOOK_S)):
                self._heed(self._wire.line())

    def done(self) -> None:
        """End the command; the connection can be used again."""
        self._expect_soon()
        self._wire.send(b"DONE\r\n")
        while not (line := self._wire.line()).startswith(self._tag):
            self._heed(line)
        self._wire.sock.settimeout(self._wire.limits.silence_s)

    def _expect_soon(self) -> None:
        limits = self._wire.limits
        self._wire.sock.settimeout(min(limits.connect_s, limits.silence_s))

    def _heed(self, line: bytes) -> None:
        if line.startswith(b"* BYE"):
            raise self._wire.abort("the server ended the connection")
        if (exists := exists_of(line)) is not None:
            self.arrived |= exists > self.count
            self.count = exists
        else:
            self.count -= expunged_count(line)
