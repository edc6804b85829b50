"""A member of the tar stream: its 512-byte header, and the zeros that fill its last block.

Rule: one form of header only (ustar, POSIX.1-1988); what is read must be,
byte for byte, what ``encode_header`` would have written.
"""

from __future__ import annotations

from dataclasses import dataclass

BLOCK_BYTES = 512
ZERO_BLOCK = bytes(BLOCK_BYTES)

_NAME_BYTES_MAX = 100
_OCTAL_MAX = 8**11 - 1
"""Sizes and instants have eleven octal digits; the receipt has the exact instant."""

_OWNER = b"0000440\0" + b"0000000\0" + b"0000000\0"
"""Mode 0440, user 0, group 0."""
_BLANK_CHECKSUM = b" " * 8
_REST = (b"0".ljust(101, b"\0") + b"ustar\x0000").ljust(BLOCK_BYTES - 156, b"\0")
"""Behind the checksum: an ordinary file, no link, the form's name, no names of owners."""
_FIXED_SUM = sum(_OWNER) + sum(_BLANK_CHECKSUM) + sum(_REST)


class MemberError(ValueError):
    """These 512 bytes are not a header of ours."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a header says.

    Attributes:
        size_bytes: length of the content that follows, without filling.
        mtime_s: seconds since 1970, UTC.
    """

    name: str
    size_bytes: int
    mtime_s: int


def encode_header(header: Header) -> bytes:
    """Return the 512 bytes of ``header``.

    Raises:
        ValueError: the name is too long or not ASCII, or the size 8 GiB or more.
    """
    name = header.name.encode("ascii")
    if len(name) > _NAME_BYTES_MAX or not 0 <= header.size_bytes <= _OCTAL_MAX:
        raise ValueError("this name or size has no place in a tar header")
    mtime_s = min(max(header.mtime_s, 0), _OCTAL_MAX)
    numbers = b"%011o\0%011o\0" % (header.size_bytes, mtime_s)
    checksum = sum(name) + sum(numbers) + _FIXED_SUM
    return b"%b%b%b%06o\0 %b" % (name.ljust(100, b"\0"), _OWNER, numbers, checksum, _REST)


def decode_header(block: bytes) -> Header:
    """Read one header; the opposite of ``encode_header``.

    Raises:
        MemberError: it is not one of ours.
    """
    try:
        name = block[:_NAME_BYTES_MAX].rstrip(b"\0").decode("ascii")
        header = Header(name, int(block[124:135], 8), int(block[136:147], 8))
        if encode_header(header) == block:
            return header
    except ValueError as error:
        raise MemberError("this is not a tar header") from error
    raise MemberError("this tar header was not written by the collector")


def padding(size_bytes: int) -> bytes:
    """Return the zeros between a content of this length and the next header."""
    return bytes(-size_bytes % BLOCK_BYTES)


def member_bytes(size_bytes: int) -> int:
    """Return the length of a whole member: header, content, zeros."""
    return BLOCK_BYTES + size_bytes + -size_bytes % BLOCK_BYTES
