"""A large message on its way: a file without a name, hashed as it comes off the wire.

Rule: nothing of it stays, however the process ends.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import weakref
from pathlib import Path

from collector.domain.blob import WINDOW_BYTES, Digest
from collector.domain.errors import CycleError
from collector.source.wire import Wire


class SpooledMessage:
    """The bytes of one message in a file; a ``RawMessage``."""

    def __init__(self, fd: int, size_bytes: int, digest: Digest) -> None:
        self._fd = fd
        self.size_bytes = size_bytes
        self.digest = digest
        weakref.finalize(self, os.close, fd)

    def window(self, offset: int, length: int) -> bytes:
        """Return up to ``length`` bytes from ``offset``."""
        return os.pread(self._fd, length, offset)


def spool(wire: Wire, size_bytes: int, spool_dir: Path) -> SpooledMessage:
    """Read a literal of ``size_bytes`` bytes from ``wire`` into a file.

    Raises:
        CycleError: the file cannot be written.
        imaplib.IMAP4.abort, OSError: the connection is lost, or too slow.
    """
    sha256 = hashlib.sha256()
    left_bytes = size_bytes
    try:
        file = tempfile.TemporaryFile(dir=spool_dir, buffering=0)  # noqa: SIM115
    except OSError as error:
        raise _unwritable(error, spool_dir) from error
    with file:
        while left_bytes:
            piece = wire.take(min(WINDOW_BYTES, left_bytes))
            sha256.update(piece)
            _write(file.fileno(), piece, spool_dir)
            left_bytes -= len(piece)
        return SpooledMessage(os.dup(file.fileno()), size_bytes, Digest(sha256.hexdigest()))


def _write(fd: int, piece: bytes, spool_dir: Path) -> None:
    rest = memoryview(piece)
    try:
        while rest:
            rest = rest[os.write(fd, rest) :]
    except OSError as error:
        raise _unwritable(error, spool_dir) from error


def _unwritable(error: OSError, spool_dir: Path) -> CycleError:
    return CycleError(
        f"a large message cannot be held on its way: {error.strerror}",
        subject=str(spool_dir),
        hint="make room on the archive's disk, and let the collector's user write there",
    )
