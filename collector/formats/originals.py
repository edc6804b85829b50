"""The message inside a part: where it lies, its digest, its header.

Rule: an original is a slice of the raw message, byte for byte; only one that
has a transfer encoding is decoded, strictly, and never in memory as a whole.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

from collector.domain.blob import Digest, RawBytes, RawMessage, windows
from collector.domain.journal import Original, Role
from collector.formats import flags
from collector.formats.header import Header, read_header
from collector.formats.limits import HEADER_BYTES_MAX
from collector.formats.parts import Part
from collector.formats.transfer import (
    BASE64,
    IDENTITY,
    QUOTED_PRINTABLE,
    TransferError,
    decoded,
)
from collector.formats.view import View

_LOOK_BYTES = 64 * 1024
"""How far into a message the sign of rights protection is looked for."""

_PROTECTED = (b"application/x-microsoft-rpmsg-message", b"message.rpmsg")


@dataclass(frozen=True, slots=True)
class Inner:
    """An original, its header, and the part it lies in."""

    original: Original
    header: Header
    part: Part

    @property
    def protected(self) -> bool:
        """Whether it is encrypted by rights management (MS-OXORMMS 2.2.3)."""
        if self.header.first(b"content-class").lower().startswith(b"rpmsg.message"):
            return True
        part = self.part
        start = part.view.read(part.body, min(_LOOK_BYTES, part.end - part.body)).lower()
        return any(sign in start for sign in _PROTECTED)

    def as_role(self, role: Role) -> Inner:
        """Return the same with another role."""
        return replace(self, original=replace(self.original, role=role))


def original_windows(raw: RawMessage, original: Original) -> Iterator[bytes]:
    """Yield the bytes of an original, decoded when it has a transfer encoding.

    Raises:
        TransferError: ``raw`` is not the message it was found in.
    """
    pieces = windows(raw, original.offset, original.length)
    return decoded(pieces, original.transfer_encoding)


def read_inner(part: Part, level: int, remarks: set[str]) -> Inner | None:
    """Return the message in ``part``; ``None`` and a remark when there is none.

    A message has at least one header field; an encoded one must decode.
    """
    encoding = _encoding(part, remarks)
    start, length = part.body, part.end - part.body
    if encoding == IDENTITY:
        header = read_header(part.view, start, part.end)
        digest = _digest(windows(part.view.raw, start, length)) if header.readable else None
    else:
        header, digest = _read_encoded(part, encoding, remarks)
    if digest is None:
        return None
    if header.truncated:
        remarks.add(flags.HEADER_TRUNCATED)
    return Inner(Original(start, length, digest, Role.ORIGINAL, encoding, level), header, part)


def _encoding(part: Part, remarks: set[str]) -> str:
    encoding = part.content.transfer_encoding
    if encoding == IDENTITY:
        return IDENTITY
    if encoding not in {BASE64, QUOTED_PRINTABLE}:
        remarks.add(flags.UNKNOWN_CTE)
        return IDENTITY
    if part.content.media_type == b"message/rfc822":  # RFC 2046, section 5.2.1
        remarks.add(flags.ILLEGAL_CTE)
    return encoding


def _digest(pieces: Iterator[bytes]) -> Digest:
    sha256 = hashlib.sha256()
    for piece in pieces:
        sha256.update(piece)
    return Digest(sha256.hexdigest())


def _read_encoded(part: Part, encoding: str, remarks: set[str]) -> tuple[Header, Digest | None]:
    """Decode to the end for the digest, keeping no more than the header."""
    head = bytearray()
    sha256 = hashlib.sha256()
    sound = True
    try:
        pieces = windows(part.view.raw, part.body, part.end - part.body)
        for piece in decoded(pieces, encoding):
            sha256.update(piece)
            head += piece[: HEADER_BYTES_MAX - len(head)]
    except TransferError:
        remarks.add(flags.UNDECODABLE)
        sound = False
    view = View(RawBytes(bytes(head)), allowance=part.view.allowance)
    header = read_header(view, 0, len(head))
    return header, Digest(sha256.hexdigest()) if sound and header.readable else None
