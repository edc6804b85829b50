"""Where the messages of a segment lie, for as many as a segment may hold.

Rule: pure; what comes out is what was put in, in the same order.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator

from collector.domain.blob import BlobRef, Digest

_NUMBERS = 5
_DIGEST_BYTES = 32

Plain = tuple[int, int, int, int, int, str]
"""Offset and stored length of the frame, offset in it, length, share of the stored length, digest
in hexadecimal."""


class Places:
    """Blobs of one segment, in the order written.

    Kept as numbers, 72 bytes for each: a segment of small mail holds 100,000.
    """

    def __init__(self, segment: str) -> None:
        self.segment = segment
        self._numbers = array("q")
        self._digests = bytearray()

    def add(self, blob: BlobRef) -> None:
        """Note one more message of this segment."""
        self._numbers.extend(
            (blob.frame_offset, blob.frame_bytes, blob.offset, blob.size_bytes, blob.stored_bytes)
        )
        self._digests += bytes.fromhex(blob.digest.hex)

    @property
    def raw_bytes(self) -> int:
        """Length of all messages together."""
        return sum(self._numbers[3::_NUMBERS])

    def __len__(self) -> int:
        return len(self._digests) // _DIGEST_BYTES

    def __iter__(self) -> Iterator[BlobRef]:
        for frame_offset, frame_bytes, offset, size_bytes, stored_bytes, digest in self.plain():
            yield BlobRef(
                segment=self.segment,
                frame_offset=frame_offset,
                frame_bytes=frame_bytes,
                offset=offset,
                size_bytes=size_bytes,
                digest=Digest(digest),
                stored_bytes=stored_bytes,
            )

    def plain(self) -> Iterator[Plain]:
        """Yield the same as plain values, which cost a fraction of what a ``BlobRef`` does."""
        hexes = self._digests.hex()
        digests = (
            hexes[start : start + 2 * _DIGEST_BYTES]
            for start in range(0, len(hexes), 2 * _DIGEST_BYTES)
        )
        numbers = iter(self._numbers)
        return zip(numbers, numbers, numbers, numbers, numbers, digests, strict=True)
