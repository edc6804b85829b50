"""A disk that remembers every write and every flush, and disks as a power cut could leave them.

qemu-storage-daemon exports an image through FUSE; its ``blklogwrites`` filter
keeps a log of all block writes and cache flushes (the format of the kernel's
dm-log-writes).  A loop device and a real file system lie on top.

A cut is a position in that log.  Everything before the last flush is on the
rebuilt disk; of the writes after it none, all, or a random choice, one of them
perhaps torn between two sectors: drives keep no other promise.
"""

from __future__ import annotations

import os
import random
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from disks import DISK_BYTES, loop_device, make_file_system, mounted, run

SECTOR_BYTES = 512
WHOLE_BYTES = {"ext4": 512, "xfs": 512, "btrfs": 4096}
"""What a file system relies on to be written whole; a btrfs whose superblock of 4,096
bytes was torn cannot be mounted any more."""
_MAGIC = 0x6A736677736872
_FLUSH, _DISCARD = 1, 4


@dataclass(frozen=True, slots=True)
class Write:
    """One entry of the log: ``size_bytes`` at ``offset`` on the disk, or a flush."""

    offset: int
    size_bytes: int
    flags: int
    data_offset: int
    log_end: int

    @property
    def is_flush(self) -> bool:
        """Everything before is durable."""
        return bool(self.flags & _FLUSH)


@dataclass(frozen=True, slots=True)
class Promise:
    """Something a workload may rely on from a position in the log on."""

    name: str
    log_bytes: int


class RecordedDisk:
    """A mounted file system whose writes are recorded; a context manager.

    Attributes:
        place: where it is mounted.
    """

    def __init__(self, directory: Path, kind: str) -> None:
        self.kind = kind
        self.place = directory / "mnt"
        self.log = directory / "disk.log"
        self.image = directory / "disk.img"
        self._export = directory / "disk.fuse"
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        for path in (self.log, self._export):
            path.touch()
        with self.image.open("wb") as file:
            file.truncate(DISK_BYTES[self.kind])
        self._stack.callback(self._stop, self._start())
        device = self._stack.enter_context(loop_device(self._export))
        make_file_system(self.kind, device)
        options = ["nodiscard"] + (["space_cache=v2"] if self.kind == "btrfs" else [])
        self._stack.enter_context(mounted(self.kind, device, self.place, *options))
        run("sync", "-f", self.place)
        self.made_bytes = self.log_bytes()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.ended_bytes = self.log_bytes()
        self._stack.close()

    def log_bytes(self) -> int:
        """Return how long the log is now."""
        return self.log.stat().st_size

    def _start(self) -> subprocess.Popen:
        blockdevs = (
            f"driver=file,node-name=image,filename={self.image}",
            f"driver=file,node-name=log,filename={self.log}",
            f"driver=blklogwrites,node-name=disk,file=image,log=log,log-sector-size={SECTOR_BYTES}",
        )
        command = ["qemu-storage-daemon"]
        for each in blockdevs:
            command += ["--blockdev", each]
        command += [
            "--export",
            f"type=fuse,id=export,node-name=disk,mountpoint={self._export},writable=on",
        ]
        daemon = subprocess.Popen(command, start_new_session=True)
        for _ in range(200):
            if self._export.stat().st_size == DISK_BYTES[self.kind]:
                return daemon
            time.sleep(0.05)
        daemon.kill()
        raise OSError("qemu-storage-daemon did not export the disk")

    def _stop(self, daemon: subprocess.Popen) -> None:
        time.sleep(0.1)  # the loop device closes the export a moment after it is detached
        daemon.terminate()
        daemon.wait()


def read_log(path: Path) -> list[Write]:
    """Return all entries of a log, in order."""
    entries: list[Write] = []
    end = path.stat().st_size
    with path.open("rb") as file:
        magic, _, _, sector_bytes = struct.unpack("<QQQI", file.read(28))
        if magic != _MAGIC:
            raise OSError("this is not a log of block writes")
        position = sector_bytes
        while position + 32 <= end:
            file.seek(position)
            sector, count, flags, data_bytes = struct.unpack("<QQQQ", file.read(32))
            if not (sector or count or flags or data_bytes):
                break
            data = position + sector_bytes
            size_bytes = 0 if flags & _DISCARD else count * sector_bytes
            position = data + size_bytes
            if position > end:
                break
            entries.append(Write(sector * SECTOR_BYTES, size_bytes, flags, data, position))
    return entries


class Cuts:
    """The disks a cut could leave, rebuilt from the log of a ``RecordedDisk``.

    Args:
        disk: recorded and unmounted.
        seed: of the choice of positions and of writes.
    """

    def __init__(self, disk: RecordedDisk, directory: Path, seed: int) -> None:
        self._disk, self._directory = disk, directory
        self._random = random.Random(seed)
        self._log = disk.log.open("rb")
        self.entries = read_log(disk.log)
        within = [disk.made_bytes < each.log_end <= disk.ended_bytes for each in self.entries]
        self.first = within.index(True)
        self.last = len(within) - within[::-1].index(True)

    @property
    def flushes_count(self) -> int:
        """Return how often the workload's writes were flushed."""
        return sum(each.is_flush for each in self.entries[self.first : self.last])

    def positions(self, count: int, promises: list[Promise]) -> list[int]:
        """Choose where to cut: one in ten before the first promise, the rest after it."""
        promised = min((each.log_bytes for each in promises), default=0)
        at = next(
            (index for index, each in enumerate(self.entries) if each.log_end > promised),
            self.first,
        )
        at = max(at, self.first)
        before = self._pick(self.first, at, count // 10)
        return sorted(before + self._pick(at, self.last + 1, count - len(before)))

    def _pick(self, start: int, stop: int, count: int) -> list[int]:
        places = range(start, stop)
        if len(places) >= count:
            return self._random.sample(places, count)
        return self._random.choices(places, k=count) if places else []

    def rebuild(self, positions: list[int]) -> Iterator[tuple[int, Path]]:
        """Yield (log position, image) for every cut just before the entry at a position."""
        base = self._directory / "base.img"
        with base.open("wb") as file:
            file.truncate(DISK_BYTES[self._disk.kind])
        done = 0
        for number, position in enumerate(positions):
            durable = next(
                (index for index in range(position, 0, -1) if self.entries[index - 1].is_flush), 0
            )
            if durable > done:
                self._apply(base, self.entries[done:durable])
                done = durable
            # A new name each time: a loop device still held open would be reused, cache and all.
            image = self._directory / f"cut-{number}.img"
            run("cp", "--sparse=always", base, image)
            self._apply(image, self.entries[durable:position], self._choice(durable, position))
            yield self.entries[position - 1].log_end, image
            image.unlink()
        base.unlink()

    def _choice(self, durable: int, position: int) -> Callable[[int], int | None]:
        """Say how much of each write behind the last flush is on the disk (``None``: all)."""
        count = position - durable
        how = self._random.choice(("none", "all", "some", "some"))
        kept = {
            index: None
            for index in range(count)
            if how == "all" or (how == "some" and self._random.random() < 0.5)
        }
        if how == "some" and kept and self._random.random() < 0.5:
            torn = self._random.choice(list(kept))
            whole_bytes = WHOLE_BYTES[self._disk.kind]
            pieces = self.entries[durable + torn].size_bytes // whole_bytes
            kept[torn] = whole_bytes * self._random.randrange(max(1, pieces))
        return lambda index: kept.get(index, 0)

    def _apply(
        self,
        image: Path,
        entries: list[Write],
        kept_bytes: Callable[[int], int | None] = lambda _index: None,
    ) -> None:
        fd = os.open(image, os.O_RDWR)
        try:
            for index, entry in enumerate(entries):
                size_bytes = kept_bytes(index)
                size_bytes = entry.size_bytes if size_bytes is None else size_bytes
                self._log.seek(entry.data_offset)
                os.pwrite(fd, self._log.read(min(size_bytes, entry.size_bytes)), entry.offset)
        finally:
            os.close(fd)

    def replays_exactly(self) -> bool:
        """Say whether the whole log gives the recorded disk, byte for byte."""
        whole = self._directory / "whole.img"
        with whole.open("wb") as file:
            file.truncate(DISK_BYTES[self._disk.kind])
        self._apply(whole, self.entries)
        same = subprocess.run(["cmp", "-s", whole, self._disk.image], check=False).returncode == 0
        whole.unlink()
        return same

    def close(self) -> None:
        """Let go of the log."""
        self._log.close()
