"""An fsync that failed, on a disk that really cannot keep what was written to it."""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Iterator

import fault_mail
import pytest
from archive_reader import read_archive
from disks import FILE_SYSTEMS, ThinDisk, scratch_directory
from forked_program import Program
from killpoint_run import CLOCK_AHEAD_S
from powercut_store import receipt_of, seal_all
from scenarios import Server, new_stage

from collector.domain.blob import RawBytes
from collector.domain.errors import IntegrityError
from collector.store.archive import Archive, Damage
from collector.store.writer import ArchiveWriter

FIRST, LARGE, LATER = b"A: 1\r\n\r\n", random.Random(2).randbytes(8 << 20), b"A: 3\r\n\r\n"


@pytest.fixture(params=FILE_SYSTEMS)
def thin(request: pytest.FixtureRequest, disks: None) -> Iterator[ThinDisk]:
    """A file system whose pool of blocks can run full."""
    with scratch_directory() as directory, ThinDisk(directory, request.param) as disk:
        yield disk


def test_a_second_fsync_proves_nothing(thin: ThinDisk) -> None:
    """Why a failed fsync is never repeated: what it would answer is not true on any of them."""
    path = thin.place / "victim"
    fd = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    os.fsync(fd)
    thin.exhaust()
    os.pwrite(fd, LARGE, 0)
    with pytest.raises(OSError, match=r"No space left|Input/output"):
        os.fsync(fd)
    thin.refill()
    os.fsync(fd)  # success ...
    assert os.pread(fd, len(LARGE), 0) == LARGE, "... and the page cache agrees"
    os.close(fd)
    thin.forget()
    assert path.read_bytes() != LARGE, "but the bytes are not on the disk"


def test_after_a_failed_fsync_nothing_is_stored_or_believed(thin: ThinDisk) -> None:
    """The process stores nothing more; the next one believes only what the medium holds."""
    root = thin.place / "archive"
    writer = ArchiveWriter.open(root)
    (first,) = writer.append([(receipt_of(1, FIRST), RawBytes(FIRST))])
    thin.exhaust()
    with pytest.raises(IntegrityError, match="could not be made durable"):
        writer.append([(receipt_of(2, LARGE), RawBytes(LARGE))])
    thin.refill()
    for attempt in (
        lambda: writer.append([(receipt_of(2, LATER), RawBytes(LATER))]),
        lambda: seal_all(writer),
        writer.check_sound,
    ):
        with pytest.raises(IntegrityError, match="could not be made durable"):
            attempt()
    writer.close()

    with ArchiveWriter.open(root) as second:
        assert second.unclean
        second.recover(first)
        believed = [each for each in Archive(root).scan_from(None) if not isinstance(each, Damage)]
        assert [each.receipt.seq for each in believed] == [1]
        (later,) = second.append([(receipt_of(2, LATER), RawBytes(LATER))])
        assert later.segment != first.segment, "nothing is appended behind what was lost"
    thin.forget()
    found = read_archive(root)
    assert found.copies == {receipt_of(0, raw).digest.hex: 1 for raw in (FIRST, LATER)}
    assert found.broken == []


def test_the_collector_deletes_nothing_after_a_failed_fsync(
    thin: ThinDisk, server: Server, program: Program
) -> None:
    """Exit code 3 and a full mailbox; once the disk works again everything is archived."""
    stage = new_stage(server, thin.place.parent / "stage", thin.place / "archive")
    assert program.run(stage.config, "collect").returncode == 0
    stage.deliver([fault_mail.message(kind, 1, 3 << 20) for kind in fault_mail.FORMATS])
    thin.exhaust()
    ran = program.run(stage.config, "collect")
    assert ran.returncode == 3, ran.output
    assert stage.left() == stage.delivered
    thin.refill()
    program.run(stage.config, "collect")  # the page cache may show what is not on the disk
    gone = stage.delivered - stage.left()
    thin.forget()  # now it cannot
    assert not gone - read_archive(stage.archive).proven()
    ran = program.run(stage.config, "collect", clock_ahead_s=CLOCK_AHEAD_S)
    assert ran.returncode == 0, ran.output
    found = read_archive(stage.archive)
    assert stage.left() == Counter()
    assert found.copies == stage.delivered == Counter(row["digest"] for row in found.rows)
    assert program.run(stage.config, "verify").returncode == 0
