"""The sealed copy is believed only as it is read back from the medium."""

import random
import stat

import pytest
import zstandard
from store_samples import store

from collector.domain.errors import IntegrityError
from collector.store.frame import SEALED_LEVEL, Compressor
from collector.store.layout import Layout
from collector.store.seal import seal
from collector.store.writer import ArchiveWriter

RAWS = [random.Random(seed).randbytes(100_000) for seed in range(3)]
"""Not to be compressed, so that another byte does not make the frame longer."""

LONG = random.Random(3).randbytes(9 * 1024 * 1024)
"""Too long for a frame that is held: proven as it is read."""


def sealed_with_change(root, raws, change):
    """Seal ``raws``, while somebody puts other frames into the copy before it is read back.

    ``change`` is given the content of every frame and may change it in place.
    """
    with ArchiveWriter.open(root) as writer:
        store(writer, 1, raws)
    layout = Layout(root)
    copy = layout.sealing("000001")

    def stopping():
        if copy.exists() and stat.S_IMODE(copy.stat().st_mode) == 0o440:  # written and synced
            written = copy.read_bytes()
            copy.chmod(0o600)
            copy.write_bytes(changed(written, change))
        return False

    return seal(layout, "000001", stopping)


def changed(written, change):
    """Return the same frames, of contents that were changed, with checksums that agree."""
    out = bytearray()
    while written:
        reader = zstandard.ZstdDecompressor().decompressobj()
        content = bytearray(reader.decompress(written))
        written = reader.unused_data
        change(content)
        Compressor(SEALED_LEVEL).compress([bytes(content)], len(content), out.extend)
    return bytes(out)


def flip(mark, distance):
    """Return a change of one bit, so far behind where ``mark`` begins."""

    def change(content):
        if (place := content.find(mark)) >= 0:
            content[place + distance] ^= 1

    return change


def grow(content):
    """Put something behind the content, which changes the length of the frame."""
    content += random.Random(4).randbytes(1024)


@pytest.mark.parametrize(
    ("raws", "change", "problem"),
    [
        (RAWS, flip(RAWS[0][:20], 0), "is not where it was written"),
        (RAWS, flip(RAWS[2][:20], 99_999), "is not where it was written"),
        ([LONG], flip(LONG[:20], 5_000_000), "is not where it was written"),
        (RAWS, flip(b'"uid":1002', 9), "what was read back|another length"),
        (RAWS, flip(b"000001", 5), "what was read back|another length"),
        (RAWS, grow, "another length"),
        ([LONG], flip(b'"uid":1001', 9), "what was read back|another length"),
    ],
    ids=["first byte", "last byte", "long", "receipt", "manifest", "longer", "receipt of long"],
)
def test_a_copy_that_is_not_what_was_written_is_not_sealed(tmp_path, raws, change, problem):
    """Whatever was changed, though every checksum agrees: the open segment stays, alone."""
    with pytest.raises(IntegrityError, match=problem):
        sealed_with_change(tmp_path, raws, change)
    assert [path.name for path in (tmp_path / "segments").iterdir()] == ["000001.tar.zst"]


@pytest.mark.parametrize("raws", [RAWS, [LONG]], ids=["held", "streamed"])
def test_the_same_bytes_compressed_anew_are_sealed(tmp_path, raws):
    """What the tests above do to the copy does not fail by itself."""
    assert len(sealed_with_change(tmp_path, raws, lambda _: None).after) == len(raws)
