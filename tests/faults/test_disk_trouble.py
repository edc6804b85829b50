"""Disks that are full, slow or read-only: nothing deleted, and everything goes on after it."""

from __future__ import annotations

import signal
from pathlib import Path

import fault_mail
import pytest
from archive_reader import read_archive
from disks import DISK_BYTES, make_file_system, mounted, resize, run, small_disk
from forked_program import Program
from scenarios import Server, Stage, new_stage
from trouble import (
    BROKEN,
    DONE,
    KINDS,
    LATER,
    MESSAGES,
    SEGMENT,
    USAGE,
    check_all_archived,
    collect,
)

SPARE_BYTES = 4 << 20


def test_a_full_disk_leaves_the_mail_in_the_mailbox(
    disks: None, scratch: Path, server: Server, program: Program
) -> None:
    """Without room nothing is fetched or deleted; with room again everything goes on."""
    with small_disk(scratch / "disk", SPARE_BYTES + (1 << 19)) as place:
        stage = new_stage(server, scratch / "stage", place / "archive")
        collect(program, stage, DONE)
        stage.deliver(MESSAGES)
        (place / "filler").write_bytes(bytes(1 << 20))
        ran = collect(program, stage, LATER)
        assert "the disk is full" in ran.output
        assert stage.left() == stage.delivered
        resize(place, 4 * SPARE_BYTES)
        collect(program, stage, DONE)
        check_all_archived(stage)


def test_a_quota_is_a_full_disk(
    disks: None, scratch: Path, server: Server, program: Program
) -> None:
    """A quota that is used up in the middle loses nothing; with more room it goes on."""
    image = scratch / "quota.img"
    with image.open("wb") as file:
        file.truncate(DISK_BYTES["btrfs"])
    make_file_system("btrfs", image)
    with mounted("btrfs", image, scratch / "disk", "loop") as place:
        run("btrfs", "quota", "enable", place)
        run("btrfs", "subvolume", "create", place / "limited")
        run("btrfs", "qgroup", "limit", "6m", place / "limited")
        stage = new_stage(server, scratch / "stage", place / "limited/archive")
        raws = [fault_mail.message(KINDS[n % 2], n, 900_000) for n in range(12)]
        stage.deliver(raws)
        # Where btrfs finds no room for a page of SQLite's mapped index, it kills the process.
        ran = collect(program, stage, LATER, BROKEN, -signal.SIGBUS)
        assert ran.returncode < 0 or "disk" in ran.output
        assert not stage.delivered - stage.left() - read_archive(stage.archive).proven()
        run("btrfs", "qgroup", "limit", "60m", place / "limited")
        program.run(stage.config, "collect", clock_ahead_s=3600)
        check_all_archived(stage)


@pytest.mark.parametrize("error", ["EDQUOT", "EROFS", "EIO"])
def test_a_write_that_is_refused_half_way_loses_nothing(
    stage: Stage, program: Program, error: str
) -> None:
    """The disk turns full, read-only or bad in the middle of a batch."""
    collect(program, stage, DONE)
    stage.deliver([fault_mail.message(fault_mail.PLAIN, 50, 2_000_000)])
    inject = f"inject=write:error={error}:when=3"
    options = ("-f", "-P", str(stage.archive / SEGMENT), "-e", "trace=write", "-e", inject)
    ran = program.run(stage.config, "collect", strace=options)
    assert ran.returncode == (LATER if error == "EDQUOT" else BROKEN), ran.output
    assert stage.left().total() == 1
    collect(program, stage, DONE)
    check_all_archived(stage)


def test_a_read_only_disk_is_named(
    disks: None, scratch: Path, server: Server, program: Program
) -> None:
    """An archive that cannot be written is a configuration error; the mailbox is not touched."""
    with small_disk(scratch / "disk", 4 * SPARE_BYTES) as place:
        stage = new_stage(server, scratch / "stage", place / "archive")
        stage.deliver(MESSAGES)
        run("mount", "-o", "remount,ro", place)
        ran = collect(program, stage, USAGE)
        assert "Read-only file system" in ran.output
        assert stage.left() == stage.delivered
        run("mount", "-o", "remount,rw", place)
        collect(program, stage, DONE)
        check_all_archived(stage)


def test_a_slow_disk_only_takes_its_time(stage: Stage, program: Program) -> None:
    """Every sync takes a quarter of a second: nothing is skipped for it."""
    slow = ("-f", "-e", "trace=fsync,fdatasync", "-e", "inject=fsync,fdatasync:delay_enter=250000")
    ran = program.run(stage.config, "collect", strace=slow)
    assert ran.returncode == DONE, ran.output
    check_all_archived(stage)
