"""What others said, as it may be told: texts of mail servers and of token issuers.

Rule: cut, kept to printable ASCII, and freed of mail addresses; whoever holds a secret
takes it out before.
"""

from __future__ import annotations

import re

TEXT_CHARS_MAX = 200
_ADDRESS = re.compile(r"[^\s<>()\"']+@[^\s<>()\"']+")
_UNPRINTABLE = re.compile(r"[^ -~]+")


def clean(text: str | bytes) -> str:
    """Return a foreign text as it may be logged."""
    if isinstance(text, bytes):
        text = text.decode("ascii", "replace")
    text = _ADDRESS.sub("<address>", _UNPRINTABLE.sub(" ", text[: 4 * TEXT_CHARS_MAX]))
    return text.strip()[:TEXT_CHARS_MAX]
