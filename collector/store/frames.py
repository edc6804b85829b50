"""Writes what belongs together as frames, and says where the messages came to lie.

Rule: a message and its receipt are never divided; order is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

from collector.domain.blob import BlobRef, Digest
from collector.store.frame import Compressor, Piece
from collector.store.member import BLOCK_BYTES

FRAME_RAW_BYTES_MAX = 4 * 1024 * 1024
"""Mail in one frame; a larger message has its own.  Reading one costs 4 ms (storage.md, 6.2)."""

FRAME_CONTENT_BYTES_MAX = 2 * FRAME_RAW_BYTES_MAX
"""Content of a frame of more than one message: mail, receipts, headers."""


class Members(Protocol):
    """Whole members of the tar stream that belong together; a message comes first."""

    @property
    def digest(self) -> Digest | None:
        """Of the message, ``None`` when there is none."""

    @property
    def raw_bytes(self) -> int:
        """Length of the message, 0 when there is none."""

    @property
    def content_bytes(self) -> int:
        """Length in the tar stream, headers and filling included."""

    def pieces(self) -> Iterator[Piece]:
        """Yield the members, piece by piece."""


class FrameWriter:
    """Writes frames one after the other into one segment.

    Attributes:
        offset: first byte of the next frame.
    """

    def __init__(
        self, segment: str, level: int, offset: int, write: Callable[[bytes], object]
    ) -> None:
        self.offset = offset
        self._segment = segment
        self._compressor = Compressor(level)
        self._write = write

    def write(self, members: Iterable[Members]) -> Iterator[BlobRef | None]:
        """Write everything; yield the place of each message, ``None`` where there was none."""
        for frame in _frames(members):
            frame_bytes = self._compressor.compress(
                (piece for each in frame for piece in each.pieces()),
                sum(each.content_bytes for each in frame),
                self._write,
            )
            yield from self._places(frame, frame_bytes)
            self.offset += frame_bytes

    def _places(self, frame: Sequence[Members], frame_bytes: int) -> Iterator[BlobRef | None]:
        raw_bytes = sum(each.raw_bytes for each in frame)
        offset = BLOCK_BYTES
        for each in frame:
            if each.digest is None:
                yield None
            else:
                yield BlobRef(
                    segment=self._segment,
                    frame_offset=self.offset,
                    frame_bytes=frame_bytes,
                    offset=offset,
                    size_bytes=each.raw_bytes,
                    digest=each.digest,
                    stored_bytes=stored_share(frame_bytes, each.raw_bytes, raw_bytes),
                )
            offset += each.content_bytes


def stored_share(frame_bytes: int, size_bytes: int, raw_bytes: int) -> int:
    """Return how much of a frame's stored length a blob of ``size_bytes`` accounts for.

    The frame is shared out among its blobs, ``raw_bytes`` long together, headers
    and receipts included; rounded, and at least 1 for a blob that is not empty.
    """
    if not size_bytes:
        return 0
    return max(1, (2 * frame_bytes * size_bytes + raw_bytes) // (2 * raw_bytes))


def _frames(members: Iterable[Members]) -> Iterator[list[Members]]:
    """Group what belongs together into frames."""
    frame: list[Members] = []
    raw_bytes = content_bytes = 0
    for each in members:
        raw_bytes += each.raw_bytes
        content_bytes += each.content_bytes
        if frame and (raw_bytes > FRAME_RAW_BYTES_MAX or content_bytes > FRAME_CONTENT_BYTES_MAX):
            yield frame
            frame, raw_bytes, content_bytes = [], each.raw_bytes, each.content_bytes
        frame.append(each)
    if frame:
        yield frame
