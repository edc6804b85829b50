"""A large stored message in a file without a name, for access in any order.

Rule: the file lies on the archive's own disk and goes with the last reference.
"""

from __future__ import annotations

import os
import tempfile
import weakref
from collections.abc import Iterable
from pathlib import Path
from typing import IO

from collector.domain.blob import BlobRef
from collector.domain.errors import ConfigError
from collector.store import durable


class SpooledBlob:
    """A blob in a file without a name."""

    def __init__(self, fd: int, blob: BlobRef) -> None:
        self._fd = fd
        self.size_bytes = blob.size_bytes
        self.digest = blob.digest
        weakref.finalize(self, os.close, fd)

    def window(self, offset: int, length: int) -> bytes:
        """Return up to ``length`` bytes from ``offset``."""
        return os.pread(self._fd, length, offset)


def spooled(pieces: Iterable[bytes], blob: BlobRef, directory: Path) -> SpooledBlob:
    """Write the bytes of ``blob`` to a file in ``directory``.

    Raises:
        ConfigError, CycleError: it cannot be made or written there.
    """
    with _nameless_file(directory) as spool:
        for piece in pieces:
            try:
                durable.write(spool.fileno(), piece)
            except OSError as error:
                raise durable.write_error(error, directory) from error
        return SpooledBlob(os.dup(spool.fileno()), blob)


def _nameless_file(directory: Path) -> IO[bytes]:
    try:
        return tempfile.TemporaryFile(dir=directory, buffering=0)
    except OSError as error:
        if durable.is_full(error):
            raise durable.disk_full(directory) from error
        raise ConfigError(
            f"a large message cannot be spooled: {error.strerror}",
            subject=str(directory),
            hint="make the directory, with mode 0700, for the user the collector runs as",
        ) from error
