"""How much of one message is read.

Rule: a limit cuts the index and sets a flag, never the stored bytes.  Each is
far above what servers send and low enough that hostile input costs linear time.

Time has no clock here, it has these: no byte is read more often than the depth
allows, and what costs more than a byte is done a bounded number of times.
"""

from __future__ import annotations

from dataclasses import dataclass

HEADER_BYTES_MAX = 256 * 1024
"""Of one header; fields further down are not read.  Real ones have up to 40 KB."""

FIELDS_MAX = 20_000
"""Header fields of one message and all messages inside."""

PARTS_MAX = 500
"""Parts of one message and all messages inside."""

WRAPPERS_MAX = 64
"""Wrappers of all depths in one message."""

DEPTH_MAX = 8
"""Wrappers inside wrappers."""

BOUNDARY_BYTES_MAX = 200
"""RFC 2046, section 5.1.1 allows 70."""

PADDING_BYTES_MAX = 998
"""Blanks after a boundary (RFC 2046, section 5.1.1); a line has at most 998 bytes."""

ENVELOPE_BYTES_MAX = 16 * 1024 * 1024
"""100,000 recipients need 3 to 10 MB."""

ENVELOPE_LINES_MAX = 200_000
LINE_CHARS_MAX = 64 * 1024
RECIPIENTS_MAX = 100_000
REDIRECTIONS_MAX = 16
"""Redirections of one recipient."""


@dataclass(slots=True)
class Allowance:
    """What may still be read of one message; whoever reads takes from it."""

    fields: int = FIELDS_MAX
    parts: int = PARTS_MAX
    wrappers: int = WRAPPERS_MAX
