"""Signs the head of the log, again and again, and never two that contradict each other.

Rule: before a head is signed, the log is proven to continue the last one that was;
what was signed is durable before anybody hears of it.  A signer that cannot sign
now holds nothing up: the next checkpoint covers what this one would have.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from collector.domain.errors import IntegrityError
from collector.domain.evidence import Checkpoint, SignedCheckpoint
from collector.evidence.checkpoint import Signer, read_checkpoint, sign_checkpoint
from collector.evidence.note import NOTE_BYTES_MAX, VerifierKey
from collector.ledger.log import Log
from collector.store import durable

NAME = re.compile(r"([0-9]{12}|[1-9][0-9]{12,18})\.checkpoint")
SUFFIX = ".checkpoint"
ROLLED_BACK = (
    "nothing is signed or deleted; an old copy was put back, or rows are lost: bring the newest "
    "copy back, or run `collector rebuild`"
)


@dataclass(slots=True)
class Checkpoints:
    """The checkpoints of one archive, as the process that writes it makes them.

    Attributes:
        directory: holds one file for each, named by its size.
        signer: of the next one.
        keys: of all that were signed before, and of the next.
    """

    directory: Path
    signer: Signer
    keys: Sequence[VerifierKey]
    _last: SignedCheckpoint | None = field(default=None, init=False)
    _turn: threading.Lock = field(default_factory=threading.Lock, init=False)

    def issue(self, log: Log) -> SignedCheckpoint | None:
        """Sign the head of the log, durably; ``None`` when it has not grown.

        Raises:
            IntegrityError: the log does not continue the last checkpoint, or that
                one cannot be read; nothing was signed.
            CycleError: the signer cannot sign now, or the disk is full.
            ConfigError: the signer uses another key than it should.
        """
        with self._turn:
            last = self._last = self._last or self.latest()
            head = Checkpoint(self.signer.key.name, *log.head())
            if last is not None:
                _check_continues(log, last.checkpoint, head)
            if head.size == (last.checkpoint.size if last else 0):
                return None
            signed = sign_checkpoint(head, [self.signer])
            self._write(signed)
            self._last = signed
            return signed

    def newest(self) -> SignedCheckpoint | None:
        """Return the one that was signed or read last; the directory is listed once at most.

        Raises:
            IntegrityError: as ``latest``.
        """
        with self._turn:
            self._last = self._last or self.latest()
            return self._last

    def latest(self) -> SignedCheckpoint | None:
        """Return the largest checkpoint, ``None`` when there is none.

        Raises:
            IntegrityError: it cannot be read, or no known key signed it.
        """
        sizes = checkpoint_sizes(self.directory)
        if not sizes:
            return None
        return read_file(checkpoint_file(self.directory, sizes[-1]), self.keys)

    def _write(self, signed: SignedCheckpoint) -> None:
        path = checkpoint_file(self.directory, signed.checkpoint.size)
        try:
            durable.publish(path, signed.raw)
        except OSError as error:
            raise durable.write_error(error, path) from error


def checkpoint_sizes(directory: Path) -> list[int]:
    """Return the sizes of the checkpoints that lie in a directory, ascending.

    Raises:
        IntegrityError: the directory cannot be read.
    """
    return sorted(int(found[1]) for name in names_in(directory) if (found := NAME.fullmatch(name)))


def checkpoint_file(directory: Path, size: int) -> Path:
    """Return the file of a checkpoint."""
    return directory / f"{size:012d}{SUFFIX}"


def checkpoint_files(directory: Path) -> Iterator[Path]:
    """Yield the files of checkpoints, by size.

    Raises:
        IntegrityError: the directory cannot be read.
    """
    for size in checkpoint_sizes(directory):
        yield checkpoint_file(directory, size)


def names_in(directory: Path) -> list[str]:
    """Return the names in the directory of checkpoints, none when it is not there.

    Raises:
        IntegrityError: it cannot be read.
    """
    try:
        return os.listdir(directory)  # noqa: PTH208 - 100,000 paths would take 40 MB
    except FileNotFoundError:
        return []
    except OSError as error:
        what = f"the checkpoints cannot be listed: {error.strerror}"
        raise IntegrityError(what, subject=str(directory), hint="look at the disk") from error


def read_file(path: Path, keys: Sequence[VerifierKey]) -> SignedCheckpoint:
    """Read a checkpoint that one of ``keys`` signed.

    Raises:
        IntegrityError: it cannot be read, or is not what its name says.
    """
    try:
        with path.open("rb") as file:
            signed = read_checkpoint(file.read(NOTE_BYTES_MAX + 1), keys)
    except OSError as error:
        what = f"a checkpoint cannot be read: {error.strerror}"
        raise IntegrityError(what, subject=str(path), hint="look at the disk") from error
    except IntegrityError as error:
        raise IntegrityError(error.what, subject=str(path), hint=error.hint) from error
    if signed.checkpoint.size != int(path.name.removesuffix(SUFFIX)):
        raise IntegrityError("a checkpoint is of another size than its name", subject=str(path))
    return signed


def _check_continues(log: Log, old: Checkpoint, new: Checkpoint) -> None:
    if old.origin != new.origin:
        raise IntegrityError(
            "the last checkpoint is of another log",
            subject=old.origin,
            hint="keep the origin; a new log begins with an empty directory of checkpoints",
        )
    if old.size > new.size:
        what = f"the log has {new.size} leaves, but {old.size} were signed"
        raise IntegrityError(what, subject=new.origin, hint=ROLLED_BACK)
    if not log.continues(old.size, old.root, new.size, new.root):
        what = f"the log does not continue the checkpoint of {old.size} leaves"
        hint = "nothing is signed or deleted; run `collector verify`"
        raise IntegrityError(what, subject=new.origin, hint=hint)
