"""Windows over a raw message: the only way the parser gets at bytes.

Rule: at most one window is kept, whatever the size of the message, and what is
read does not depend on where windows end.

A message whose lines end in CR alone is shown with LF instead, so that nobody
else has to know; digests and originals are taken from the raw message.
"""

from __future__ import annotations

from collector.domain.blob import WINDOW_BYTES, RawMessage
from collector.formats.limits import Allowance

_PROBE_BYTES = 16 * 1024
"""How far the first line end is looked for."""


class View:
    """Reads pieces of a raw message, in any order, best from front to back.

    Attributes:
        raw: the message.
        window_bytes: bytes looked at once.
        allowance: what may still be read; shared with views of what is inside.
    """

    __slots__ = (
        "_cr_only",
        "_start",
        "_window",
        "allowance",
        "raw",
        "size_bytes",
        "window_bytes",
    )

    def __init__(
        self,
        raw: RawMessage,
        window_bytes: int = WINDOW_BYTES,
        allowance: Allowance | None = None,
    ) -> None:
        self.raw = raw
        self.window_bytes = window_bytes
        self.size_bytes = raw.size_bytes
        self.allowance = allowance or Allowance()
        self._window = b""
        self._start = 0
        self._cr_only = False
        probe = self.read(0, _PROBE_BYTES)
        if b"\n" not in probe and b"\r" in probe:
            self._window = b""
            self._cr_only = True

    def read(self, start: int, length: int) -> bytes:
        """Return up to ``length`` bytes from ``start``."""
        length = min(length, self.size_bytes - start)
        inside = start - self._start
        if inside < 0 or inside + length > len(self._window):
            if length > self.window_bytes:
                return self._fetch(start, length)
            self._window = self._fetch(start, self.window_bytes)
            self._start = start
            inside = 0
        return self._window[inside : inside + length]

    def _fetch(self, start: int, length: int) -> bytes:
        piece = self.raw.window(start, length)
        return piece.replace(b"\r", b"\n") if self._cr_only else piece
