"""Header fields by offset: where a header ends, and which fields it has.

Rule: reads, never writes.  Values stay bytes as they lie there, folds and all,
until somebody asks for one.

A header ends at its first empty line (RFC 5322, section 2.1), whether lines end
in CRLF, LF or a mixture.  An entity that begins with an empty line has no
header.  A first line of an mbox (``From ``) is passed over.
"""

from __future__ import annotations

import re

from collector.formats.limits import HEADER_BYTES_MAX
from collector.formats.view import View

_READS_BYTES = (8 * 1024, 64 * 1024, HEADER_BYTES_MAX)
"""Most headers end in the first piece; more is copied only when it is needed."""

_EMPTY_LINE = re.compile(rb"\n\r?\n")
_MBOX_LINE = re.compile(rb"\n>?From [^\n]*+")
_VALUE = rb"[ \t]*+:([^\n]*+(?:\n[ \t][^\n]*+)*)"
_FIELD = re.compile(rb"\n([!-9;-~]++)" + _VALUE)
_CONTENT_FIELD = re.compile(
    rb"\n(content-(?:class|disposition|transfer-encoding|type))" + _VALUE, re.IGNORECASE
)

ASKED = frozenset(
    {
        b"auto-submitted",
        b"bcc",
        b"cc",
        b"content-class",
        b"content-disposition",
        b"content-identifer",
        b"content-identifier",
        b"content-transfer-encoding",
        b"content-type",
        b"from",
        b"message-id",
        b"resent-bcc",
        b"resent-cc",
        b"resent-to",
        b"sender",
        b"subject",
        b"to",
        b"x-ms-exchange-organization-journal-report",
        b"x-ms-exchange-parent-message-id",
        b"x-ms-journal-report",
        b"x-originatororg",
        b"x-wm-journal-report",
    }
)
"""The names that are looked up; most fields of a header have others."""

Field = tuple[bytes, bytes]
"""A name, and a value with its folds."""


class Header:
    """The fields of one entity.

    Attributes:
        body: first byte after the empty line, or the entity's end.
        truncated: there are more fields than were read.
        readable: the first line is a field.
    """

    __slots__ = ("_found", "_values", "body", "readable", "truncated")

    def __init__(self, body: int, found: list[Field], *, readable: bool, truncated: bool) -> None:
        self.body = body
        self.readable = readable
        self.truncated = truncated
        self._found = found
        self._values: dict[bytes, list[bytes]] = {}
        for name, value in found:
            lower = name.lower()
            if lower in ASKED:
                self._values.setdefault(lower, []).append(value)

    @property
    def fields(self) -> list[Field]:
        """All fields in their order, names in lower case."""
        return [(name.lower(), value) for name, value in self._found]

    def __contains__(self, name: bytes) -> bool:
        return name in self._values

    def all(self, name: bytes) -> list[bytes]:
        """Return the unfolded values of every field of that name (one of ``ASKED``)."""
        values = self._values.get(name)
        return [unfold(value) for value in values] if values else []

    def first(self, name: bytes) -> bytes:
        """Return the first unfolded value of that name (one of ``ASKED``), or nothing."""
        values = self._values.get(name)
        return unfold(values[0]) if values else b""


def unfold(value: bytes) -> bytes:
    """Return a field's value as one line without blanks around it (RFC 5322, section 2.2.3)."""
    return value.translate(None, b"\r\n").strip(b" \t")


def read_header(view: View, start: int, end: int) -> Header:
    """Read the header of the entity at ``start``; its bytes end before ``end``."""
    return _read(view, start, end, _FIELD)


def read_part_header(view: View, start: int, end: int) -> Header:
    """Read only the fields that say what a part is."""
    return _read(view, start, end, _CONTENT_FIELD)


def _read(view: View, start: int, end: int, pattern: re.Pattern[bytes]) -> Header:
    block, body = _block(view, start, end)
    mbox_line = _MBOX_LINE.match(block)
    at = mbox_line.end() if mbox_line else 0
    left = view.allowance.fields
    found: list[Field] = pattern.findall(block, at)
    view.allowance.fields -= min(left, len(found))
    return Header(
        body if body >= 0 else _find_body(view, start + HEADER_BYTES_MAX - 2, end),
        found[:left],
        readable=_FIELD.match(block, at) is not None,
        truncated=body < 0 or len(found) > left,
    )


def _block(view: View, start: int, end: int) -> tuple[bytes, int]:
    """Return the header's lines, each after a line break, and where the body begins.

    The body is negative when the header is longer than we read.
    """
    block = b"\n"
    for read_bytes in _READS_BYTES:
        block = b"\n" + view.read(start, min(read_bytes, end - start))
        empty = _EMPTY_LINE.search(block)  # also at the very beginning
        if empty:
            return block[: empty.start() + 1], start + empty.end() - 1
        if read_bytes >= end - start:
            return block, end
    return block, -1


def _find_body(view: View, start: int, end: int) -> int:
    """Return where the body begins of a header that is longer than we read."""
    step = view.window_bytes
    for at in range(start, end, step):
        empty = _EMPTY_LINE.search(view.read(at, min(step + 2, end - at)))
        if empty:
            return at + empty.end()
    return end
