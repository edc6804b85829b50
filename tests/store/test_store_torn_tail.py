"""What a crash leaves at the end of a segment, and what bit rot leaves anywhere."""

import os
import shutil

import pytest
from store_samples import (
    damages,
    receipt_of,
    seal_all,
    sealed_file,
    segment_file,
    set_byte,
    settlement_of,
    store,
    stored_messages,
)

from collector.domain.blob import RawBytes
from collector.domain.errors import IntegrityError
from collector.store.archive import Archive, Damage, StoredReceipt
from collector.store.writer import ArchiveWriter

BATCHES = [[b"first\r\n"], [b"second" * 30, b""], [b"third", os.urandom(200)]]


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A small archive as a killed process leaves it, and the ends of its frames."""
    root = tmp_path_factory.mktemp("small") / "archive"
    copy = root.with_name("copy")
    with ArchiveWriter.open(root) as writer:
        seq, borders = 1, {0: {}}
        messages = {}
        for batch in BATCHES:
            store(writer, seq, batch)
            messages |= dict(enumerate(batch, seq))
            seq += len(batch)
            borders[segment_file(root).stat().st_size] = dict(messages)
        shutil.copytree(root, copy)  # the mark in the lock still says open
    return copy, borders


def cut_copy(small, target, size_bytes):
    """Return a copy of the small archive whose segment was torn at ``size_bytes``."""
    root = target / f"cut{size_bytes}"
    shutil.copytree(small, root)
    os.truncate(segment_file(root), size_bytes)
    return root


def test_a_tail_torn_at_any_byte_costs_only_what_is_behind_the_last_whole_frame(small, tmp_path):
    """All messages of whole frames come back, nothing else, and the tail is named as one."""
    root, borders = small
    copy = cut_copy(root, tmp_path, max(borders))
    for size_bytes in range(max(borders), -1, -1):
        os.truncate(segment_file(copy), size_bytes)
        border = max(each for each in borders if each <= size_bytes)
        assert stored_messages(copy) == borders[border]
        expected = [] if border == size_bytes else [("000001", border, True)]
        found = [(each.segment, each.frame_offset, each.torn_tail) for each in damages(copy)]
        assert found == expected


def test_after_an_unclean_stop_a_new_segment_begins(small, tmp_path):
    """Nothing is appended behind a tail, torn or not; sealing brings every message over.

    A segment without one stays as it is: there is no successor to prove.
    """
    root, borders = small
    ends = sorted(borders)
    for size_bytes in {*ends, 1, ends[1] - 1, ends[1] + 1, ends[2] + 3, ends[-1] - 1}:
        copy = cut_copy(root, tmp_path, size_bytes)
        before = segment_file(copy).read_bytes()
        expected = borders[max(each for each in borders if each <= size_bytes)]
        with ArchiveWriter.open(copy) as writer:
            assert writer.unclean
            assert writer.recover(None) == ["000001"]
            (blob,) = store(writer, 9, [b"after"])
            assert blob.segment == "000002"
            assert segment_file(copy).read_bytes() == before
            sealed = seal_all(writer)
        assert sealed == (["000001.sealed"] if expected else []) + ["000002.sealed"]
        assert stored_messages(copy) == {**expected, 9: b"after"}
        assert all(each.torn_tail for each in damages(copy))
        assert segment_file(copy).exists() == (not expected)


def test_a_file_that_does_not_end_at_a_frame_is_unclean_whatever_the_mark_says(tmp_path):
    """The mark is asked first, the file has the last word."""
    with ArchiveWriter.open(tmp_path) as writer:
        store(writer, 1, [b"one"])
    with segment_file(tmp_path).open("ab") as file:
        file.write(b"\x28\xb5\x2f\xfd half a frame")
    with ArchiveWriter.open(tmp_path) as writer:
        assert writer.unclean
        (blob,) = store(writer, 2, [b"two"])
    assert blob.segment == "000002"
    assert stored_messages(tmp_path) == {1: b"one", 2: b"two"}


def test_after_a_clean_stop_the_open_segment_is_continued(tmp_path):
    """Segments do not grow in number by restarting."""
    for seq in (1, 2, 3):
        with ArchiveWriter.open(tmp_path) as writer:
            assert not writer.unclean
            assert writer.recover(None) == []
            store(writer, seq, [b"%d" % seq])
    assert [info.name for info in Archive(tmp_path).segments()] == ["000001"]
    assert stored_messages(tmp_path) == {1: b"1", 2: b"2", 3: b"3"}


def test_recovery_refuses_when_the_medium_lost_what_the_ledger_names(small, tmp_path):
    """A tail that was promised is no torn tail."""
    root, borders = small
    with ArchiveWriter.open(cut_copy(root, tmp_path, max(borders))) as writer:
        found = list(Archive(writer._layout.root).scan_from(None))
        assert writer.recover(found[-1].blob) == ["000001"]
    with (
        ArchiveWriter.open(cut_copy(root, tmp_path, max(borders) - 1)) as writer,
        pytest.raises(IntegrityError, match="lost"),
    ):
        writer.recover(found[-1].blob)


@pytest.mark.parametrize("sealed", [False, True])
def test_every_flipped_bit_is_found(small, tmp_path, sealed):
    """No flip makes a scan or a proof show another message, and none costs one silently.

    A compressed block has a few bits that mean nothing (RFC 8878); then all is as before.
    """
    root, borders = small
    copy = cut_copy(root, tmp_path, max(borders))
    if sealed:
        with ArchiveWriter.open(copy) as writer:
            seal_all(writer)
    archive, path = Archive(copy), (sealed_file if sealed else segment_file)(copy)
    expected = list(archive.scan_from(None))
    blobs = [each.blob for each in expected]
    frames_bytes = max(blob.frame_offset + blob.frame_bytes for blob in blobs)
    meaningless = 0
    for place in range(path.stat().st_size):
        mask = 1 << place % 8
        set_byte(path, place, mask)
        found = list(archive.scan_from(None))
        damaged = [each for each in found if isinstance(each, Damage)]
        if not damaged:
            assert found == expected, place
            meaningless += 1
        assert not any(each.torn_tail for each in damaged if sealed)
        receipts = [each for each in found if isinstance(each, StoredReceipt)]
        assert all(each in expected for each in receipts)
        proofs = list(archive.reread(blobs))
        assert all(each.digest in (None, each.blob.digest) for each in proofs)
        broken = {each.blob.frame_offset for each in proofs if each.digest is None}
        assert len(broken) == (1 if damaged and place < frames_bytes else 0), place
        set_byte(path, place, mask)
    assert list(archive.scan_from(None)) == expected
    assert meaningless < path.stat().st_size / 100


def test_damage_in_the_middle_is_no_torn_tail_and_stops_sealing(small, tmp_path):
    """What follows the damage is still read, and the damaged file stays as it is."""
    root, borders = small
    ends = sorted(borders)
    for place in (ends[1] + 9, ends[1], ends[1] + 20):  # content, magic, content
        copy = tmp_path / f"at{place}"
        shutil.copytree(root, copy)
        set_byte(segment_file(copy), place, 4)
        before = segment_file(copy).read_bytes()
        (damage,) = damages(copy)
        assert (damage.frame_offset, damage.torn_tail) == (ends[1], False)
        behind = {seq: raw for seq, raw in borders[ends[3]].items() if seq not in borders[ends[2]]}
        assert stored_messages(copy) == {**borders[ends[1]], **behind}
        with ArchiveWriter.open(copy) as writer:
            with pytest.raises(IntegrityError, match="cannot be sealed"):
                seal_all(writer)
            writer.check_sound()
            store(writer, 9, [b"still collecting"])
        assert segment_file(copy).read_bytes() == before
        assert not list((copy / "segments").glob("*.sealing"))


@pytest.mark.parametrize("part", ["torn frame", "last frame", "first frame", "everything"])
def test_a_sealed_segment_that_became_shorter_is_damaged(tmp_path, part):
    """Its name says that it was whole once, and its manifest what was in it."""
    with ArchiveWriter.open(tmp_path) as writer:
        blobs = [store(writer, seq, [os.urandom(5_000_000)])[0] for seq in (1, 2)]
        seal_all(writer)
    path = sealed_file(tmp_path)
    whole = path.read_bytes()
    first_end = next(each.blob.frame_bytes for each in Archive(tmp_path).scan_from(None))
    second_end = first_end + blobs[1].frame_bytes
    cut = {
        "torn frame": whole[:-30],
        "last frame": whole[:second_end],
        "first frame": whole[first_end:],
        "everything": b"",
    }[part]
    path.chmod(0o600)
    path.write_bytes(cut)
    (damage,) = damages(tmp_path)
    assert not damage.torn_tail
    assert Archive(tmp_path).segments()[0].sealed


def test_a_receipt_that_names_other_bytes_is_damage(tmp_path):
    """Frames whose checksums agree still have to agree with themselves."""
    good, other = receipt_of(1, b"good"), receipt_of(2, b"other")
    with ArchiveWriter.open(tmp_path) as writer:
        writer.append([(good, RawBytes(b"good"))])
        writer.append([(other, None)])  # says nothing of a first copy
        writer.append_settlements([settlement_of(1)])
    kinds = [type(each).__name__ for each in Archive(tmp_path).scan_from(None)]
    assert kinds == ["StoredReceipt", "Damage", "StoredSettlements"]
