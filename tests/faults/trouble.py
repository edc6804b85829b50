"""What tests of failing disks share: runs of the program, and looks at what they left."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import fault_mail
from archive_reader import read_archive
from forked_program import Program, Ran
from scenarios import Stage

DONE, LATER, USAGE, BROKEN = 0, 1, 2, 3
KINDS = fault_mail.FORMATS
MESSAGES = [fault_mail.message(kind, number) for number, kind in enumerate(KINDS * 2)]
KEEP = "delete = false"
SEGMENT = "segments/000001.tar.zst"


def collect(program: Program, stage: Stage, *expected: int) -> Ran:
    """Collect; the exit code is one of those expected."""
    ran = program.run(stage.config, "collect")
    assert ran.returncode in expected, ran.output
    assert "Traceback" not in ran.output
    return ran


def verify(program: Program, stage: Stage) -> list[dict]:
    """Return what ``verify`` finds broken."""
    ran = program.run(stage.config, "verify", "--json")
    if "collector: the ledger is damaged" in ran.output:  # so that it cannot even be opened
        assert ran.returncode == BROKEN
        return [{"what": ran.output, "subject": "ledger.db", "seq": None}]
    problems = ran.json()["problems"]
    assert ran.returncode == (BROKEN if problems else DONE), ran.output
    return problems


def check_all_archived(stage: Stage) -> None:
    """Everything is archived once, proven, and gone from the mailbox."""
    found = read_archive(stage.archive)
    assert stage.left() == Counter()
    assert Counter(row["digest"] for row in found.rows) == stage.delivered
    assert found.copies == Counter(set(stage.delivered))
    assert found.broken == []


def check_collected_again(stage: Stage, program: Program, saved_count: int) -> None:
    """What a rebuild saved is kept, and what it could not save comes from the mailbox again."""
    ran = collect(program, stage, BROKEN)
    assert "were signed" in ran.output  # the log cannot continue what was lost
    (stage.archive / "checkpoints").rename(stage.archive / "checkpoints.lost")
    assert 1 <= saved_count < stage.delivered.total()
    collect(program, stage, DONE)
    found = read_archive(stage.archive)
    assert stage.left() == Counter()
    assert Counter(row["digest"] for row in found.rows) == stage.delivered
    assert not [each for each in found.broken if each.startswith("row")]
    assert {each["seq"] for each in verify(program, stage)} == {None}, "the gap stays in evidence"


def flip(path: Path, offset: int) -> None:
    """Flip one bit of a file, whatever its mode."""
    with path.open("rb") as file:
        file.seek(offset)
        byte = file.read(1)[0]
    path.chmod(0o600)
    fd = os.open(path, os.O_WRONLY)
    os.pwrite(fd, bytes([byte ^ 0x10]), offset)
    os.fsync(fd)
    os.close(fd)


def first_segment(stage: Stage) -> Path:
    """Return the file of the first segment, sealed or not."""
    (path,) = (stage.archive / "segments").glob("000001*.tar.zst")
    return path
