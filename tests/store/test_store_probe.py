"""Whether a proof can reach the medium."""

import os
from pathlib import Path

import pytest

from collector.domain.errors import CollectorError
from collector.store import durable
from collector.store.probe import reaches_medium

MEMORY = Path("/dev/shm")


def file_system(path):
    """Return the type of the file system that holds ``path``."""
    found = ("", "")
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, place, kind, *_ = line.split()
        if path.resolve().is_relative_to(place) and len(place) >= len(found[0]):
            found = place, kind
    return found[1]


def test_an_ordinary_disk_is_read_again(tmp_path):
    """After the dropping nothing is left in memory; nothing is left in the directory either."""
    if file_system(tmp_path) not in {"ext4", "xfs", "btrfs"}:
        pytest.skip(f"{file_system(tmp_path)}: dropping the cache is NOT tested")
    assert reaches_medium(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not MEMORY.is_dir(), reason="there is no memory disk to look at")
def test_a_memory_disk_is_told_from_a_medium():
    """A proof on it shows what was written and no more."""
    assert not reaches_medium(MEMORY)


def test_what_was_not_made_durable_is_not_dropped(tmp_path):
    """The kernel keeps dirty pages, so the order of fsync and dropping matters."""
    if file_system(tmp_path) not in {"ext4", "xfs", "btrfs"}:
        pytest.skip(f"{file_system(tmp_path)}: dropping the cache is NOT tested")
    fd = os.open(tmp_path / "file", os.O_CREAT | os.O_RDWR)
    try:
        durable.write(fd, os.urandom(300_000))
        durable.drop_cache(fd)
        assert os.preadv(fd, [bytearray(1)], 0, os.RWF_NOWAIT) == 1
        durable.sync(fd, tmp_path)
        durable.drop_cache(fd)
        with pytest.raises(BlockingIOError):
            os.preadv(fd, [bytearray(1)], 0, os.RWF_NOWAIT)
    finally:
        os.close(fd)


def test_a_place_that_cannot_be_written_is_said(tmp_path):
    """The error names the directory."""
    with pytest.raises(CollectorError, match="missing"):
        reaches_medium(tmp_path / "missing")
