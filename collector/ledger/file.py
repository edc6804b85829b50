"""The ledger's file as the file system sees it: whether it is there, may be written, is made.

Rule: opens no database.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

from collector.domain.errors import ConfigError, CycleError


def is_read_only(path: Path) -> bool:
    """Say whether this process can only read the ledger: a copy, or another's archive."""
    return not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK))


def read_only_address(path: Path) -> str:
    """Return the address under which SQLite opens a file that it cannot write.

    Without a log beside it nobody is writing, and it is whole as it is.
    """
    log = Path(f"{path}-wal")
    whole = not log.exists() or log.stat().st_size == 0
    return f"{path.absolute().as_uri()}?mode=ro{'&immutable=1' if whole else ''}"


def file_exists(path: Path) -> bool:
    """Say whether there is a ledger file.

    Raises:
        ConfigError: its directory cannot be searched.
    """
    try:
        return path.exists()
    except OSError as error:
        raise ConfigError(
            f"the ledger cannot be reached: {error.strerror}",
            subject=str(path),
            hint="the user who runs this must own the archive",
        ) from error


def create_file(path: Path) -> None:
    """Make an empty ledger file that only its owner can read.

    Raises:
        ConfigError: it exists, or cannot be made there.
        CycleError: the disk is full.
    """
    try:
        path.touch(mode=0o600, exist_ok=False)
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise disk_full(str(path)) from error
        raise ConfigError(
            f"the ledger cannot be made: {error.strerror}",
            subject=str(path),
            hint="look at the directory and its permissions",
        ) from error


def disk_full(subject: str) -> CycleError:
    """Return the error of a disk without space."""
    hint = "make room; nothing is lost, messages wait in the mailbox meanwhile"
    return CycleError("the disk is full", subject=subject, hint=hint)


def no_ledger(path: Path) -> ConfigError:
    """Return the error of a ledger that is not there."""
    hint = "run `collector rebuild`, or `collector migrate` for an empty one"
    return ConfigError("there is no ledger", subject=str(path), hint=hint)
