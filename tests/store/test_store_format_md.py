"""FORMAT.md in the archive, and the commands in it."""

import re
import sqlite3
import subprocess
from contextlib import closing
from importlib import resources

import pytest
from store_samples import receipt_of, seal_all, segment_file, set_byte, settlement_of, store

from collector.domain.custody import State
from collector.domain.journal import Kind
from collector.store.opening import write_format_md
from collector.store.receipt import encode_receipt, encode_settlements
from collector.store.writer import ArchiveWriter

TEXT = resources.files("collector.store").joinpath("FORMAT.md").read_text()


@pytest.fixture
def archive(tmp_path):
    """An archive with a sealed and an open segment and a ledger."""
    with ArchiveWriter.open(tmp_path) as writer:
        store(writer, 1, [b"one\r\n", b""])
        writer.append([(receipt_of(3, b"one\r\n", duplicate_of=1), None)])
        writer.append_settlements([settlement_of(1)])
        seal_all(writer)
        store(writer, 4, [b"four"])
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as ledger:
        ledger.execute("CREATE TABLE entry (seq INTEGER PRIMARY KEY)")
    return tmp_path


def commands():
    """Return all shell commands of FORMAT.md as one script."""
    blocks = re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)
    assert len(blocks) >= 5
    return "".join(blocks)


def shell(script, directory):
    """Run a script that stops at the first failing command."""
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_commands_work_as_they_are_written(archive):
    """A stranger who copies them sees the messages and no complaint."""
    ran = shell(commands(), archive)
    assert ran.returncode == 0, ran.stderr
    for expected in (
        f"1-{receipt_of(1, b'one' + bytes([13, 10])).digest.short}.eml",
        f"4-{receipt_of(4, b'four').digest.short}.eml",
        receipt_of(1, b"one\r\n").digest.hex,
        encode_receipt(receipt_of(1, b"one\r\n")).decode(),
        "ok\n",
        "CREATE TABLE entry",
    ):
        assert expected in ran.stdout


@pytest.mark.parametrize("field", [None, "digest"])
def test_the_commands_find_a_wrong_message(archive, field):
    """The check by receipts does not pass what it should refuse."""
    script = commands().replace(
        'for receipt in "$out"', 'chmod u+w "$out"/*\nCHANGE\nfor receipt in "$out"'
    )
    change = (
        'printf One > "$(ls "$out"/1-*.eml)"'
        if field is None
        else 'sed -i s/sha256:../sha256:ff/ "$(ls "$out"/1-????????????????.json)"'
    )
    ran = shell(script.replace("CHANGE", change), archive)
    assert ran.returncode != 0
    assert "FAILED" in ran.stdout


def test_the_commands_find_a_flipped_bit(archive):
    """The compressed form checks itself."""
    set_byte(segment_file(archive, "000002"), 30, 1)
    assert shell("zstd -tq segments/*.tar.zst", archive).returncode != 0


@pytest.mark.parametrize("seal", [False, True])
def test_the_example_for_a_place_works(archive, seal):
    """Frame offset, length, offset and size lead to the bytes with ordinary tools."""
    with ArchiveWriter.open(archive) as writer:
        (blob,) = store(writer, 5, [b"five\0five"])
        if seal:
            writer.roll(0)
            places = []
            writer.seal(blob.segment, lambda sealed: places.extend(sealed.after))
            (blob,) = (each for each in places if each.digest == blob.digest)
            assert blob.segment == "000002.sealed"
    example = re.search(r"```\n(tail.*?)```", TEXT, re.DOTALL)[1]
    numbers = "".join(
        f"{name}={getattr(blob, name)}\n"
        for name in ("segment", "frame_offset", "frame_bytes", "offset", "size_bytes")
    )
    ran = subprocess.run(
        ["bash", "-c", numbers + example], cwd=archive, capture_output=True, check=True
    )
    assert ran.stdout == b"five\0five"


def test_every_field_is_explained():
    """No field of a receipt or a settlement is left to guessing."""
    fields = {*re.findall(rb'"(\w+)":', encode_receipt(receipt_of(1, b"")))}
    fields |= {*re.findall(rb'"(\w+)":', encode_settlements([settlement_of(1)]))}
    for field in fields:
        assert f"`{field.decode()}`" in TEXT


def test_every_word_is_explained():
    """Nor is a value that a field may have."""
    settled = (State.EXPUNGED, State.VANISHED, State.SUPERSEDED)
    for word in (*Kind, *settled):
        assert f"`{word.value}`" in TEXT


def test_the_archive_has_the_text_of_the_program_that_writes_it(tmp_path):
    """It is written when missing or different, and left alone otherwise."""
    with ArchiveWriter.open(tmp_path):
        pass
    path = tmp_path / "FORMAT.md"
    assert path.read_text() == TEXT
    inode = path.stat().st_ino
    write_format_md(tmp_path)
    assert path.stat().st_ino == inode
    path.write_text("older")
    write_format_md(tmp_path)
    assert path.read_text() == TEXT
    assert not (tmp_path / "FORMAT.md.new").exists()
