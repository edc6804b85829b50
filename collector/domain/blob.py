"""Bytes known by their digest, and where they lie in the archive.

Rule: a blob is the raw message exactly as fetched.  Nothing here knows mail.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

WINDOW_BYTES = 256 * 1024
"""Bytes handled at once when a message is walked through; large enough for C speed."""

_HEX = "0123456789abcdef"


@dataclass(frozen=True, slots=True)
class Digest:
    """A SHA-256 digest; printed as ``sha256:<hex>``.

    Raises:
        ValueError: ``hex`` is not 64 lower-case hexadecimal digits.
    """

    hex: str

    def __post_init__(self) -> None:
        if len(self.hex) != 64 or self.hex.strip(_HEX):
            raise ValueError("a digest is 64 lower-case hexadecimal digits")

    def __str__(self) -> str:
        return f"sha256:{self.hex}"

    @property
    def short(self) -> str:
        """The first 16 digits: enough for a person and for a member name."""
        return self.hex[:16]

    @classmethod
    def of(cls, raw: bytes) -> Digest:
        """Return the digest of ``raw``."""
        return cls(hashlib.sha256(raw).hexdigest())

    @classmethod
    def parse(cls, text: str) -> Digest:
        """Read ``sha256:<hex>``; the opposite of ``str()``.

        Raises:
            ValueError: ``text`` has another form.
        """
        algorithm, _, value = text.partition(":")
        if algorithm != "sha256":
            raise ValueError("a digest begins with sha256:")
        return cls(value)


class RawMessage(Protocol):
    """The bytes of one fetched message, in memory or in a file.

    ``window`` may be called in any order and any number of times; it returns
    fewer bytes than asked only at the end.
    """

    @property
    def size_bytes(self) -> int:
        """Number of bytes."""

    @property
    def digest(self) -> Digest:
        """SHA-256 over all bytes, taken as they came off the wire."""

    def window(self, offset: int, length: int) -> bytes:
        """Return up to ``length`` bytes from ``offset``."""


class RawBytes:
    """A raw message held in memory."""

    __slots__ = ("_raw", "digest")

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self.digest = Digest.of(raw)

    @property
    def size_bytes(self) -> int:
        """Number of bytes."""
        return len(self._raw)

    def window(self, offset: int, length: int) -> bytes:
        """Return up to ``length`` bytes from ``offset``."""
        return self._raw[offset : offset + length]


class RawSlice:
    """A raw message that lies among others in bytes held in memory.

    Attributes:
        digest: SHA-256 of it, as whoever made this has found it.
    """

    __slots__ = ("_content", "_offset", "digest", "size_bytes")

    def __init__(self, content: bytes, offset: int, size_bytes: int, digest: Digest) -> None:
        self._content = content
        self._offset = offset
        self.size_bytes = size_bytes
        self.digest = digest

    def window(self, offset: int, length: int) -> bytes:
        """Return up to ``length`` bytes from ``offset``."""
        start = self._offset + offset
        return self._content[start : min(start + length, self._offset + self.size_bytes)]


def windows(raw: RawMessage, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
    """Yield ``length`` bytes from ``offset`` (default: to the end) piece by piece."""
    end = raw.size_bytes if length is None else min(raw.size_bytes, offset + length)
    while offset < end:
        piece = raw.window(offset, min(WINDOW_BYTES, end - offset))
        if not piece:
            return
        yield piece
        offset += len(piece)


@dataclass(frozen=True, slots=True)
class BlobRef:
    """Where a blob lies: all that is needed to read it back and to check it.

    Attributes:
        segment: name of the segment, without directory or suffix (``000001``).
        frame_offset: first byte of the zstd frame in the segment file.
        frame_bytes: stored length of that frame.
        offset: first byte of the blob in the frame's decompressed content.
        size_bytes: length of the blob.
        digest: SHA-256 of the blob.
        stored_bytes: the blob's share of the frame's stored length.
    """

    segment: str
    frame_offset: int
    frame_bytes: int
    offset: int
    size_bytes: int
    digest: Digest
    stored_bytes: int
