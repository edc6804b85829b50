"""One zstd frame and its content, both streamed (RFC 8878, section 3.1).

Rule: a frame is believed only when its blocks lead to its end, the content has
the length the header states, and the checksum agrees.  The library's streaming
readers pass a truncated frame without an error, so length and end are checked
here.

Memory stays flat: the window is bounded, and content comes in pieces however
far it was compressed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from io import BufferedReader
from typing import IO, cast

import zstandard

from collector.domain.blob import WINDOW_BYTES

OPEN_LEVEL = -1
"""Thrown away when the segment is sealed: the cheapest to write and to prove (docs/adr/0006)."""

SEALED_LEVEL = 5
"""With the search below: 1.3 % larger than level 6, a seventh cheaper (docs/adr/0006)."""

_PARAMETERS = {
    OPEN_LEVEL: {"window_log": 20},
    SEALED_LEVEL: {"window_log": 22, "search_log": 4, "min_match": 6},
}
"""Open: 1 MiB of history, beyond which that level finds nothing.  Sealed: 4 MiB, as much mail
as a frame of several messages holds; and instead of the level's own 3 and 5, longer matches,
looked for in twice as many places (docs/adr/0006)."""

WINDOW_BYTES_MAX = 8 * 1024 * 1024
"""zstd needs this much history at most up to level 9 (RFC 8878 recommends accepting it)."""

_MAGIC = b"\x28\xb5\x2f\xfd"
_HEADER_BYTES_MAX = 18
_CHECKSUM_BYTES = 4
_UNUSED_BIT = 0x08 | 0x10
_RLE, _RESERVED = 1, 3
_READ_BYTES = 128 * 1024
_STEP_BYTES = 3 * 1024 * 1024
"""As much as a batch of mail: its frame is hardly longer, however badly it is compressed."""
_SMALL_BYTES = 64 * 1024
"""Shorter pieces are joined before they are compressed: a call costs more than copying them."""

RESYNC_CANDIDATES_MAX = 1000
"""Places tried when the next whole frame is looked for behind damage."""


Piece = bytes | memoryview


class FrameError(Exception):
    """Here is no whole frame; does not leave the room."""


class UnreadError(FrameError):
    """The medium does not hand the bytes over, so what they are is not known."""


@dataclass(frozen=True, slots=True)
class Extent:
    """Where a frame lies in its file.

    Attributes:
        stored_bytes: its length there.
        content_bytes: length of its content, as its header states.
    """

    offset: int
    stored_bytes: int
    content_bytes: int

    @property
    def end(self) -> int:
        """First byte behind the frame."""
        return self.offset + self.stored_bytes


class Compressor:
    """Makes frames, one after the other; not two at once, for they share one context."""

    def __init__(self, level: int) -> None:
        self._zstd = zstandard.ZstdCompressor(
            compression_params=zstandard.ZstdCompressionParameters(
                compression_level=level,
                write_checksum=True,
                write_content_size=True,
                **_PARAMETERS[level],
            )
        )

    def compress(
        self, pieces: Iterable[Piece], content_bytes: int, write: Callable[[bytes], object]
    ) -> int:
        """Write ``pieces``, ``content_bytes`` long in all, as one frame; return its stored length.

        Raises:
            ValueError: the pieces are shorter or longer.
        """
        stream = self._zstd.compressobj(size=content_bytes)
        stored_bytes = 0
        try:
            for piece in _joined(pieces):
                if out := stream.compress(piece):
                    write(out)
                    stored_bytes += len(out)
            out = stream.flush()
        except zstandard.ZstdError as error:
            raise ValueError("the content has another length than announced") from error
        write(out)
        return stored_bytes + len(out)


def _joined(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """Yield the same bytes in pieces that are worth a call each."""
    waiting: list[Piece] = []
    waiting_bytes = 0
    for piece in pieces:
        waiting.append(piece)
        waiting_bytes += len(piece)
        if waiting_bytes >= _SMALL_BYTES:
            yield waiting[0] if len(waiting) == 1 else b"".join(waiting)
            waiting, waiting_bytes = [], 0
    yield b"".join(waiting)


class Stored:
    """The bytes of a segment's file, read in steps of 3 MiB: mostly a frame at once.

    Walking from block header to block header, and decompressing then, is one
    sequential read, which matters once the cache was dropped.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._step = b""
        self._start = 0

    @property
    def end(self) -> int:
        """First byte behind the file, now."""
        return os.fstat(self._fd).st_size

    def read(self, length: int, offset: int) -> bytes:
        """Return up to ``length`` bytes from ``offset``.

        Raises:
            UnreadError: the medium does not hand them over.
        """
        place = offset - self._start
        if place < 0 or place + length > len(self._step):
            self._load(max(length, _STEP_BYTES), offset)
            place = 0
        return self._step[place : place + length]

    def expect(self, length: int, offset: int) -> None:
        """Read ahead what is asked for next, and no more: a step is longer than most frames.

        Raises:
            UnreadError: as ``read``.
        """
        self._load(max(0, min(length, _STEP_BYTES)), offset)

    def _load(self, length: int, offset: int) -> None:
        self._step = b""  # never two steps in memory
        try:
            self._step = os.pread(self._fd, length, offset)
        except OSError as error:
            raise UnreadError(f"the segment cannot be read: {error.strerror}") from error
        self._start = offset


def measure(stored: Stored, offset: int, end: int) -> Extent:
    """Find the end of the frame at ``offset`` by its block headers, without decoding it.

    ``end`` is the first byte behind what may belong to the frame.

    Raises:
        FrameError: no frame of ours begins there, or it is not whole.
    """
    content_bytes, position = _read_head(stored, offset, end)
    position = _behind_blocks(stored, offset + position, end) + _CHECKSUM_BYTES
    if position > end:
        raise FrameError("the frame is cut off")
    return Extent(offset, position - offset, content_bytes)


def stated(stored: Stored, offset: int, stored_bytes: int) -> Extent:
    """Take the frame at ``offset`` at its word: only its header is read, not where it ends.

    Raises:
        FrameError: no frame of ours begins there.
    """
    content_bytes, _ = _read_head(stored, offset, offset + stored_bytes)
    return Extent(offset, stored_bytes, content_bytes)


def find_frame(stored: Stored, offset: int, end: int) -> int | None:
    """Return the next place from which whole frames lead exactly to ``end``.

    Such a place tells damage in the middle of a file from a torn tail.
    """
    candidates = 0
    while offset < end and candidates < RESYNC_CANDIDATES_MAX:
        piece = stored.read(min(WINDOW_BYTES, end - offset), offset)
        place = piece.find(_MAGIC)
        if place < 0:
            offset += max(len(piece) - len(_MAGIC) + 1, 1)
            continue
        if ends_at_frame(stored, offset + place, end):
            return offset + place
        candidates += 1
        offset += place + 1
    return None


def ends_at_frame(stored: Stored, offset: int, end: int) -> bool:
    """Say whether whole frames, by their block headers, lead from ``offset`` exactly to ``end``."""
    try:
        while offset < end:
            offset = measure(stored, offset, end).end
    except FrameError:
        return False
    return True


def _read_head(stored: Stored, offset: int, end: int) -> tuple[int, int]:
    """Return the stated content size and the length of the frame header."""
    head = stored.read(max(0, min(_HEADER_BYTES_MAX, end - offset)), offset)
    if head[:4] != _MAGIC:
        raise FrameError("no zstd frame begins here")
    try:
        says = zstandard.get_frame_parameters(head)
        length = zstandard.frame_header_size(head)
    except zstandard.ZstdError as error:
        raise FrameError("the frame header is cut off or damaged") from error
    if head[4] & _UNUSED_BIT or not says.has_checksum or says.dict_id:
        raise FrameError("the frame header is not one of ours")
    if says.content_size == zstandard.CONTENTSIZE_UNKNOWN:
        raise FrameError("the frame does not state its content size")
    if says.window_size > WINDOW_BYTES_MAX:
        raise FrameError("the frame asks for too much memory")
    return says.content_size, length


def _behind_blocks(stored: Stored, position: int, end: int) -> int:
    """Walk from block header to block header (RFC 8878, section 3.1.1.2)."""
    while position < end:
        head = int.from_bytes(stored.read(3, position), "little")
        last, kind, size_bytes = head & 1, head >> 1 & 3, head >> 3
        if kind == _RESERVED:
            break
        position += 3 + (1 if kind == _RLE else size_bytes)
        if last:
            return position
    raise FrameError("the frame is cut off or its blocks are damaged")


class _Range:
    """The stored bytes of one frame, as the file object that zstandard reads from."""

    def __init__(self, stored: Stored, extent: Extent) -> None:
        self._stored = stored
        self._position = extent.offset
        self._end = extent.end

    def read(self, size: int) -> bytes:
        piece = self._stored.read(min(size, self._end - self._position), self._position)
        self._position += len(piece)
        return piece


class FrameReader:
    """Reads the content of one frame from front to back, once.

    Attributes:
        position: bytes of content read so far.

    Raises:
        FrameError: from every method, when the frame is not what it states.
    """

    def __init__(self, stored: Stored, extent: Extent) -> None:
        decompressor = zstandard.ZstdDecompressor(max_window_size=WINDOW_BYTES_MAX)
        source = cast("IO[bytes]", _Range(stored, extent))
        stream = decompressor.stream_reader(source, _READ_BYTES, closefd=False)
        # In steps of a window, so that what hashes a piece finds it in the processor's cache.
        self._stream = BufferedReader(stream, WINDOW_BYTES)
        self.position = 0

    def pieces(self, length: int) -> Iterator[bytes]:
        """Yield the next ``length`` bytes piece by piece."""
        while length > 0:
            piece = self._read(min(WINDOW_BYTES, length))
            if not piece:
                raise FrameError("the frame holds less than it states")
            length -= len(piece)
            yield piece

    def read(self, length: int) -> bytes:
        """Return the next ``length`` bytes, at once."""
        piece = self._read(length)
        if len(piece) < length:
            raise FrameError("the frame holds less than it states")
        return piece

    def skip(self, length: int) -> None:
        """Pass over the next ``length`` bytes."""
        for _ in self.pieces(length):
            pass

    def finish(self) -> None:
        """Confirm that the content ends here and that the checksum agrees."""
        if self._read(1):  # the read behind the content is what compares the checksum
            raise FrameError("the frame holds more than it states")

    def _read(self, size: int) -> bytes:
        try:
            piece = self._stream.read(size)
        except (zstandard.ZstdError, MemoryError) as error:
            raise FrameError("the frame is damaged") from error
        self.position += len(piece)
        return piece
