"""Waits for an issuer no longer than it may hold up a mailbox.

Rule: the libraries limit the time between two bytes, not the time of a request; what
is not done by then goes on in a thread that nobody waits for, and its result is lost.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from collector.domain.errors import CycleError

T = TypeVar("T")

WAIT_S = 60.0


class _Call(Generic[T]):
    def __init__(self, call: Callable[[], T]) -> None:
        self._call = call
        self.result: list[T] = []
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            self.result.append(self._call())
        except BaseException as error:  # noqa: BLE001 - raised again by whoever waits
            self.error = error


def within(wait_s: float, call: Callable[[], T], issuer: str) -> T:
    """Return what ``call`` returns, or raise what it raises.

    Raises:
        CycleError: it took longer.
    """
    made = _Call(call)
    thread = threading.Thread(target=made.run, daemon=True)
    thread.start()
    thread.join(wait_s)
    if made.error is not None:
        raise made.error
    if not made.result:
        raise CycleError(
            f"no access token within {wait_s:.0f} s", subject=issuer, hint="it is tried again"
        )
    return made.result[0]
