"""Signs the head of the log, again and again, and never two that contradict each other.

Rule: before a head is signed, the log is proven to continue the last one that was;
what was signed is durable before anybody hears of it.  A signer that cannot sign
now holds nothing up: the next checkpoint covers what this one would have.
"""

from __future__ import annotations

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

NAME = re.compile(r"([0-9]{12,19})\.checkpoint")
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

    def latest(self) -> SignedCheckpoint | None:
        """Return the largest checkpoint, ``None`` when there is none.

        Raises:
            IntegrityError: it cannot be read, or no known key signed it.
        """
        paths = list(checkpoint_files(self.directory))
        return read_file(paths[-1], self.keys) if paths else None

    def newest(self) -> SignedCheckpoint | None:
        """The same without a look at the directory, once this process has signed one.

        Raises:
            IntegrityError: as ``latest``.
        """
        return self._last or self.latest()

    def _write(self, signed: SignedCheckpoint) -> None:
        path = checkpoint_file(self.directory, signed.checkpoint.size)
        try:
            durable.publish(path, signed.raw)
        except OSError as error:
            raise durable.write_error(error, path) from error


def checkpoint_file(directory: Path, size: int) -> Path:
    """Return where the checkpoint of so many leaves lies."""
    return directory / f"{size:012d}{SUFFIX}"


def newest_file(directory: Path) -> Path | None:
    """Return the file of the largest checkpoint, ``None`` when there is none.

    Raises:
        IntegrityError: as ``checkpoint_files``.
    """
    return max(_files(directory), key=_size_of, default=None)


def checkpoint_files(directory: Path) -> Iterator[Path]:
    """Yield the files of checkpoints, by size.

    Raises:
        IntegrityError: the directory cannot be read.
    """
    yield from sorted(_files(directory), key=_size_of)


def _files(directory: Path) -> list[Path]:
    try:
        return [each for each in directory.iterdir() if NAME.fullmatch(each.name)]
    except FileNotFoundError:
        return []
    except OSError as error:
        what = f"the checkpoints cannot be listed: {error.strerror}"
        raise IntegrityError(what, subject=str(directory), hint="look at the disk") from error


def _size_of(path: Path) -> int:
    return int(path.name.removesuffix(SUFFIX))


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
    if signed.checkpoint.size != _size_of(path):
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
