"""Archives that rot, lose a part or are altered: found, named, nothing deleted, the rest saved."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import fault_mail
import pytest
from archive_reader import read_archive
from disks import DISK_BYTES, loop_device, make_file_system, mounted, run
from forked_program import Program
from scenarios import Server, Stage, new_stage
from trouble import (
    BROKEN,
    DONE,
    KEEP,
    MESSAGES,
    SEGMENT,
    check_all_archived,
    check_collected_again,
    collect,
    first_segment,
    flip,
    verify,
)

UNCLEAN = "open 1".ljust(31) + "\n"


@pytest.fixture
def archived(stage: Stage, program: Program) -> Stage:
    """Two segments hold everything, and it is still in the mailbox."""
    stage.write_config(KEEP)
    collect(program, stage, DONE)
    (stage.archive / "lock").write_text(UNCLEAN)  # so that a second segment is begun
    stage.deliver([fault_mail.message(fault_mail.PLAIN, 99)])
    collect(program, stage, DONE)
    assert len(list((stage.archive / "segments").iterdir())) == 2
    stage.write_config()
    return stage


def test_a_flipped_bit_in_a_segment_is_named_and_the_rest_is_saved(
    archived: Stage, program: Program
) -> None:
    """No proof, no deletion; ``verify`` names the messages; ``rebuild`` keeps all others."""
    flip(first_segment(archived), first_segment(archived).stat().st_size // 2)
    problems = verify(program, archived)
    assert all("segment 000001" in each["subject"] for each in problems)
    named = {each["seq"] for each in problems} - {None}
    assert named
    ran = collect(program, archived, BROKEN)
    assert "could not be proven" in ran.output
    assert archived.left() == archived.delivered
    ran = program.run(archived.config, "rebuild", "--json")
    assert ran.returncode == BROKEN, "what is lost is said"
    assert [each["segment"][:6] for each in ran.json()["damages"]] == ["000001"]
    check_collected_again(archived, program, ran.json()["entries"])


def test_a_bit_flipped_under_a_good_page_cache_is_seen_by_the_proof(
    disks: None, scratch: Path, server: Server, program: Program
) -> None:
    """What is proven is what the medium holds, not what the kernel remembers."""
    image = scratch / "rot.img"
    with image.open("wb") as file:
        file.truncate(DISK_BYTES["ext4"])
    with loop_device(image) as device:
        make_file_system("ext4", device)
        with mounted("ext4", device, scratch / "disk") as place:
            stage = new_stage(server, scratch / "stage", place / "archive")
            stage.deliver(MESSAGES)
            stage.write_config(KEEP)
            collect(program, stage, DONE)
            run("sync", "-f", place)
            stored = (stage.archive / SEGMENT).read_bytes()  # and so in the page cache
            raw = image.read_bytes()
            assert raw.count(stored[:400]) == 1
            # In the first page: the last one is written anew by whatever is appended.
            flip(image, raw.index(stored[:400]) + 600)
            run("blockdev", "--flushbufs", device)
            assert (stage.archive / SEGMENT).read_bytes() == stored, "the cache still looks good"
            stage.write_config()
            ran = collect(program, stage, BROKEN)
            assert "could not be proven" in ran.output
            assert stage.left() == stage.delivered


def test_a_flipped_bit_in_the_ledger_is_found_and_rebuilt(
    archived: Stage, program: Program
) -> None:
    """Whatever page it hits: nothing unproven is deleted, and the segments know everything."""
    ledger = archived.archive / "ledger.db"
    good = ledger.read_bytes()
    found_count = 0
    for place in range(0, len(good), 4096):
        ledger.write_bytes(good)
        flip(ledger, place + 5)  # in the header of a b-tree page: offset of its content
        problems = verify(program, archived)
        found_count += bool(problems)
        assert all(each["what"] for each in problems)
    assert found_count > len(good) // 4096 // 2
    program.run(archived.config, "collect")
    assert not archived.delivered - archived.left() - read_archive(archived.archive).proven()
    ran = program.run(archived.config, "rebuild")
    assert ran.returncode == DONE, ran.output
    assert verify(program, archived) == []
    program.run(archived.config, "collect")
    check_all_archived(archived)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE receipts SET digest = '" + "0" * 64 + "' WHERE seq = 2",
        "UPDATE entries SET frame_offset = frame_offset + 1 WHERE seq = 2",
        "UPDATE entries SET blob_offset = 0 WHERE seq = 2",
        "UPDATE receipts SET uid = uid + 100 WHERE seq = 2",
        "DELETE FROM receipts WHERE seq = 2",
    ],
)
def test_a_changed_row_is_named_by_verify(archived: Stage, program: Program, change: str) -> None:
    """A ledger that was altered disagrees with the segments; rebuilding it mends it."""
    database = sqlite3.connect(archived.archive / "ledger.db")
    database.execute("PRAGMA foreign_keys = off")
    database.execute(change)
    database.commit()
    database.close()
    assert 2 in {each["seq"] for each in verify(program, archived)} or "DELETE" in change
    program.run(archived.config, "collect")
    assert archived.left()[next(iter(archived.delivered))] <= 1
    assert not archived.delivered - archived.left() - read_archive(archived.archive).proven()
    assert program.run(archived.config, "rebuild").returncode == DONE
    assert verify(program, archived) == []


@pytest.mark.parametrize("how", ["missing", "truncated"])
def test_a_lost_segment_is_named_and_collected_again(
    archived: Stage, program: Program, how: str
) -> None:
    """Nothing is deleted on the word of the ledger; what is left of the archive is saved."""
    path = first_segment(archived)
    if how == "missing":
        path.unlink()
    else:
        path.chmod(0o600)
        os.truncate(path, path.stat().st_size // 2)
    problems = verify(program, archived)
    assert {each["seq"] for each in problems} & {1, 2, 3, 4}
    assert any("000001" in each["subject"] for each in problems)
    ran = collect(program, archived, BROKEN)
    assert archived.left() == archived.delivered, ran.output
    ran = program.run(archived.config, "rebuild", "--json")
    assert ran.returncode == BROKEN, ran.output
    assert ran.json()["missing"] == (4 if how == "missing" else 5 - ran.json()["entries"])
    check_collected_again(archived, program, ran.json()["entries"])


def test_a_foreign_file_is_named_and_left_alone(archived: Stage, program: Program) -> None:
    """A file that does not belong among the segments is told of, never removed."""
    foreign = archived.archive / "segments" / "notes.txt"
    foreign.write_text("not ours")
    assert [each["subject"] for each in verify(program, archived)] == ["notes.txt"]
    collect(program, archived, DONE)
    check_all_archived(archived)
    assert foreign.read_text() == "not ours"
