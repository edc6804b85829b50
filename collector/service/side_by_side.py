"""Works on several mailboxes at the same time, each in a thread of its own.

Rule: what comes back stands in the order of what was handed in, whoever was first.  A
failure that is not a mailbox's own stops all of them at their next message, and goes up
when they have ended.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeVar

from collector.custody.watch import Watch
from collector.domain.errors import IntegrityError

Item = TypeVar("Item")
Result = TypeVar("Result")

AT_ONCE_MAX = 4
"""Mailboxes: the archive stores one batch at a time, so more would mostly fill memory."""


def side_by_side(
    action: Callable[[Item, Watch], Result], items: Sequence[Item], watch: Watch
) -> list[Result]:
    """Return ``action`` of each item, in their order; a single one runs in this thread.

    Args:
        action: is handed a watch whose stop sign also stands when another one failed.
        watch: its ``advanced`` is told the sums over all items, by one thread at a time.

    Raises:
        IntegrityError: one was raised; it comes before all others.
        BaseException: the first in order that was raised.
    """
    if len(items) == 1:
        return [action(items[0], watch)]
    halted = threading.Event()
    sums = _Sums(watch.advanced)

    def stop() -> bool:
        return halted.is_set() or watch.stop()

    def run(place: int, item: Item) -> Result:
        try:
            return action(item, replace(watch, stop=stop, advanced=partial(sums.advanced, place)))
        except BaseException:
            halted.set()
            raise

    with ThreadPoolExecutor(_at_once(len(items)), thread_name_prefix="mailbox") as pool:
        ends = [
            pool.submit(copy_context().run, run, place, item) for place, item in enumerate(items)
        ]
    failures = [failure for end in ends if (failure := end.exception())]
    for failure in sorted(failures, key=lambda each: not isinstance(each, IntegrityError)):
        raise failure
    return [end.result() for end in ends]


def _at_once(count: int) -> int:
    """Return the number of threads; two even on one core, for a server is waited for too."""
    return max(1, min(count, AT_ONCE_MAX, max(2, os.cpu_count() or 1)))


@dataclass(slots=True)
class _Sums:
    """What all items together have done, and have before them."""

    advanced_to: Callable[[int, int], None]
    _latest: dict[int, tuple[int, int]] = field(default_factory=dict)
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def advanced(self, place: int, done_count: int, total_count: int) -> None:
        with self._turn:
            self._latest[place] = done_count, total_count
            done, total = map(sum, zip(*self._latest.values(), strict=True))
            self.advanced_to(done, total)
