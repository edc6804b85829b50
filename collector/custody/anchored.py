"""Which checkpoints somebody outside has, or may have: lines beside the checkpoints.

Rule: what stands here is never thinned out.  A checkpoint is noted as ``intended`` before
it is shown, durably, and once more when somebody has it; a line that a crash cut off is
passed over.  Lines are added, and checkpoints removed, by one process at a time (flock(2)
on the directory): what is there once its line stands will stay.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from collector.domain.errors import IntegrityError
from collector.store import durable

NAME = "anchored.txt"
INTENDED = "intended"
LOOK = "look at the disk"
_LINE = re.compile(rf"([0-9]{{1,19}}) (\S+) \S+( {INTENDED})?")
_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Anchored:
    """The record of one archive; ``directory`` is that of its checkpoints."""

    directory: Path

    def intend(self, size: int, place: str, now: datetime) -> None:
        """Write down, durably, that ``place`` is about to get the checkpoint of ``size`` leaves.

        Raises:
            CycleError: the disk is full; it must not be shown.
            IntegrityError: writing failed; nothing is to be relied on any more.
        """
        self._append(f"{size} {_word(place)} {_text(now)} {INTENDED}\n".encode())

    def add(self, size: int, place: str, now: datetime) -> None:
        """Write down that ``place`` has the checkpoint of ``size`` leaves, durably.

        Raises:
            CycleError: the disk is full.
            IntegrityError: writing failed; nothing is to be relied on any more.
        """
        self._append(f"{size} {_word(place)} {_text(now)}\n".encode())

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Wait until nobody else adds a line or removes a checkpoint.

        A turn ends with what it does (one line, or ``THINNED_MAX`` checkpoints), or with its
        process.
        """
        try:
            fd = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            what = f"the checkpoints cannot be opened: {error.strerror}"
            raise IntegrityError(what, subject=str(self.directory), hint=LOOK) from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)

    def _append(self, line: bytes) -> None:
        path = self.directory / NAME
        with self._turn():
            try:
                is_new = not path.exists()
                fd = os.open(path, _FLAGS, durable.FILE_MODE)
                try:
                    end = os.fstat(fd).st_size
                    is_torn = end > 0 and os.pread(fd, 1, end - 1) != b"\n"
                    durable.write(fd, b"\n" + line if is_torn else line)
                    durable.sync(fd, path)
                finally:
                    os.close(fd)
            except OSError as error:
                raise durable.write_error(error, path) from error
            if is_new:
                durable.sync_directory(self.directory)

    def sizes(self) -> set[int]:
        """Return the sizes of all checkpoints that were anchored.

        Raises:
            IntegrityError: the record cannot be read.
        """
        return {size for size, _place, is_intent in self._lines() if not is_intent}

    def kept(self) -> set[int]:
        """Return the sizes of those that somebody outside has, or may have.

        Raises:
            IntegrityError: the record cannot be read.
        """
        return {size for size, _place, _is_intent in self._lines()}

    @contextmanager
    def frozen(self) -> Iterator[set[int]]:
        """Yield the sizes of those that somebody outside has, or may have; no line is added.

        Raises:
            IntegrityError: the directory or the record cannot be read.
        """
        with self._turn():
            yield self.kept()

    def newest(self, place: str) -> int:
        """Return the size of the newest checkpoint that ``place`` has, 0 for none.

        Raises:
            IntegrityError: the record cannot be read.
        """
        word = _word(place)
        had = (size for size, each, is_intent in self._lines() if each == word and not is_intent)
        return max(had, default=0)

    def _lines(self) -> Iterator[tuple[int, str, bool]]:
        path = self.directory / NAME
        try:
            with path.open(encoding="utf-8", errors="replace") as file:
                for line in file:
                    if found := _LINE.fullmatch(line.rstrip("\n")):
                        yield int(found[1]), found[2], found[3] is not None
        except FileNotFoundError:
            return
        except OSError as error:
            what = f"the record of anchored checkpoints cannot be read: {error.strerror}"
            raise IntegrityError(what, subject=str(path), hint=LOOK) from error


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _word(place: str) -> str:
    """Return the name of a place as one word."""
    return quote(place, safe="/:.@#-_")
