"""One zstd frame and its content."""

import os
from contextlib import contextmanager

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.store.frame import (
    OPEN_LEVEL,
    SEALED_LEVEL,
    Compressor,
    FrameError,
    FrameReader,
    Stored,
    find_frame,
    measure,
)

SHAPES = [b"", b"x", b"abc" * 5000, bytes(1_000_000), os.urandom(300_000), os.urandom(131_072)]


@contextmanager
def handle(stored):
    """Hold ``stored`` as an open file without a name."""
    fd = os.memfd_create("frame")
    try:
        os.write(fd, stored)
        yield Stored(fd)
    finally:
        os.close(fd)


def frame_of(content, pieces=None, compressor=None):
    """Return ``content`` as one stored frame."""
    out = bytearray()
    compressor = compressor or Compressor(OPEN_LEVEL)
    stored_bytes = compressor.compress(pieces or [content], len(content), out.extend)
    assert stored_bytes == len(out)
    return bytes(out)


def content_of(stored, offset, end):
    """Read a frame whole, or raise."""
    extent = measure(stored, offset, end)
    reader = FrameReader(stored, extent)
    content = reader.read(extent.content_bytes)
    reader.finish()
    return content


@pytest.mark.parametrize("content", SHAPES, ids=len)
def test_content_comes_back_alone_and_between_others(content):
    """The same frame is read whole, and with frames before and behind it."""
    frame, other = frame_of(content), frame_of(b"other")
    with handle(other + frame + other) as stored:
        assert measure(stored, len(other), stored.end).end == len(other + frame)
        assert content_of(stored, len(other), stored.end) == content
    with handle(frame) as stored:
        assert content_of(stored, 0, len(frame)) == content


@given(st.lists(st.binary(max_size=3000), max_size=8))
@settings(deadline=None)
def test_pieces_make_one_frame(pieces):
    """However the content is cut, it is one frame that states size and checksum."""
    content = b"".join(pieces)
    frame = frame_of(content, pieces)
    stated = zstandard.get_frame_parameters(frame)
    assert (stated.content_size, stated.has_checksum) == (len(content), True)
    assert zstandard.decompress(frame) == content


def test_what_is_expected_is_read_at_once_and_no_more():
    """Whatever length is named: of what lies behind, nothing was read with it."""
    content = os.urandom(200_000)
    frame = frame_of(content)
    with handle(frame + b"behind") as stored:
        stored.expect(len(frame), 0)
        os.pwrite(stored._fd, bytes(len(frame)) + b"change", 0)
        assert content_of(stored, 0, len(frame)) == content
        assert stored.read(6, len(frame)) == b"change"
    for length in (-1, 0, 1, 10**15):
        with handle(frame) as stored:
            stored.expect(length, 0)
            assert content_of(stored, 0, len(frame)) == content


@pytest.mark.parametrize("content", SHAPES, ids=len)
def test_a_frame_cut_anywhere_is_no_frame(content):
    """The library's readers pass a truncated frame; ours does not."""
    frame = frame_of(content)
    cuts = {*range(min(len(frame), 40)), *range(len(frame) - 6, len(frame)), len(frame) // 2}
    for cut in cuts:
        with handle(frame[:cut]) as stored, pytest.raises(FrameError):
            measure(stored, 0, cut)


@pytest.mark.parametrize("content", SHAPES, ids=len)
def test_a_wrong_checksum_is_found(content):
    """Content is believed only after the checksum agreed."""
    frame = bytearray(frame_of(content))
    frame[-1] ^= 1
    with handle(frame) as stored, pytest.raises(FrameError):
        content_of(stored, 0, len(frame))


def test_a_frame_that_holds_more_or_less_than_it_states_is_refused():
    """A header that lies about the content size does not pass."""
    frame = bytearray(frame_of(b"abc" * 30))
    for stated in (89, 91):
        frame[5] = stated  # one byte holds the content size of a small frame
        with handle(frame) as stored, pytest.raises(FrameError):
            content_of(stored, 0, len(frame))


@pytest.mark.parametrize(
    "frame",
    [
        zstandard.ZstdCompressor(write_checksum=False).compress(b"abc"),
        zstandard.ZstdCompressor(write_checksum=True, write_content_size=False).compress(b"abc"),
        b"\x28\xb5\x2f\xfd\x04\x90" + bytes(20),
        b"PK\x03\x04" + bytes(20),
        b"",
    ],
    ids=["no checksum", "no content size", "huge window", "zip", "nothing"],
)
def test_a_frame_we_would_not_write_is_refused(frame):
    """Neither unchecked content nor unbounded memory."""
    with handle(frame) as stored, pytest.raises(FrameError):
        measure(stored, 0, len(frame))


@pytest.mark.parametrize(
    ("level", "window_bytes"), [(OPEN_LEVEL, 1024 * 1024), (SEALED_LEVEL, 4 * 1024 * 1024)]
)
def test_reading_a_frame_takes_so_much_history(level, window_bytes):
    """However long it is: 1 MiB in open segments, 4 MiB in sealed ones."""
    frame = frame_of(bytes(9_000_000), compressor=Compressor(level))
    assert zstandard.get_frame_parameters(frame).window_size == window_bytes


def test_one_compressor_makes_many_frames():
    """Its context is used again, and a frame that was broken off leaves no trace in the next."""
    compressor = Compressor(SEALED_LEVEL)
    assert frame_of(b"abc" * 100, compressor=compressor) == frame_of(
        b"abc" * 100, compressor=compressor
    )

    def pieces():
        yield b"abc" * 50_000
        raise RuntimeError

    with pytest.raises(RuntimeError):
        compressor.compress(pieces(), 1_000_000, len)
    for content in SHAPES:
        assert zstandard.decompress(frame_of(content, compressor=compressor)) == content


@pytest.mark.parametrize("size_bytes", [2, 4])
def test_content_of_another_length_than_announced_makes_no_frame(size_bytes):
    """The header is written first and must not lie."""
    with pytest.raises(ValueError, match="length"):
        Compressor(OPEN_LEVEL).compress([b"abc"], size_bytes, len)


def test_a_whole_frame_behind_damage_is_found():
    """A magic number alone is no frame, and the last place that leads to the end counts as well."""
    frames = frame_of(b"one") + frame_of(os.urandom(400_000))
    damaged = b"\x28\xb5\x2f\xfd damage \x28\xb5\x2f\xfd" + bytes(300_000)
    with handle(damaged + frames) as stored:
        assert find_frame(stored, 0, stored.end) == len(damaged)
    with handle(damaged + frames + b"tail") as stored:
        assert find_frame(stored, 0, stored.end) is None
