"""The writing side of an archive: one process at a time, one batch at a time.

Rule: what ``append`` has returned is durable.  After a failed fsync this
process appends nothing more, and the mark ``open`` stays in the lock, so that
the next process believes only what the medium hands back.

A segment is appended to until it is full.  One that a stopped process left open
is never appended to again unless the stop was clean and the segment is whole.
All others wait to be sealed, which any thread may do beside the appending.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from collector.domain.blob import BlobRef, RawMessage
from collector.domain.custody import Receipt, Settlement
from collector.domain.errors import CollectorError, ConfigError, CycleError, IntegrityError
from collector.domain.evidence import Event
from collector.store import durable
from collector.store.archive import Archive
from collector.store.arrival import Arrival, arrival, recorded, settled
from collector.store.inventory import Stopped
from collector.store.layout import Layout, next_name
from collector.store.lock import CLOSED, OPEN, ArchiveLock
from collector.store.opening import (
    is_whole,
    make_directories,
    open_segments,
    remove_unfinished,
    taken_names,
    write_format_md,
)
from collector.store.receipt import SETTLEMENTS_MAX
from collector.store.seal import SPARE_BYTES, Sealed, seal
from collector.store.segment import OpenSegment

SEAL_BYTES_MIN = 64 * 1024 * 1024


class ArchiveWriter:
    """An archive that this process writes; made by ``open``.

    Attributes:
        unclean: the last process did not close the archive, or left a segment
            that does not end at a frame border.
    """

    def __init__(self, layout: Layout, lock: ArchiveLock) -> None:
        self._layout = layout
        self._lock = lock
        self._turn = threading.RLock()
        self._sealing = threading.Lock()
        self._closing = threading.Event()
        self._broken: IntegrityError | None = None
        self._closed = False
        self._current: OpenSegment | None = None
        names = taken_names(layout)
        self.unclean = lock.found == OPEN or (lock.found != CLOSED and bool(names))
        self._waiting = open_segments(layout)
        if self._waiting and self._waiting[-1] == names[-1] and not self.unclean:
            if is_whole(layout, names[-1]):
                last = self._waiting.pop()
                self._current = OpenSegment.reopen(last, layout.segment(last))
            else:
                self.unclean = True
        if self.unclean:
            for name in self._waiting:
                durable.settle(layout.segment(name))

    @classmethod
    def open(cls, root: Path) -> ArchiveWriter:
        """Open the archive below ``root``; make it when it is not there.

        Raises:
            CycleError: another process writes it, or the disk is full.
            ConfigError: the directory cannot be made or written.
            IntegrityError: an fsync failed.
        """
        layout = Layout(root)
        try:
            make_directories(layout)
            lock = ArchiveLock.acquire(layout.lock_file)
        except OSError as error:
            raise _unusable(error, root) from error
        try:
            lock.mark(OPEN)
            durable.sync_directory(root)
            remove_unfinished(layout)
            write_format_md(root)
            return cls(layout, lock)
        except BaseException as error:
            lock.release()
            if isinstance(error, OSError):
                raise _unusable(error, root) from error
            raise

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Enter alone: the caller numbers and appends one batch inside."""
        with self._turn:
            yield

    def append(self, items: Sequence[tuple[Receipt, RawMessage | None]]) -> list[BlobRef | None]:
        """Store a batch; durable when this returns.

        Args:
            items: receipts in the order of their ``seq``, each with its message,
                or with ``None`` when the archive holds the bytes already.

        Returns:
            the place of each message, ``None`` where there was none.

        Raises:
            CycleError: the disk is full; nothing of the batch was stored.
            IntegrityError: a message is not what its receipt says, writing
                failed, or an fsync failed now or before.
        """
        return self._append([arrival(receipt, raw) for receipt, raw in items])

    def append_settlements(self, settlements: Sequence[Settlement]) -> None:
        """Store what became of messages in the mailbox; durable when this returns.

        Raises:
            CycleError, IntegrityError: as ``append``.
        """
        starts = range(0, len(settlements), SETTLEMENTS_MAX)
        self._append([settled(settlements[start : start + SETTLEMENTS_MAX]) for start in starts])

    def append_events(self, events: Sequence[Event]) -> None:
        """Store what happened to the archive; durable when this returns.

        Raises:
            CycleError, IntegrityError: as ``append``.
        """
        if events:
            self._append(list(recorded(events)))

    def check_sound(self) -> None:
        """Say nothing when every write of this process was made durable.

        Raises:
            IntegrityError: one was not.
            CycleError: the archive was closed.
        """
        if self._closed:
            raise CycleError("the archive was closed", subject=str(self._layout.root))
        if self._broken:
            raise IntegrityError(
                self._broken.what, subject=self._broken.subject, hint=self._broken.hint
            )

    def recover(self, last: BlobRef | None) -> list[str]:
        """Return the segments that an unclean stop left behind, once the ledger can be believed.

        Args:
            last: the last blob that the ledger names.

        Raises:
            IntegrityError: the medium does not hold that blob, so something
                durable was lost and the tail was not only torn.
        """
        if not self.unclean:
            return []
        for found in Archive(self._layout.root).reread([last] if last else []):
            if found.digest != found.blob.digest:
                raise IntegrityError(
                    f"what the ledger names was lost in the unclean stop: {found.problem}",
                    subject=f"{found.blob.digest}, segment {found.blob.segment}",
                    hint="nothing is deleted; this disk does not keep what it promised to keep",
                )
        return self.waiting()

    def roll(self, bytes_min: int = SEAL_BYTES_MIN) -> None:
        """Let the next batch begin a new segment when the present one has ``bytes_min``."""
        with self._turn:
            if self._current and self._current.size_bytes >= bytes_min:
                self._current.close()
                self._waiting.append(self._current.name)
                self._current = None

    def waiting(self) -> list[str]:
        """Return the segments that are appended to no more and are not sealed, oldest first."""
        return list(self._waiting)

    def seal(self, name: str, switch: Callable[[Sealed], object]) -> Sealed | None:
        """Seal one of the segments that wait; appending goes on meanwhile.

        Not to be called within a turn.

        Args:
            name: of the segment.
            switch: makes everything that names the old places name the new ones,
                durably.  Called when the new file is proven; the old one is
                removed when it returns.  May see the same moves again after a crash.

        Returns:
            what was sealed; ``None`` when the archive is being closed, or when
            the segment holds nothing (it is left as it is).

        Raises:
            CycleError: the disk is full; nothing is lost.
            IntegrityError: the segment is damaged, or as ``append``.
        """
        with self._sealing:
            if self._closing.is_set():
                return None
            with self._noting_failures():
                return self._seal(name, switch) if name in self._waiting else None

    def close(self) -> None:
        """End writing.  The mark says ``closed`` only when every write was made durable.

        A sealing under way is given up; what it had not finished is removed.
        """
        self._end(CLOSED)

    def abandon(self) -> None:
        """End writing as a killed process does: the mark stays ``open``."""
        self._end(OPEN)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close; after an IntegrityError the next process shall believe only the medium."""
        if isinstance(error, IntegrityError):
            self.abandon()
        else:
            self.close()

    def _end(self, mark: str) -> None:
        self._closing.set()
        with self._sealing, self._turn:
            if self._closed:
                return
            self._closed = True
            try:
                if self._current:
                    self._current.close()
                if mark == CLOSED and not self._broken:
                    self._lock.mark(CLOSED)
            except OSError as error:
                raise durable.write_error(error, self._layout.lock_file) from error
            finally:
                self._lock.release()

    def _seal(self, name: str, switch: Callable[[Sealed], object]) -> Sealed | None:
        try:
            sealed = seal(self._layout, name, self._closing.is_set)
        except Stopped:
            return None
        except OSError as error:
            raise durable.write_error(error, self._layout.segments_dir) from error
        if sealed:
            switch(sealed)
            _remove(self._layout.segment(name))
        self._waiting.remove(name)
        return sealed

    def _append(self, batch: Sequence[Arrival]) -> list[BlobRef | None]:
        with self._turn, self._noting_failures():
            if not batch:
                return []
            needed_bytes = sum(each.content_bytes for each in batch) + SPARE_BYTES
            return self._segment(needed_bytes).append(batch)

    def _segment(self, needed_bytes: int) -> OpenSegment:
        """Return the segment that takes the next batch, once there is space for it."""
        directory = self._layout.segments_dir
        try:
            durable.require_space(directory, needed_bytes)
            self.roll()
            if self._current is None:
                name = next_name(taken_names(self._layout))
                self._current = OpenSegment.create(name, self._layout.segment(name))
        except OSError as error:
            raise durable.write_error(error, directory) from error
        return self._current

    @contextmanager
    def _noting_failures(self) -> Iterator[None]:
        """Remember for good that an fsync failed: no later answer is worth anything."""
        self.check_sound()
        try:
            yield
        except durable.DurabilityError as error:
            self._broken = error
            raise


def _remove(path: Path) -> None:
    try:
        durable.remove(path)
    except OSError as error:
        raise durable.write_error(error, path) from error


def _unusable(error: OSError, root: Path) -> CollectorError:
    if durable.is_full(error):
        return durable.disk_full(root)
    return ConfigError(
        f"the archive's directory cannot be used: {error.strerror}",
        subject=str(root),
        hint="make it writable for the user the collector runs as, with mode 0700",
    )
