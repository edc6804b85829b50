"""Sealing beside the cycles."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from rooms import NOW, collect, opened

from collector.custody.sealing import SEGMENTS_MAX
from collector.custody.verify import prove
from collector.domain.errors import IntegrityError


def sealing_file(root: Path) -> list[Path]:
    """Return the file that is being written, when there is one."""
    return list((root / "segments").glob("*.sealing"))


def test_a_cycle_goes_on_while_a_segment_is_sealed(scratch: Path) -> None:
    """New mail is committed and proven while a full segment is written anew."""
    large = random.Random(1).randbytes(40_000_000)
    with opened(scratch) as intake:
        before = collect(intake, large)
        intake.writer.roll(1)
        intake.seal()
        while not sealing_file(scratch):
            pass
        entries = collect(intake, b"new mail")
        assert len(prove(entries, intake.read_back, NOW)) == 1
        assert sealing_file(scratch)  # it had not ended by then
        intake.finish_sealing(lambda: False)
        assert [each.blob.segment for each in intake.ledger.entries()] == [
            "000001.sealed",
            "000002",
        ]
        proofs = prove(before, intake.read_back, NOW)  # read before, proven after
        assert len(proofs) == 1
        (sealed,) = intake.ledger.events(names=["segment.sealed"])
        assert (sealed.keys["segment"], sealed.keys["raw_bytes"]) == ("000001.sealed", 40_000_000)


def test_the_stop_sign_ends_the_waiting(scratch: Path) -> None:
    """What was begun is given up when the archive is closed, and done by the next process."""
    with opened(scratch) as intake:
        collect(intake, random.Random(1).randbytes(40_000_000))
        intake.writer.roll(1)
        intake.seal()
        intake.finish_sealing(lambda: True)
    assert [path.name for path in (scratch / "segments").iterdir()] == ["000001.tar.zst"]
    with opened(scratch) as intake:
        assert not intake.writer.unclean
        intake.writer.roll(1)
        intake.seal()
        intake.finish_sealing(lambda: False)
        assert [each.blob.segment for each in intake.ledger.entries()] == ["000001.sealed"]


def test_a_damaged_segment_stops_everything(scratch: Path) -> None:
    """It is told to whoever asks next, each time, and nothing more is sealed."""
    with opened(scratch) as intake:
        (entry,) = collect(intake, random.Random(1).randbytes(10_000))
        collect(intake, b"behind the damage")
        with (scratch / "segments" / "000001.tar.zst").open("r+b") as file:
            file.seek(entry.blob.frame_bytes // 2)
            file.write(b"damage")
        intake.writer.roll(1)
        intake.seal()
        for _ in range(2):
            with pytest.raises(IntegrityError, match="cannot be sealed"):
                intake.finish_sealing(lambda: False)
            with pytest.raises(IntegrityError, match="cannot be sealed"):
                intake.seal()
        assert [each.blob.segment for each in intake.ledger.entries()] == ["000001", "000001"]


def test_an_entry_whose_bytes_are_nowhere_keeps_the_open_segment(scratch: Path) -> None:
    """A tail that the ledger names was not only torn; the file stays for a person to look at."""
    with opened(scratch) as intake:
        collect(intake, b"first")
        _, second = [*collect(intake, b"second"), *collect(intake, b"third")]
        path = scratch / "segments" / "000001.tar.zst"
        with path.open("r+b") as file:
            file.truncate(second.blob.frame_offset + second.blob.frame_bytes - 3)
        intake.writer.roll(1)
        intake.seal()
        with pytest.raises(IntegrityError, match="1 of 3 entries"):
            intake.finish_sealing(lambda: False)
        assert path.exists()
        assert {each.blob.segment for each in intake.ledger.entries()} == {"000001"}


def test_many_segments_are_sealed_a_few_at_a_time(scratch: Path) -> None:
    """A run that ends after its mail is collected does not wait for all of them."""
    with opened(scratch) as intake:
        for number in range(SEGMENTS_MAX + 2):
            collect(intake, b"%d" % number)
            intake.writer.roll(1)
        for left in (2, 0):
            intake.seal()
            intake.finish_sealing(lambda: False)
            assert len(intake.writer.waiting()) == left
        assert all(info.sealed for info in intake.archive.segments())
