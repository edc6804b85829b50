"""What is appended comes back: by place, by scan, by proof, and by tar."""

import hashlib
import os
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from store_samples import (
    receipt_of,
    seal_all,
    sealed_file,
    segment_file,
    set_byte,
    settlement_of,
    store,
    stored_messages,
)

from collector.domain.blob import Digest, RawBytes
from collector.domain.errors import ConfigError, IntegrityError
from collector.store.archive import Archive, StoredReceipt, StoredSettlements
from collector.store.frame import OPEN_LEVEL, Compressor
from collector.store.frames import FRAME_CONTENT_BYTES_MAX
from collector.store.writer import ArchiveWriter

MESSAGES = (
    st.binary(max_size=2000)
    | st.sampled_from([b"", b"\0", b"\0" * 512, b"no newline", b"a\r\n" * 171, b"\x28\xb5\x2f\xfd"])
    | st.integers(0, 600_000).map(lambda size: b"line of mail\r\n" * (size // 14))
)


@given(st.lists(st.lists(MESSAGES, max_size=5), max_size=4))
@settings(max_examples=25, deadline=None)
def test_every_batch_comes_back_byte_for_byte(batches):
    """Whatever the bytes and however they are batched."""
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory) / "archive"
        expected, blobs = [], []
        with ArchiveWriter.open(root) as writer:
            for batch in batches:
                blobs += store(writer, len(expected) + 1, batch)
                expected += batch
        archive = Archive(root)
        assert [archive.raw(blob).window(0, 10**9) for blob in blobs] == expected
        found = list(archive.scan_from(None))
        assert [each.receipt for each in found] == [
            receipt_of(seq, raw) for seq, raw in enumerate(expected, 1)
        ]
        assert [each.blob for each in found] == blobs
        assert {each.blob: (each.digest, each.problem) for each in archive.reread(blobs)} == {
            blob: (blob.digest, "") for blob in blobs
        }


def test_a_message_larger_than_a_frame_has_its_own(tmp_path):
    """Five random MiB between small ones: three frames, one commit, all come back."""
    raws = [b"before", os.urandom(5 * 1024 * 1024), b"after"]
    with ArchiveWriter.open(tmp_path) as writer:
        blobs = store(writer, 1, raws)
    assert len({blob.frame_offset for blob in blobs}) == 3
    assert stored_messages(tmp_path) == dict(enumerate(raws, 1))
    raw = Archive(tmp_path).raw(blobs[1])
    assert (raw.size_bytes, raw.digest) == (len(raws[1]), Digest.of(raws[1]))
    assert raw.window(len(raws[1]) - 3, 100) == raws[1][-3:]
    assert list((tmp_path / "spool").iterdir()) == []


def test_a_batch_above_four_mib_becomes_several_frames(tmp_path):
    """A location never makes a reader decompress more than a few MiB."""
    raws = [bytes([each]) * 700_000 for each in range(20)]
    with ArchiveWriter.open(tmp_path) as writer:
        blobs = store(writer, 1, raws)
    frames = {blob.frame_offset for blob in blobs}
    assert len(frames) == 4  # five of 700,000 bytes fit into 4 MiB
    assert {each.digest for each in Archive(tmp_path).reread(blobs)} == {b.digest for b in blobs}


def test_the_shares_of_a_frame_add_up_to_its_length(tmp_path):
    """``stored_bytes`` says what a message costs, receipts and headers included."""
    raws = [os.urandom(size) for size in (1, 10_000, 20_000)] + [b""]
    with ArchiveWriter.open(tmp_path) as writer:
        blobs = store(writer, 1, raws)
    assert abs(sum(blob.stored_bytes for blob in blobs) - blobs[0].frame_bytes) <= 2
    assert [blob.stored_bytes >= 1 for blob in blobs] == [True, True, True, False]
    assert segment_file(tmp_path).stat().st_size == blobs[0].frame_bytes


def test_duplicates_and_settlements_come_back(tmp_path):
    """A duplicate is a receipt without a place; settlements keep their order."""
    duplicate = receipt_of(2, b"abc", duplicate_of=1)
    settlements = [settlement_of(seq) for seq in range(1, 2501)]
    with ArchiveWriter.open(tmp_path) as writer:
        (blob,) = store(writer, 1, [b"abc"])
        assert writer.append([(duplicate, None)]) == [None]
        writer.append_settlements(settlements)
        writer.append_settlements([])
        assert writer.append([]) == []
    found = list(Archive(tmp_path).scan_from(None))
    assert found[:2] == [StoredReceipt(receipt_of(1, b"abc"), blob), StoredReceipt(duplicate, None)]
    assert all(isinstance(each, StoredSettlements) for each in found[2:])
    assert [each for group in found[2:] for each in group.settlements] == settlements


@pytest.mark.parametrize("seal", [False, True])
def test_tar_lists_and_unpacks_a_segment(tmp_path, seal):
    """Open or sealed, the segment is an ordinary archive for ordinary tools."""
    raws = [b"first\r\n", b"", b"\0" * 5000, os.urandom(300_000)]
    with ArchiveWriter.open(tmp_path / "a") as writer:
        for seq, raw in enumerate(raws, 1):
            store(writer, seq, [raw])
        if seal:
            seal_all(writer)
    out = tmp_path / "out"
    out.mkdir()
    tar = ["tar", "--zstd", "-C", str(out)]
    file = str((sealed_file if seal else segment_file)(tmp_path / "a"))
    listed = subprocess.run([*tar, "-tf", file], capture_output=True, text=True, check=True)
    names = [
        f"{seq}-{hashlib.sha256(raw).hexdigest()[:16]}.{kind}"
        for seq, raw in enumerate(raws, 1)
        for kind in ("eml", "json")
    ]
    assert listed.stdout.split() == names + ["MANIFEST-000001.sha256"] * seal
    subprocess.run([*tar, "-xf", file], check=True)
    assert [(out / name).read_bytes() for name in names[::2]] == raws


def test_bytes_that_are_not_what_the_receipt_says_are_not_stored(tmp_path):
    """Between fetching and storing nothing may change; the batch leaves no trace."""
    wrong = [
        (replace(receipt_of(2, b"abc"), size_bytes=size_bytes), RawBytes(raw))
        for raw, size_bytes in ((b"abd", 3), (b"abcd", 3), (b"ab", 3), (b"abc", 4), (b"abc", 2))
    ]
    with ArchiveWriter.open(tmp_path) as writer:
        store(writer, 1, [b"good"])
        before = segment_file(tmp_path).read_bytes()
        for item in wrong:
            with pytest.raises(IntegrityError):
                writer.append([(receipt_of(3, b"fine"), RawBytes(b"fine")), item])
            assert segment_file(tmp_path).read_bytes() == before
        writer.check_sound()
        store(writer, 2, [b"next"])
    assert stored_messages(tmp_path) == {1: b"good", 2: b"next"}


def test_a_wrong_place_never_hands_out_other_bytes(tmp_path):
    """A location is input: whatever it says, the answer is the blob or an error."""
    raws = [b"one" * 100, b"two" * 100]
    with ArchiveWriter.open(tmp_path) as writer:
        (blob, other) = store(writer, 1, raws)
    wrong = [
        replace(blob, offset=other.offset),
        replace(blob, offset=-1),
        replace(blob, offset=10**12),
        replace(blob, size_bytes=-5),
        replace(blob, size_bytes=10**12),
        replace(blob, size_bytes=blob.size_bytes - 1),
        replace(blob, frame_offset=1),
        replace(blob, frame_offset=-1),
        replace(blob, frame_bytes=blob.frame_bytes // 2),
        replace(blob, segment="000009"),
        replace(blob, segment="../../etc/passwd"),
        replace(blob, digest=other.digest),
    ]
    archive = Archive(tmp_path)
    for place in wrong:
        with pytest.raises(IntegrityError) as caught:
            archive.copy(place, len)
        assert str(place.digest) in str(caught.value)
        with pytest.raises(IntegrityError):
            archive.raw(place)
        (reread,) = archive.reread([place])
        assert reread.digest != place.digest
        assert reread.problem
    longer = replace(blob, frame_bytes=blob.frame_bytes + 1)
    assert archive.raw(longer).window(0, 999) == raws[0]
    assert [each.problem for each in archive.reread([longer])] == [
        "the frame has another length than recorded"
    ]


def test_one_broken_frame_does_not_hide_the_others(tmp_path):
    """Each blob has its own answer, one however often it is asked for."""
    with ArchiveWriter.open(tmp_path) as writer:
        blobs = [
            blob for seq in (1, 3, 5) for blob in store(writer, seq, [b"%d" % seq, b"x" * seq])
        ]
    set_byte(segment_file(tmp_path), blobs[2].frame_offset + blobs[2].frame_bytes // 2, 16)
    asked = [*reversed(blobs), blobs[0]]
    found = list(Archive(tmp_path).reread(asked))
    assert [each.blob for each in found] == blobs
    broken = {each.blob for each in found if each.digest is None}
    assert broken == set(blobs[2:4])
    assert all(bool(each.problem) == (each.blob in broken) for each in found)


def test_a_frame_that_states_more_than_its_blobs_explain_is_refused(tmp_path):
    """A few stored bytes do not make a proof decompress without bound."""
    with ArchiveWriter.open(tmp_path) as writer:
        (blob,) = store(writer, 1, [b"abc"])
    content_bytes = FRAME_CONTENT_BYTES_MAX + 1
    out = bytearray()
    Compressor(OPEN_LEVEL).compress([bytes(content_bytes)], content_bytes, out.extend)
    segment_file(tmp_path).write_bytes(out)
    bomb = replace(blob, frame_bytes=len(out), size_bytes=3)
    (reread,) = Archive(tmp_path).reread([bomb])
    assert "more content" in reread.problem
    with pytest.raises(IntegrityError, match="more content"):
        Archive(tmp_path).copy(bomb, len)


def test_segments_are_in_numeric_order(tmp_path):
    """Beyond 999999 the names grow longer, and the order stays that of writing."""
    with ArchiveWriter.open(tmp_path) as writer:
        (first,) = store(writer, 1, [b"one"])
        seal_all(writer)
        sealed_file(tmp_path).rename(sealed_file(tmp_path, "999999"))
        (second,) = store(writer, 2, [b"two"])
    archive = Archive(tmp_path)
    assert [info.name for info in archive.segments()] == ["999999.sealed", "1000000"]
    assert [info.sealed for info in archive.segments()] == [True, False]
    sealed = replace(first, segment="999999.sealed")
    seqs = [
        [each.receipt.seq for each in archive.scan_from(start) if hasattr(each, "receipt")]
        for start in (None, sealed, second)
    ]
    assert seqs == [[1, 2], [2], [2]]


def test_files_that_do_not_belong_are_named(tmp_path):
    """Neither a stray file nor a link is read as a segment."""
    with ArchiveWriter.open(tmp_path) as writer:
        store(writer, 1, [b"one"])
    segments = tmp_path / "segments"
    (segments / "000002.tar.zst").symlink_to(segment_file(tmp_path))
    (segments / "0000003.tar.zst").touch()
    (segments / "notes.txt").touch()
    (segments / "000004.tar.zst.sealing").touch()
    (segments / "000005.sealed.tar.zst.sealing").touch()
    archive = Archive(tmp_path)
    assert archive.foreign_files() == [
        "0000003.tar.zst",
        "000002.tar.zst",
        "000005.sealed.tar.zst.sealing",
        "notes.txt",
    ]
    assert [info.name for info in archive.segments()] == ["000001"]
    assert stored_messages(tmp_path) == {1: b"one"}


def test_an_archive_that_is_not_there_holds_nothing(tmp_path):
    """Reading creates nothing."""
    archive = Archive(tmp_path / "nowhere")
    assert archive.segments() == archive.foreign_files() == []
    assert list(archive.scan_from(None)) == []
    assert not (tmp_path / "nowhere").exists()


def test_a_missing_spool_directory_is_said(tmp_path):
    """The hint names the directory; the bytes can still be copied out."""
    with ArchiveWriter.open(tmp_path) as writer:
        (blob,) = store(writer, 1, [bytes(2_000_000)])
    (tmp_path / "spool").rmdir()
    with pytest.raises(ConfigError, match="spool"):
        Archive(tmp_path).raw(blob)
    pieces = []
    Archive(tmp_path).copy(blob, pieces.append)
    assert b"".join(pieces) == bytes(2_000_000)


def test_a_walk_hands_over_the_messages_it_has_read(tmp_path):
    """Windows of the exact bytes, whatever lies around them; large ones are not held."""
    raws = [b"message %d" % seq * 500 for seq in range(1, 6)] + [bytes(9_000_000)]
    with ArchiveWriter.open(tmp_path) as writer:
        store(writer, 1, raws)
        seal_all(writer)
        store(writer, len(raws) + 1, [b"in an open segment"])
    *several, large, other = Archive(tmp_path).scan_from(None)
    assert [each.raw.window(0, 10**9) for each in several] == raws[:-1]
    assert [each.raw.digest for each in several] == [each.blob.digest for each in several]
    assert (large.raw, other.raw.window(0, 99)) == (None, b"in an open segment")
    raw = several[1].raw
    assert (raw.size_bytes, raw.window(4, 7)) == (len(raws[1]), raws[1][4:11])
    assert (raw.window(4495, 99), raw.window(5000, 1)) == (raws[1][4495:], b"")


def test_a_walk_from_the_last_blob_reads_only_what_came_since(tmp_path):
    """Its own frame and everything behind it, in this segment and the next; nothing before."""
    with ArchiveWriter.open(tmp_path) as writer:
        blobs = [store(writer, seq, [b"message %d" % seq])[0] for seq in range(1, 6)]
        writer.roll(0)
        store(writer, 6, [b"message 6"])
    archive = Archive(tmp_path)
    everything = [found for name in archive.names() for found in archive.scan_segment(name)]
    assert list(archive.scan_from(None)) == everything
    assert list(archive.scan_from(blobs[3])) == everything[3:]


@pytest.mark.parametrize("removed", [True, False], ids=["open one gone", "both there"])
def test_a_walk_from_a_segment_that_was_sealed_meanwhile_misses_nothing(tmp_path, removed):
    """The ledger still names the open one: all of the sealed one is walked, and what follows."""
    with ArchiveWriter.open(tmp_path) as writer:
        blobs = [store(writer, seq, [b"message %d" % seq])[0] for seq in range(1, 4)]
        opened = segment_file(tmp_path).read_bytes()
        writer.roll(0)
        store(writer, 4, [b"message 4"])
        seal_all(writer)
    if not removed:  # a crash came between the two
        segment_file(tmp_path).write_bytes(opened)
    found = list(Archive(tmp_path).scan_from(blobs[2]))
    seqs = [each.receipt.seq for each in found if isinstance(each, StoredReceipt)]
    assert seqs == [1, 2, 3, 4]
