"""Lets the next thing be made ready while the one before is worked on.

Rule: what goes wrong while making ready is raised where it is taken, in its
turn; nothing runs any more once the block is left.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from contextvars import copy_context
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Event, Semaphore, Thread
from typing import Generic, TypeVar

T = TypeVar("T")


@contextmanager
def ahead(items: Generator[T, None, None], most: int) -> Iterator[Iterator[T]]:
    """Yield the items of a generator that runs in a thread of its own.

    Args:
        most: so many wait to be taken, the one that is being made among them; 0: each is
            made when it is asked for, in the thread that asks.
    """
    if not most:
        yield items
        return
    runner = _Runner(items, most)
    thread = Thread(target=copy_context().run, args=(runner.run,), daemon=True)
    thread.start()
    try:
        yield runner.taken()
    finally:
        runner.end(thread)


@dataclass(frozen=True, slots=True)
class _End:
    """Behind the last item; with the error that ended them, if one did."""

    error: BaseException | None


class _Runner(Generic[T]):
    def __init__(self, items: Generator[T, None, None], most: int) -> None:
        self._items = items
        self._ready: SimpleQueue[T | _End] = SimpleQueue()
        self._room = Semaphore(most)
        self._over = Event()

    def run(self) -> None:
        """Make items ready until there are no more, or until nobody wants them."""
        error: BaseException | None = None
        try:
            with closing(self._items):
                self._room.acquire()
                for item in self._items:
                    self._ready.put(item)
                    del item  # a batch of mail that is not waited for needs no memory
                    self._room.acquire()
                    if self._over.is_set():
                        break
        except BaseException as raised:  # noqa: BLE001 - raised again where items are taken
            error = raised
        self._ready.put(_End(error))

    def taken(self) -> Iterator[T]:
        """Yield the items in order; raise what ended them."""
        while not isinstance(item := self._ready.get(), _End):
            self._room.release()
            yield item
            del item
        if item.error is not None:
            raise item.error

    def end(self, thread: Thread) -> None:
        """Let the thread end with what it is making ready, and wait for it."""
        self._over.set()
        self._room.release()
        thread.join()
