"""Whose turn it is to write: one batch is stored while the one before it is committed.

Rule: what was stored first is committed first, and nothing is committed behind what
was not.  After any failure segments and ledger are made level before anything else is
numbered.

Must not know: what is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from threading import Lock

from collector.domain.errors import CycleError


class Turns:
    """The turns of one archive, for any number of threads."""

    def __init__(
        self, storing: Callable[[], AbstractContextManager[None]], make_level: Callable[[], None]
    ) -> None:
        """Nobody has had a turn yet, so what a crash left may have to be made level.

        Args:
            storing: lets one in at a time.
            make_level: lets the ledger name all that the segments hold.
        """
        self._storing = storing
        self._make_level = make_level
        self._committing = Lock()
        self._is_level = False

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Enter while nobody stores or commits, with segments and ledger level.

        Raises:
            CollectorError: as ``storing`` and ``make_level`` have it.
        """
        with self._storing(), self._committing, self._doubted_if_it_fails():
            self._level_out()
            yield

    @contextmanager
    def batch(self) -> Iterator[Callable[[], None]]:
        """Enter to store a batch; when it is durable call what is yielded, then commit it.

        That call waits until the batch before is committed, and lets the next one enter.

        Raises:
            CycleError: by that call: the batch before was not committed, so this one must
                not be.  The next turn takes both into the ledger.
            CollectorError: as ``storing`` and ``make_level`` have it.
        """
        with ExitStack() as committing, ExitStack() as storing, self._doubted_if_it_fails():
            storing.enter_context(self._storing())
            if not self._is_level:
                with self._committing:
                    self._level_out()

            def stored() -> None:
                committing.enter_context(self._committing)
                if not self._is_level:
                    raise CycleError(
                        "a batch is not committed, because the one stored before it was not",
                        hint="nothing of it was deleted, and the next cycle takes it up; "
                        "look for the error of another mailbox",
                    )
                storing.close()

            yield stored

    def _level_out(self) -> None:
        if not self._is_level:
            self._make_level()
            self._is_level = True

    @contextmanager
    def _doubted_if_it_fails(self) -> Iterator[None]:
        """Whatever ends the block with an error may have left the ledger behind the segments."""
        try:
            yield
        except BaseException:
            self._is_level = False
            raise
