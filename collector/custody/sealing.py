"""Seals full segments beside the cycles, in a thread of its own.

Rule: a cycle is kept waiting only while the ledger switches the places of one
segment, in one transaction; nothing is compressed or proven in the turn.

    new file proven -> entries switched -> old file removed

The writer does the first and the last.  A crash between any two is taken up at
the next start, when the same segment is sealed again.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from datetime import datetime

import structlog

from collector.custody.watch import utc_now
from collector.domain.errors import CycleError
from collector.ledger.ledger import Ledger
from collector.ledger.relocate import relocate
from collector.store.seal import Sealed
from collector.store.writer import ArchiveWriter

log = structlog.get_logger("collector.custody")

NICENESS = 19
"""Of the thread (setpriority(2) on Linux): cycles and mail server come first."""

SEGMENTS_MAX = 8
"""Sealed in one go, about 3 s of CPU each; the rest waits for the next time."""

WAIT_S = 0.2


@dataclass(slots=True)
class Sealing:
    """The sealing of one archive; its thread ends when the writer is closed.

    Attributes:
        turn: enters the archive alone, with segments and ledger level.
    """

    writer: ArchiveWriter
    ledger: Ledger
    turn: Callable[[], AbstractContextManager[None]]
    now: Callable[[], datetime] = utc_now
    _beginning: threading.Lock = field(default_factory=threading.Lock, init=False)
    _thread: threading.Thread | None = field(default=None, init=False)
    _failure: BaseException | None = field(default=None, init=False)

    def begin(self) -> None:
        """Seal what waits now, oldest first; returns at once, and does nothing while it goes on.

        Raises:
            IntegrityError: an earlier one found a damaged segment, or an fsync failed.
        """
        self._check()
        self.writer.roll()
        with self._beginning:
            names = self.writer.waiting()[:SEGMENTS_MAX]
            if names and not self._goes_on():
                self._thread = threading.Thread(target=self._run, args=(names,), daemon=True)
                self._thread.start()

    def finish(self, stop: Callable[[], bool]) -> None:
        """Wait until it is done, or until ``stop`` says so.

        Raises:
            IntegrityError: as ``begin``.
        """
        while self._thread is not None and self._goes_on() and not stop():
            self._thread.join(WAIT_S)
        self._check()

    def _goes_on(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _run(self, names: Sequence[str]) -> None:
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
        try:
            with self.ledger.session():
                for name in names:
                    self._seal(name)
        except CycleError as error:  # a full disk; what waits is tried again
            log.warning("segment.kept", error=error.problem, hint=error.hint)
        except BaseException as error:  # noqa: BLE001 - told to whoever asks next
            self._failure = error

    def _seal(self, name: str) -> None:
        sealed = self.writer.seal(name, self._switch)
        if sealed is not None:
            figures = {
                "segment": sealed.after.segment,
                "messages_count": len(sealed.after),
                "raw_bytes": sealed.after.raw_bytes,
                "open_bytes": sealed.open_bytes,
                "stored_bytes": sealed.sealed_bytes,
            }
            log.info("segment.sealed", **figures)
            self.ledger.record_event("segment.sealed", self.now(), mailbox="", **figures)

    def _switch(self, sealed: Sealed) -> None:
        with self.turn():
            relocate(self.ledger, sealed.before.segment, sealed.moves())
