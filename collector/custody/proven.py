"""Proofs on their way from whoever makes them to whoever deletes.

Rule: after the first doubt there are none, and none come any more.  What is being deleted
at that moment has been proven; nothing else is begun.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from threading import Lock

from collector.domain.custody import Proof


class Proven:
    """What may be deleted and nobody has taken yet; for any number of threads."""

    def __init__(self) -> None:
        self._proofs: list[Proof] = []
        self._lock = Lock()
        self._is_doubtful = False

    def add(self, proofs: Iterable[Proof]) -> None:
        """Let these be taken, unless there is doubt."""
        with self._lock:
            if not self._is_doubtful:
                self._proofs.extend(proofs)

    def take(self) -> list[Proof]:
        """Return what was added since the last time, in its order."""
        with self._lock:
            taken, self._proofs = self._proofs, []
        return taken

    @contextmanager
    def unless_it_fails(self) -> Iterator[None]:
        """Whatever ends the block with an error is a doubt, whichever thread it happens in."""
        try:
            yield
        except BaseException:
            with self._lock:
                self._is_doubtful = True
                self._proofs = []
            raise
