"""The lock of the one process that writes, and the mark of an unclean stop.

Rule: the kernel's lock (flock(2)) decides who writes; the file's content only
tells: ``open <pid>`` while somebody writes, ``closed <pid>`` after a clean
stop.  Whatever is not ``closed`` was not closed.
"""

from __future__ import annotations

import fcntl
import os
import re
from pathlib import Path

from collector.domain.errors import ConfigError, CycleError
from collector.store import durable

OPEN, CLOSED = "open", "closed"

_CONTENT_BYTES = 32
_CONTENT = re.compile(r"(open|closed) ([0-9]+) *\n")


class ArchiveLock:
    """A held lock.

    Attributes:
        found: the mark that the last holder left, empty when there is none.
    """

    def __init__(self, path: Path, fd: int) -> None:
        self._path = path
        self._fd = fd
        self.found = _decode(fd)[0]

    @classmethod
    def acquire(cls, path: Path) -> ArchiveLock:
        """Take the lock, or raise at once.

        Raises:
            CycleError: another process holds it.
            ConfigError: the file cannot be made or locked.
        """
        try:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise _unusable(path, error) from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = _decode(fd)[1]
            os.close(fd)
            raise _in_use(path, holder) from error
        except OSError as error:
            os.close(fd)
            raise _unusable(path, error) from error
        return cls(path, fd)

    def mark(self, word: str) -> None:
        """Write ``open`` or ``closed``, durably.

        Raises:
            OSError: it cannot be written.
            DurabilityError: an fsync failed.
        """
        content = f"{word} {os.getpid()}".ljust(_CONTENT_BYTES - 1) + "\n"
        durable.overwrite(self._fd, content.encode("ascii"), self._path)

    def release(self) -> None:
        """Let others have it; the mark stays as it is."""
        os.close(self._fd)


def _decode(fd: int) -> tuple[str, str]:
    content = os.pread(fd, _CONTENT_BYTES, 0).decode("ascii", "replace")
    found = _CONTENT.fullmatch(content)
    return (found[1], found[2]) if found else (OPEN if content else "", "unknown")


def _in_use(path: Path, holder: str) -> CycleError:
    return CycleError(
        "the archive is in use by another process",
        subject=str(path.parent),
        hint=f"process {holder} has it open; stop it, or wait until it ends",
    )


def _unusable(path: Path, error: OSError) -> ConfigError:
    return ConfigError(
        f"the archive cannot be locked: {error.strerror}",
        subject=str(path),
        hint="give the directory to the user the collector runs as, on a local file system",
    )
