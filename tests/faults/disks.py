"""Real file systems for tests: on loop devices, on a disk that runs full, on one that is recorded.

Rule: where this machine cannot do it, ``require_disks`` says why and nothing is
tested silently; as root it installs the Debian packages itself.

Needs root, /dev/loop-control, /dev/fuse.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

PACKAGES = {
    "qemu-storage-daemon": "qemu-system-common",
    "mkfs.ext4": "e2fsprogs",
    "mkfs.xfs": "xfsprogs",
    "mkfs.btrfs": "btrfs-progs",
    "losetup": "mount",
}
_MOUNTING = threading.Lock()
FILE_SYSTEMS = ("ext4", "xfs", "btrfs")
DISK_BYTES = {"ext4": 96 << 20, "xfs": 320 << 20, "btrfs": 160 << 20}
_MKFS = {
    "ext4": "mkfs.ext4 -q -E nodiscard,lazy_itable_init=0,lazy_journal_init=0 -J size=4",
    "xfs": "mkfs.xfs -q -K -f",
    "btrfs": "mkfs.btrfs -q -K -f -m single",
}


class DisksUnavailableError(Exception):
    """This machine cannot make the disks these tests need; the text says why."""


def require_disks() -> None:
    """Return when block devices, FUSE and the programs are there.

    Raises:
        DisksUnavailableError: with the reason and the remedy.
    """
    if os.geteuid() != 0:
        raise DisksUnavailableError("power cuts and failing disks need root (loop devices, mounts)")
    for device in ("/dev/loop-control", "/dev/fuse"):
        if not Path(device).exists():
            raise DisksUnavailableError(f"{device} is missing on this machine")
    lacking = [name for name in PACKAGES if shutil.which(name) is None]
    if lacking:
        _install(sorted({PACKAGES[name] for name in lacking}))
    lacking = [name for name in PACKAGES if shutil.which(name) is None]
    if lacking:
        raise DisksUnavailableError(f"not installed: {', '.join(lacking)}")


def _install(packages: list[str]) -> None:
    """Install Debian packages; one process at a time."""
    if shutil.which("apt-get") is None:
        raise DisksUnavailableError(f"install {' '.join(packages)}")
    lock = Path(tempfile.gettempdir()) / "collector-tests-apt.lock"
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        command = ["apt-get", "install", "-y", "--no-install-recommends", *packages]
        try:
            run(*command)
        except OSError:
            with suppress(OSError):
                run("apt-get", "update")
                run(*command)


def run(*command: object) -> str:
    """Run a program; return what it printed.

    Raises:
        OSError: it failed; the text is what it said.
    """
    ran = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=False
    )
    if ran.returncode:
        raise OSError(f"{command[0]} failed: {ran.stderr.strip()}")
    return ran.stdout


def make_file_system(kind: str, device: Path) -> None:
    """Make an empty file system without discards, so that every block counts."""
    run(*_MKFS[kind].split(), device)


@contextmanager
def scratch_directory() -> Iterator[Path]:
    """Yield a directory in memory that goes away with everything in it."""
    parent = "/dev/shm" if Path("/dev/shm").is_dir() else None
    directory = Path(tempfile.mkdtemp(prefix="collector-disk-", dir=parent))
    directory.chmod(0o755)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def loop_device(image: Path) -> Iterator[Path]:
    """Yield a block device whose bytes are those of ``image``."""
    device = Path(run("losetup", "--find", "--show", image).strip())
    try:
        yield device
    finally:
        run("losetup", "--detach", device)


@contextmanager
def mounted(kind: str, device: Path, place: Path, *options: str) -> Iterator[Path]:
    """Mount ``device`` at ``place`` for a block; journal replay included."""
    place.mkdir(exist_ok=True)
    flags = ["-o", ",".join(options)] if options else []
    with _MOUNTING:
        if kind == "btrfs":  # an older clone with the same identity would be taken instead
            with suppress(OSError):
                run("btrfs", "device", "scan", "--forget")
        run("mount", "-t", kind, *flags, device, place)
    try:
        yield place
    finally:
        unmount(place)


def unmount(place: Path) -> None:
    """Unmount; wait a moment for a process that is just ending."""
    for attempt in range(20):
        try:
            run("umount", place)
        except OSError:
            if attempt == 19:
                raise
            time.sleep(0.05)
        else:
            return


@contextmanager
def small_disk(place: Path, size_bytes: int) -> Iterator[Path]:
    """Mount a disk in memory of ``size_bytes``; it really runs full (short writes, ENOSPC)."""
    place.mkdir(exist_ok=True)
    run("mount", "-t", "tmpfs", "-o", f"size={size_bytes}", "none", place)
    try:
        yield place
    finally:
        unmount(place)


def resize(place: Path, size_bytes: int) -> None:
    """Give a ``small_disk`` another size."""
    run("mount", "-o", f"remount,size={size_bytes}", place)


class ThinDisk:
    """A file system whose blocks are handed out late, by a pool that can run full.

    What was written successfully then fails at the fsync: the case behind the rule
    that a failed fsync is never retried (integrity reference, 1.3).
    """

    POOL_BYTES = 900 << 20

    def __init__(self, directory: Path, kind: str) -> None:
        self.kind = kind
        self._pool = directory / "pool"
        self.place = directory / "thin"
        self._image = self._pool / "disk"

    def __enter__(self) -> Self:
        self._pool.mkdir()
        run("mount", "-t", "tmpfs", "-o", f"size={self.POOL_BYTES}", "none", self._pool)
        with self._image.open("wb") as file:
            file.truncate(400 << 20)
        self._device = Path(run("losetup", "--find", "--show", self._image).strip())
        make_file_system(self.kind, self._device)
        self.mount()
        self._touch_metadata()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.refill()
        for place in (self.place, self._pool):  # lazily: whoever failed may hold a file open
            with suppress(OSError):
                run("umount", "--lazy", place)
        run("losetup", "--detach", self._device)

    def mount(self) -> None:
        """Mount the file system."""
        self.place.mkdir(exist_ok=True)
        run("mount", "-t", self.kind, self._device, self.place)

    def forget(self) -> None:
        """Unmount and mount again: whatever was only in memory is gone."""
        unmount(self.place)
        self.mount()

    def exhaust(self) -> None:
        """Let the pool run full: new blocks cannot be written any more."""
        used = int(run("df", "--output=used", "-B1", self._pool).split()[-1])
        resize(self._pool, used)

    def refill(self) -> None:
        """Give the pool its space back."""
        resize(self._pool, self.POOL_BYTES)

    def _touch_metadata(self) -> None:
        """Write journal and metadata once, so that only data blocks are missing later."""
        for number in range(300):
            fd = os.open(self.place / f"w{number}", os.O_CREAT | os.O_WRONLY, 0o600)
            os.write(fd, b"x" * 100)
            os.fsync(fd)
            os.close(fd)
