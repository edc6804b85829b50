"""Every write that must survive power loss.

Rule: no other module calls os.fsync, os.fdatasync, os.rename, os.replace,
os.mkdir or os.link.

A new directory: mkdir, fsync(parent).  A new file: open(O_EXCL), fsync(file),
fsync(directory).  An append: write, fdatasync(file).  A small file written
anew: open temp, write, fsync(file), rename, fsync(directory).  A finished file
under its own name: link, unlink, fsync(directory).  A removal: unlink,
fsync(directory).  The directory is open throughout, so that its error is
reported to us.

After a failed fsync nothing read back can be believed: DurabilityError is
raised, nothing is tried again, and the caller must stop.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from collector.domain.errors import CollectorError, CycleError, IntegrityError

DIRECTORY_MODE = 0o700
FILE_MODE = 0o600
SEALED_MODE = 0o440

_FULL = {errno.ENOSPC, errno.EDQUOT}
_NEW_FILE = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC


class DurabilityError(IntegrityError):
    """A write could not be made durable; this process must not rely on any later one."""


def write_error(error: OSError, path: Path) -> CollectorError:
    """Return what a failed write means: a full disk stops the cycle, all else the service."""
    if is_full(error):
        return disk_full(path)
    return IntegrityError(
        f"writing failed: {error.strerror}",
        subject=str(path),
        hint="look at the disk and the kernel log before starting again",
    )


def is_full(error: OSError) -> bool:
    """Say whether a write failed for want of space (or of quota)."""
    return error.errno in _FULL


def disk_full(path: Path) -> CycleError:
    """Return the error of a disk without space."""
    return CycleError(
        "the disk is full", subject=str(path), hint="free some space; the mail stays in the mailbox"
    )


def require_space(path: Path, needed_bytes: int) -> None:
    """Say nothing when the disk of ``path`` has ``needed_bytes`` free for us.

    Raises:
        CycleError: it has not.
        CollectorError: it cannot be asked, as ``write_error`` has it.
    """
    try:
        figures = os.statvfs(path)
    except OSError as error:
        raise write_error(error, path) from error
    if figures.f_bavail * figures.f_frsize < needed_bytes:
        raise disk_full(path)


def make_directory(path: Path) -> None:
    """Make ``path`` and every missing parent, each durable before the next.

    Raises:
        OSError: one of them cannot be made.
        DurabilityError: an fsync failed.
    """
    if path.is_dir():
        return
    make_directory(path.parent)
    with directory(path.parent) as parent_fd:
        try:
            os.mkdir(path, DIRECTORY_MODE)  # noqa: PTH102 - the one room for system calls
        except FileExistsError:
            if not path.is_dir():
                raise
        _fsync(parent_fd, path.parent)


def create(path: Path) -> int:
    """Make a new, empty, durable file and return it open for appending.

    Raises:
        OSError: it cannot be made, or is there already.
        DurabilityError: an fsync failed.
    """
    with directory(path.parent) as parent_fd:
        fd = os.open(path, _NEW_FILE, FILE_MODE)
        try:
            _fsync(fd, path)
            _fsync(parent_fd, path.parent)
        except BaseException:
            os.close(fd)
            raise
    return fd


def write(fd: int, piece: bytes) -> None:
    """Write all of ``piece``; durable only after ``sync``.

    Raises:
        OSError: as write(2).
    """
    view = memoryview(piece)
    while view:
        view = view[os.write(fd, view) :]


def sync(fd: int, path: Path) -> None:
    """Make what was appended durable (fdatasync covers the length as well)."""
    try:
        os.fdatasync(fd)
    except OSError as error:
        raise _not_durable(error, path) from error


def sync_file(fd: int, path: Path) -> None:
    """Make a file durable with its mode and times."""
    _fsync(fd, path)


def sync_directory(path: Path) -> None:
    """Make the names in the directory ``path`` durable.

    Raises:
        CollectorError: it cannot be opened, as ``write_error`` has it.
        DurabilityError: an fsync failed.
    """
    try:
        with directory(path) as fd:
            _fsync(fd, path)
    except OSError as error:
        raise write_error(error, path) from error


def cut(fd: int, size_bytes: int, path: Path) -> None:
    """Take back appended bytes that were not made durable.

    Raises:
        DurabilityError: they could not be taken back, so the file may show a
            later reader what was never promised.
    """
    try:
        os.ftruncate(fd, size_bytes)
    except OSError as error:
        raise _not_durable(error, path) from error


def overwrite(fd: int, content: bytes, path: Path) -> None:
    """Write a few bytes over the beginning of an open file; they fit in one sector."""
    os.pwrite(fd, content, 0)
    _fsync(fd, path)


def publish(path: Path, content: bytes) -> None:
    """Put a whole small file into place under its name, or leave the old one there."""
    temporary = path.with_name(f"{path.name}.new")
    temporary.unlink(missing_ok=True)
    fd = os.open(temporary, _NEW_FILE, FILE_MODE)
    try:
        write(fd, content)
        _fsync(fd, temporary)
    finally:
        os.close(fd)
    move(temporary, path)


def move(source: Path, target: Path) -> None:
    """Rename ``source`` over ``target`` in the same directory, durably."""
    with directory(target.parent) as fd:
        os.rename(source, target)  # noqa: PTH104 - the one room for system calls
        _fsync(fd, target.parent)


def link(source: Path, target: Path) -> None:
    """Give ``source`` the name ``target`` in the same directory, durably.

    Raises:
        OSError: something has that name already; nothing is overwritten.
    """
    with directory(target.parent) as fd:
        os.link(source, target, follow_symlinks=False)
        source.unlink()
        _fsync(fd, target.parent)


def remove(path: Path) -> None:
    """Remove a file durably."""
    with directory(path.parent) as fd:
        path.unlink()
        _fsync(fd, path.parent)


def remove_all(paths: Sequence[Path], parent: Path) -> None:
    """Remove files of one directory, durably together; what is gone already is no error.

    Raises:
        OSError: one of them cannot be removed.
        DurabilityError: an fsync failed.
    """
    with directory(parent) as fd:
        for path in paths:
            path.unlink(missing_ok=True)
        _fsync(fd, parent)


def settle(path: Path) -> None:
    """Bring a file that a stopped process left behind in line with the medium.

    Pages it wrote may still be dirty, or clean without ever having reached the
    disk (a failed fsync).  The fsync sends the first, dropping the cache
    forgets the second; only what is read afterwards is believed.

    Raises:
        CollectorError: it cannot be opened, as ``write_error`` has it.
        DurabilityError: an fsync failed.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise write_error(error, path) from error
    try:
        _fsync(fd, path)
        drop_cache(fd)
    finally:
        os.close(fd)


def drop_cache(fd: int) -> None:
    """Make the next read of this file come from the medium (posix_fadvise(2)).

    The whole file, because pages are kept in groups, and one of which only a
    part is asked for stays.  What is dirty stays as well.
    """
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)


@contextmanager
def directory(path: Path) -> Iterator[int]:
    """Hold a directory open, so that an error of its write-back is not lost."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)


def _fsync(fd: int, path: Path) -> None:
    try:
        os.fsync(fd)
    except OSError as error:
        raise _not_durable(error, path) from error


def _not_durable(error: OSError, path: Path) -> DurabilityError:
    return DurabilityError(
        f"a write could not be made durable: {error.strerror}",
        subject=str(path),
        hint="nothing more is deleted; look at the disk and the kernel log, then start again",
    )
