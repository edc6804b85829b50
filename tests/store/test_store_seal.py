"""Sealing a segment."""

import os
import stat
import subprocess
import threading
from dataclasses import replace

import pytest
from store_samples import (
    damages,
    seal_all,
    sealed_file,
    segment_file,
    set_byte,
    settlement_of,
    store,
    stored_messages,
)

from collector.domain.errors import CycleError, IntegrityError
from collector.store.archive import Archive, StoredReceipt
from collector.store.writer import ArchiveWriter

RAWS = [b"first\r\n", b"", b"\0" * 1000, b"last without newline"]


def filled(root):
    """Return the open writer of an archive with some messages, and their places."""
    writer = ArchiveWriter.open(root)
    blobs = [blob for seq, raw in enumerate(RAWS, 1) for blob in store(writer, seq, [raw])]
    writer.append_settlements([settlement_of(1)])
    writer.append_settlements([settlement_of(1)])  # written again after a failed commit
    return writer, blobs


def nothing(_sealed):
    """Switch no places; nobody has written any down."""


def seal_one(writer, name="000001", switch=nothing):
    """Seal what was appended so far; return what the writer says."""
    writer.roll(0)
    return writer.seal(name, switch)


def without_place(found):
    """Return what a scan found but for the place of a message."""
    return replace(found, blob=None) if isinstance(found, StoredReceipt) else found


def test_a_sealed_segment_holds_the_same_in_the_same_order(tmp_path):
    """Only the places are others; the open file is gone, and the new one may not be written."""
    writer, blobs = filled(tmp_path)
    with writer:
        before = list(Archive(tmp_path).scan_from(None))
        sealed = seal_one(writer)
        after = list(Archive(tmp_path).scan_from(None))
        messages = zip(before[:-2], after[:-2], strict=True)  # two lists of settlements follow
        places = [(old.blob, new.blob) for old, new in messages]
        assert list(sealed.moves()) == places
        assert [without_place(each) for each in after] == [without_place(each) for each in before]
        assert [old for old, _ in sealed.moves()] == blobs
        assert sealed.after.raw_bytes == sum(map(len, RAWS))
        assert sealed.sealed_bytes == sealed_file(tmp_path).stat().st_size
        assert {new.segment for _, new in sealed.moves()} == {"000001.sealed"}
        new = [new for _, new in sealed.moves()]
        assert [each.problem for each in Archive(tmp_path).reread(new)] == [""] * len(new)
        (blob,) = store(writer, 5, [b"next"])
        assert blob.segment == "000002"
    assert not segment_file(tmp_path).exists()
    assert stat.S_IMODE(sealed_file(tmp_path).stat().st_mode) == 0o440
    assert stored_messages(tmp_path) == {**dict(enumerate(RAWS, 1)), 5: b"next"}
    assert [(info.name, info.sealed) for info in Archive(tmp_path).segments()] == [
        ("000001.sealed", True),
        ("000002", False),
    ]


def test_frames_of_small_batches_become_few(tmp_path):
    """About 4 MiB of mail in a frame, a larger message in its own; fewer bytes are stored."""
    text = b"".join(b"line %d of a mail like many others\r\n" % line for line in range(1500))
    raws = [*([text] * 90), os.urandom(9_000_000), *([text] * 90)]
    with ArchiveWriter.open(tmp_path) as writer:
        for seq, raw in enumerate(raws, 1):
            store(writer, seq, [raw])
        sealed = seal_one(writer)
    frames = {}
    for new in sealed.after:
        frames.setdefault(new.frame_offset, []).append(new.size_bytes)
    assert list(map(sum, frames.values())) == [
        75 * len(text),
        15 * len(text),
        9_000_000,
        75 * len(text),
        15 * len(text),
    ]
    assert sealed.sealed_bytes < sealed.open_bytes - 150 * 1000
    shares = sum(new.stored_bytes for new in sealed.after)
    assert abs(shares - sealed.sealed_bytes) <= len(raws)
    assert stored_messages(tmp_path) == dict(enumerate(raws, 1))


def test_the_old_file_goes_only_after_the_switch(tmp_path):
    """While places are switched both files are there and say the same; nothing is found twice."""
    writer, blobs = filled(tmp_path)
    seen = []

    def switch(sealed):
        archive = Archive(tmp_path)
        for places in (sealed.before, sealed.after):
            seen.extend(each.problem for each in archive.reread(list(places)))
        assert stored_messages(tmp_path) == dict(enumerate(RAWS, 1))
        assert [info.name for info in archive.segments()] == ["000001.sealed"]
        raise CycleError("the ledger is locked")

    with writer:
        with pytest.raises(CycleError, match="locked"):
            seal_one(writer, switch=switch)
        assert seen == [""] * 2 * len(RAWS)
        assert writer.waiting() == ["000001"]
        inode = sealed_file(tmp_path).stat().st_ino
        moves = []
        assert writer.seal("000001", lambda sealed: moves.extend(sealed.moves()))
        assert [old for old, _ in moves] == blobs
        assert sealed_file(tmp_path).stat().st_ino == inode
        assert not segment_file(tmp_path).exists()


def test_a_place_in_a_segment_that_was_sealed_since_still_leads_to_the_bytes(tmp_path):
    """Who read the place before the switch is not told that a message is lost."""
    writer, blobs = filled(tmp_path)
    archive = Archive(tmp_path)
    with writer:
        seal_all(writer)
    for blob, raw in zip(blobs, RAWS, strict=True):
        assert archive.raw(blob).window(0, 9999) == raw
    found = list(archive.reread(blobs))
    assert {each.blob for each in found} == set(blobs)
    assert [each.problem for each in found] == [""] * len(blobs)
    sealed_file(tmp_path).unlink()
    assert all(each.digest is None for each in archive.reread(blobs))


def test_an_old_place_is_not_answered_with_another_message(tmp_path):
    """What the sealed segment does not hold is a problem, not a guess."""
    writer, _ = filled(tmp_path)
    with writer:
        seal_all(writer)
        (other,) = store(writer, 5, [b"other"])
    wrong = replace(other, segment="000001")
    (found,) = Archive(tmp_path).reread([wrong])
    assert found.digest is None
    with pytest.raises(IntegrityError, match="does not hold it"):
        Archive(tmp_path).raw(wrong)


def test_appending_goes_on_while_a_segment_is_sealed(tmp_path):
    """A batch does not wait for the proof of another segment."""
    writer, _ = filled(tmp_path)
    appended = threading.Event()

    def switch(_sealed):
        assert appended.wait(30)

    with writer:
        writer.roll(0)
        sealing = threading.Thread(target=writer.seal, args=("000001", switch))
        sealing.start()
        (blob,) = store(writer, 5, [b"meanwhile"])
        appended.set()
        sealing.join()
    assert blob.segment == "000002"
    assert stored_messages(tmp_path) == {**dict(enumerate(RAWS, 1)), 5: b"meanwhile"}


def test_closing_gives_a_sealing_up(tmp_path):
    """The lock is not let go while a file is written; what was begun is removed."""
    raws = [os.urandom(3_000_000) for _ in range(8)]
    with ArchiveWriter.open(tmp_path) as writer:
        for seq, raw in enumerate(raws, 1):
            store(writer, seq, [raw])
        writer.roll(0)
        result = []
        sealing = threading.Thread(target=lambda: result.append(writer.seal("000001", nothing)))
        sealing.start()
        while not list((tmp_path / "segments").glob("*.sealing")):
            pass
    sealing.join()
    assert result == [None]
    assert [path.name for path in (tmp_path / "segments").iterdir()] == ["000001.tar.zst"]
    with ArchiveWriter.open(tmp_path) as writer:
        assert not writer.unclean
        assert seal_all(writer) == ["000001.sealed"]
    assert stored_messages(tmp_path) == dict(enumerate(raws, 1))


def test_the_manifest_is_what_sha256sum_accepts(tmp_path):
    """Every unpacked file is listed, and a changed one is noticed."""
    writer, _ = filled(tmp_path / "a")
    with writer:
        seal_all(writer)
    out = tmp_path / "out"
    out.mkdir()
    unpack = ["tar", "--zstd", "-xf", str(sealed_file(tmp_path / "a")), "-C", str(out)]
    subprocess.run(unpack, check=True)
    check = ["sha256sum", "--strict", "-c", "MANIFEST-000001.sha256"]
    checked = subprocess.run(check, cwd=out, capture_output=True, text=True, check=True)
    unpacked = {path.name for path in out.iterdir()} - {"MANIFEST-000001.sha256"}
    assert {line.split(":")[0] for line in checked.stdout.splitlines()} == unpacked
    assert len(unpacked) == 2 * len(RAWS) + 1
    changed = next(out.glob("1-*.eml"))
    changed.chmod(0o600)
    changed.write_bytes(b"First\r\n")
    assert subprocess.run(check, cwd=out, capture_output=True, check=False).returncode == 1


def test_the_file_ends_as_a_tar_archive_does(tmp_path):
    """The content's last kilobyte is the end-of-archive block."""
    writer, _ = filled(tmp_path)
    with writer:
        seal_all(writer)
    zstd = ["zstd", "-dcq", str(sealed_file(tmp_path))]
    content = subprocess.run(zstd, capture_output=True, check=True).stdout
    assert content.endswith(bytes(1024))
    assert len(content) % 512 == 0


def test_only_a_full_segment_is_closed_for_sealing(tmp_path):
    """The limit is the length of the file."""
    writer, _ = filled(tmp_path)
    with writer:
        size_bytes = segment_file(tmp_path).stat().st_size
        writer.roll()
        writer.roll(size_bytes + 1)
        assert writer.waiting() == []
        writer.roll(size_bytes)
        assert writer.waiting() == ["000001"]
        writer.roll(0)
        assert writer.waiting() == ["000001"]
        assert writer.seal("000002", nothing) is None


def test_a_full_segment_is_appended_to_no_more(tmp_path):
    """Whether somebody seals it or not, the next batch begins a new one."""
    with ArchiveWriter.open(tmp_path) as writer:
        first = store(writer, 1, [os.urandom(64 * 1024 * 1024)])
        second = store(writer, 2, [b"next"])
        assert writer.waiting() == ["000001"]
    assert [blob.segment for blob in first + second] == ["000001", "000002"]


def test_a_copy_that_lost_its_mode_is_still_sealed(tmp_path):
    """A restored archive is not taken for an unfinished one; the name tells."""
    writer, _ = filled(tmp_path)
    with writer:
        seal_all(writer)
    sealed_file(tmp_path).chmod(0o644)
    before = sealed_file(tmp_path).read_bytes()
    with ArchiveWriter.open(tmp_path) as writer:
        (blob,) = store(writer, 5, [b"next"])
        assert writer.waiting() == []
    assert blob.segment == "000002"
    assert sealed_file(tmp_path).read_bytes() == before


def test_what_was_half_sealed_is_removed_at_the_next_start(tmp_path):
    """A stale file stands in nobody's way and is nobody's segment."""
    writer, _ = filled(tmp_path)
    writer.close()
    stale = tmp_path / "segments" / "000001.tar.zst.sealing"
    stale.write_bytes(segment_file(tmp_path).read_bytes()[:50])
    stale.chmod(0o440)
    assert not damages(tmp_path)
    with ArchiveWriter.open(tmp_path) as writer:
        assert not stale.exists()
        assert seal_all(writer) == ["000001.sealed"]
    assert stored_messages(tmp_path) == dict(enumerate(RAWS, 1))


def test_an_empty_segment_disturbs_nothing(tmp_path):
    """A crash right after a segment's creation leaves a file without content."""
    writer, _ = filled(tmp_path)
    with writer:
        seal_all(writer)
    segment_file(tmp_path, "000002").touch(0o600)
    (tmp_path / "lock").write_text("open 1\n")
    with ArchiveWriter.open(tmp_path) as writer:
        assert writer.unclean
        (blob,) = store(writer, 5, [b"next"])
        assert seal_all(writer) == ["000003.sealed"]
    assert blob.segment == "000003"
    assert damages(tmp_path) == []
    assert stored_messages(tmp_path) == {**dict(enumerate(RAWS, 1)), 5: b"next"}


def test_a_disk_without_room_for_the_second_copy_loses_nothing(small_disk):
    """Sealing says so and leaves the segment as it was; there is room for it later."""
    raw = os.urandom(2_500_000)
    ballast = small_disk / "ballast"
    with ArchiveWriter.open(small_disk / "a") as writer:
        store(writer, 1, [raw])
        ballast.write_bytes(bytes(6_000_000))
        with pytest.raises(CycleError, match="the disk is full"):
            seal_one(writer)
        assert not list((small_disk / "a" / "segments").glob("*.sealing"))
        assert stored_messages(small_disk / "a") == {1: raw}
        ballast.unlink()
        assert seal_all(writer) == ["000001.sealed"]
    assert stored_messages(small_disk / "a") == {1: raw}


def test_a_message_that_does_not_fit_is_not_stored(small_disk):
    """The disk is asked before anything is written, and smaller mail goes on."""
    with ArchiveWriter.open(small_disk / "a") as writer:
        with pytest.raises(CycleError, match="the disk is full"):
            store(writer, 1, [os.urandom(9_000_000)])
        assert Archive(small_disk / "a").segments() == []
        writer.check_sound()
        store(writer, 1, [b"small"])
    assert stored_messages(small_disk / "a") == {1: b"small"}


def test_nothing_is_written_over(tmp_path):
    """A foreign file under the next name, or under the sealed name, stays what it is."""
    with ArchiveWriter.open(tmp_path) as writer:
        segment_file(tmp_path, "000007").symlink_to("/nonexistent")
        (blob,) = store(writer, 1, [b"one"])
        assert blob.segment == "000008"
        sealed_file(tmp_path, "000008").symlink_to("/nonexistent")
        with pytest.raises(IntegrityError):
            seal_one(writer, "000008")
    assert segment_file(tmp_path, "000007").is_symlink()
    assert sealed_file(tmp_path, "000008").is_symlink()
    assert stored_messages(tmp_path) == {1: b"one"}


def test_a_segment_that_changed_after_writing_is_not_sealed(tmp_path):
    """The messages are proven on the way; nothing damaged is ever called sealed."""
    writer, blobs = filled(tmp_path)
    with writer:
        set_byte(segment_file(tmp_path), blobs[0].frame_offset + blobs[0].frame_bytes - 2, 64)
        with pytest.raises(IntegrityError, match="cannot be sealed"):
            seal_one(writer)
    assert [path.name for path in (tmp_path / "segments").iterdir()] == ["000001.tar.zst"]


@pytest.mark.parametrize("raws", [RAWS[:-1], [*RAWS[:-1], b"another"], [*RAWS, b"more"]])
def test_a_sealed_file_that_holds_something_else_replaces_nothing(tmp_path, raws):
    """When both files are there the sealed one is proven against the open one."""
    with ArchiveWriter.open(tmp_path / "other") as other:
        for seq, raw in enumerate(raws, 1):
            store(other, seq, [raw])
        seal_all(other)
    with ArchiveWriter.open(tmp_path / "a") as writer:
        for seq, raw in enumerate(RAWS, 1):
            store(writer, seq, [raw])
        sealed_file(tmp_path / "other").rename(sealed_file(tmp_path / "a"))
        with pytest.raises(IntegrityError, match="does not hold what"):
            seal_one(writer)
        assert writer.waiting() == ["000001"]
    assert segment_file(tmp_path / "a").exists()
