"""The writing side of one segment file: appends batches as zstd frames.

Rule: after every call the file ends at a frame border and what it holds is
durable, or the call has raised DurabilityError and nobody may append again.

A batch is: write, write, ..., fdatasync.  A batch that fails before its
fdatasync is cut off again.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from collector.domain.blob import BlobRef
from collector.store import durable
from collector.store.arrival import Arrival
from collector.store.frame import OPEN_LEVEL
from collector.store.frames import FrameWriter


class OpenSegment:
    """The segment that is appended to.

    Attributes:
        size_bytes: its length, all of it durable.
    """

    def __init__(self, name: str, path: Path, fd: int) -> None:
        self.name = name
        self.size_bytes = os.fstat(fd).st_size
        self._path = path
        self._fd = fd
        self._frames = FrameWriter(
            name, OPEN_LEVEL, self.size_bytes, lambda piece: durable.write(fd, piece)
        )

    @classmethod
    def create(cls, name: str, path: Path) -> OpenSegment:
        """Begin a segment; its name is durable when this returns.

        Raises:
            CollectorError: as ``durable.write_error`` has it.
        """
        try:
            return cls(name, path, durable.create(path))
        except OSError as error:
            raise durable.write_error(error, path) from error

    @classmethod
    def reopen(cls, name: str, path: Path) -> OpenSegment:
        """Go on with a segment that ends at a frame border.

        Raises:
            OSError: as open(2).
        """
        flags = os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        return cls(name, path, os.open(path, flags))

    def append(self, batch: Iterable[Arrival]) -> list[BlobRef | None]:
        """Write a batch; durable when this returns.

        Returns:
            the place of each message, ``None`` where there was none.

        Raises:
            IntegrityError: bytes are not what their receipt says, or writing failed.
            CycleError: the disk is full.
            DurabilityError: an fsync failed, or a failed batch could not be cut off.
        """
        try:
            blobs = list(self._frames.write(batch))
            durable.sync(self._fd, self._path)
        except durable.DurabilityError:
            raise
        except BaseException as error:
            durable.cut(self._fd, self.size_bytes, self._path)
            self._frames.offset = self.size_bytes
            if isinstance(error, OSError):
                raise durable.write_error(error, self._path) from error
            raise
        self.size_bytes = self._frames.offset
        return blobs

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._fd)
