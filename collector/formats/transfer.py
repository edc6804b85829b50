"""Transfer encodings, piece by piece and strictly.

Rule: memory does not grow with the message.  Either all bytes decode, or the
decoder says that they do not; half a message is nobody's original.

Sources: RFC 2045, sections 6.7 and 6.8.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterable, Iterator

IDENTITY = "identity"
BASE64 = "base64"
QUOTED_PRINTABLE = "quoted-printable"

_BLANKS = b" \t\r\n"
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]")
_LINE_BYTES_MAX = 64 * 1024
"""RFC 2045 allows 76; without a bound one line could be kept in memory whole."""

_BAD_ESCAPE = re.compile(rb"=(?![0-9A-Fa-f]{2}|[ \t]*\r?\n|[ \t]*\Z)")
_BEFORE_BREAK = re.compile(rb"(?<![ \t])[ \t]++(?=\r?\n|\Z)")


class TransferError(ValueError):
    """The bytes are not what the transfer encoding says."""


def decoded(pieces: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """Yield the decoded bytes of ``pieces``; what is neither encoding passes unchanged.

    Raises:
        TransferError: the bytes are not of that encoding.
    """
    if encoding == BASE64:
        return _base64(pieces)
    if encoding == QUOTED_PRINTABLE:
        return _quoted_printable(pieces)
    return iter(pieces)


def _base64(pieces: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    padded = False
    for piece in pieces:
        clean = piece.translate(None, _BLANKS)
        if padded and clean:
            raise TransferError("base64 goes on after its padding")
        rest += clean
        whole = len(rest) - len(rest) % 4
        quads, rest = rest[:whole], rest[whole:]
        padded = padded or quads.endswith(b"=")
        try:
            yield binascii.a2b_base64(quads, strict_mode=True) if quads else b""
        except binascii.Error as error:
            raise TransferError("not base64") from error
    if rest:
        raise TransferError("base64 ends inside a group of four")


def _quoted_printable(pieces: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for piece in pieces:
        lines = rest + piece
        cut = lines.rfind(b"\n") + 1
        rest = lines[cut:]
        if len(rest) > _LINE_BYTES_MAX:
            raise TransferError("a line is too long for quoted-printable")
        yield _decode_lines(lines[:cut])
    yield _decode_lines(rest)


def _decode_lines(lines: bytes) -> bytes:
    if _BAD_ESCAPE.search(lines):
        raise TransferError("not quoted-printable")
    return binascii.a2b_qp(_BEFORE_BREAK.sub(b"", lines))
