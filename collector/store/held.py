"""The content of one frame, held in memory and walked through there.

Rule: as ``FrameReader`` in all but speed; what is held was read to the end of its frame
and agreed with the checksum.  It is decompressed in one call, which needs no window of
history beside the content.
"""

from __future__ import annotations

from collections.abc import Sequence

import zstandard

from collector.store.frame import WINDOW_BYTES_MAX, Extent, FrameError, Piece, Stored


class HeldFrame:
    """The content of a frame that was read to its end: as ``FrameReader``, and begun again.

    Attributes:
        content: all of it.
        position: bytes passed so far.
    """

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.position = 0

    def pieces(self, length: int) -> Sequence[Piece]:
        """Return the next ``length`` bytes, if there are any, in one piece."""
        start = self.position
        self.skip(length)
        return (memoryview(self.content)[start : self.position],) if length > 0 else ()

    def read(self, length: int) -> bytes:
        """Return the next ``length`` bytes."""
        start = self.position
        self.skip(length)
        return self.content[start : self.position]

    def skip(self, length: int) -> None:
        """Pass over the next ``length`` bytes."""
        if length > 0:
            self.position += length
            if self.position > len(self.content):
                raise FrameError("the frame holds less than it states")

    def finish(self) -> None:
        """Confirm that all of it was passed."""
        if self.position < len(self.content):
            raise FrameError("the frame holds more than it states")


def hold(stored: Stored, extent: Extent) -> HeldFrame:
    """Read a whole frame; the caller bounds it.

    Raises:
        FrameError: it is not what it states.
    """
    decompressor = zstandard.ZstdDecompressor(max_window_size=WINDOW_BYTES_MAX)
    frame = stored.read(extent.stored_bytes, extent.offset)
    try:
        # The library makes room for whatever is stated here, and sees that it is filled.
        if zstandard.frame_content_size(frame) != extent.content_bytes:
            raise FrameError("the frame states another length than before")
        # Refuses a frame that is cut off or followed by more, and compares the checksum.
        content = decompressor.decompress(frame, read_across_frames=False, allow_extra_data=False)
    except (zstandard.ZstdError, MemoryError) as error:
        raise FrameError("the frame is damaged") from error
    return HeldFrame(content)
