"""The parts of a multipart, as offsets.

Rule: every byte of the entity belongs to exactly one of preamble, delimiter,
part and epilogue, so that putting them together again gives the entity.

The line break before a delimiter belongs to the delimiter (RFC 2046, section
5.1.1).  A delimiter is a whole line: a longer boundary that begins with ours is
none, and what closes is what stands after the boundary, not how the line ends.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from collector.formats.content import Content, content_of
from collector.formats.header import Header, read_part_header
from collector.formats.limits import BOUNDARY_BYTES_MAX, PADDING_BYTES_MAX
from collector.formats.view import View

_DELIMITER_BYTES_MAX = len("\n--") + BOUNDARY_BYTES_MAX + len("--") + PADDING_BYTES_MAX + 2

_REST = re.compile(rb"(--)?[ \t]{0,%d}(?:\r?\n|\r?\Z)" % PADDING_BYTES_MAX)
"""What may stand after the boundary on a delimiter line."""


@dataclass(frozen=True, slots=True)
class Delimiter:
    """The bytes in [start, end): a line break, the delimiter line, and its own line break."""

    start: int
    end: int
    closes: bool


@dataclass(slots=True)
class Part:
    """One part: the bytes in [start, end), the first of them its header.

    The header is read when it is first asked for, and once: it takes from the allowance.
    """

    view: View
    start: int
    end: int
    _header: Header | None = field(default=None, init=False)
    _content: Content | None = field(default=None, init=False)

    @property
    def header(self) -> Header:
        """Its content fields."""
        if self._header is None:
            self._header = read_part_header(self.view, self.start, self.end)
        return self._header

    @property
    def content(self) -> Content:
        """What it says it is."""
        if self._content is None:
            self._content = content_of(self.header)
        return self._content

    @property
    def body(self) -> int:
        """First byte after its header."""
        return self.header.body


@dataclass(frozen=True, slots=True)
class Multipart:
    """What lies in the body of a multipart.

    Attributes:
        delimiters: in their order; the last one closes, unless ``unclosed``.
        end: where the bytes of the entity end.
        unclosed: no closing delimiter was found; the last part goes on to the end.
        reopened: a delimiter of the same boundary follows the closing one.
        truncated: there are more parts than were read.
    """

    parts: tuple[Part, ...]
    delimiters: tuple[Delimiter, ...]
    end: int
    unclosed: bool
    reopened: bool
    truncated: bool


def read_multipart(view: View, boundary: bytes, body: int, end: int) -> Multipart:
    """Find the parts between ``body`` (after the empty line) and ``end``."""
    found: list[Delimiter] = []
    reopened = truncated = False
    for delimiter in _delimiters(view, boundary, body, end):
        reopened = bool(found) and found[-1].closes
        truncated = view.allowance.parts == 0
        if reopened or truncated:
            break
        found.append(delimiter)
        view.allowance.parts -= 1
    unclosed = not found or not found[-1].closes
    stops = [each.start for each in found[1:]] + ([end] if unclosed else [])
    parts = tuple(Part(view, each.end, stop) for each, stop in zip(found, stops, strict=False))
    return Multipart(
        parts=parts,
        delimiters=tuple(found),
        end=end,
        unclosed=unclosed,
        reopened=reopened,
        truncated=truncated,
    )


def _delimiters(view: View, boundary: bytes, body: int, end: int) -> Iterator[Delimiter]:
    needle = b"\n--" + boundary
    step = max(1, view.window_bytes - _DELIMITER_BYTES_MAX)
    done = body
    search = body - 1  # the empty line's own break is the one before a first delimiter
    for at in range(search, end, step):
        # A delimiter that begins in [at, at + step) lies whole in this window.
        window = view.read(at, min(step + _DELIMITER_BYTES_MAX, end - at))
        while (place := window.find(needle, max(0, search - at), step + len(needle) - 1)) >= 0:
            rest = _REST.match(window, place + len(needle))
            if rest is None:
                # Hostile input has more of these than Python can look at one by one.
                whole = re.compile(re.escape(needle) + _REST.pattern).search(window, place + 1)
                if whole is None or whole.start() >= step:
                    break
                place, rest = whole.start(), whole
            start = at + place
            if (window[place - 1 : place] if place else view.read(start - 1, 1)) == b"\r":
                start -= 1
            yield Delimiter(max(done, start), done := at + rest.end(), rest[1] is not None)
            search = done - rest[0].endswith(b"\n")  # the next one may share this line break
