"""A frame held in memory is walked through as one that is read."""

from __future__ import annotations

import os
from contextlib import contextmanager

import pytest

from collector.store.frame import (
    OPEN_LEVEL,
    Compressor,
    Extent,
    FrameError,
    FrameReader,
    Stored,
    measure,
)
from collector.store.held import hold

CONTENT = os.urandom(300_000) + bytes(300_000)


@contextmanager
def stored_frame(content: bytes, change=bytes):
    """Hold a frame of ``content``, changed on its way, as an open file without a name."""
    out = bytearray()
    Compressor(OPEN_LEVEL).compress([content], len(content), out.extend)
    fd = os.memfd_create("frame")
    try:
        os.write(fd, change(out))
        yield Stored(fd)
    finally:
        os.close(fd)


def walk(reader) -> list[bytes]:
    """Read, skip and take pieces of it, from the beginning to the end."""
    taken = [reader.read(10), b"".join(reader.pieces(270_000))]
    reader.skip(29_990)
    taken += [b"".join(reader.pieces(0)), reader.read(300_000)]
    assert reader.position == len(CONTENT)
    reader.finish()
    return taken


def test_a_held_frame_tells_what_a_read_one_tells() -> None:
    """The same steps give the same bytes, and end at the same place."""
    with stored_frame(CONTENT) as stored:
        extent = measure(stored, 0, stored.end)
        held = hold(stored, extent)
        assert held.content == CONTENT
        assert walk(held) == walk(FrameReader(stored, extent))


@pytest.mark.parametrize("step", ["read", "skip", "pieces"])
def test_nothing_is_read_behind_its_end(step) -> None:
    """What is not there is an error, not less."""
    with stored_frame(b"0123456789") as stored:
        held = hold(stored, measure(stored, 0, stored.end))
        held.skip(8)
        with pytest.raises(FrameError, match="holds less"):
            list(getattr(held, step)(3))


def test_the_end_is_not_confirmed_before_it_is_reached() -> None:
    """Something that nobody looked at is an error."""
    with stored_frame(b"0123456789") as stored:
        held = hold(stored, measure(stored, 0, stored.end))
        held.skip(9)
        with pytest.raises(FrameError, match="holds more"):
            held.finish()


@pytest.mark.parametrize("place", [30, 100_000, -1])
def test_damage_is_seen_before_anything_is_handed_over(place) -> None:
    """A frame whose checksum does not agree is never held."""

    def change(frame: bytearray) -> bytes:
        frame[place] ^= 1
        return bytes(frame)

    with stored_frame(CONTENT, change) as stored:
        extent = measure(stored, 0, stored.end)
        with pytest.raises(FrameError):
            hold(stored, extent)


@pytest.mark.parametrize("more_bytes", [-4, -1, 1, 100])
def test_only_a_whole_frame_is_held(more_bytes) -> None:
    """One that is cut off, or that something follows, is an error, not a shorter content."""
    with stored_frame(CONTENT, lambda frame: bytes(frame) + bytes(100)) as stored:
        extent = Extent(0, stored.end - 100 + more_bytes, len(CONTENT))
        with pytest.raises(FrameError):
            hold(stored, extent)


@pytest.mark.parametrize("content_bytes", [0, 599_999, 600_001])
def test_a_frame_is_as_long_as_was_told(content_bytes) -> None:
    """Its content is what the caller bounded."""
    with stored_frame(CONTENT) as stored, pytest.raises(FrameError):
        hold(stored, Extent(0, stored.end, content_bytes))
