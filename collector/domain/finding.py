"""One line of a check: what was looked at, how it stands, what to do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Grade(Enum):
    """How a finding stands."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of ``collector check``.

    Attributes:
        name: what was looked at, as a short fixed word (``login``, ``uidplus``).
        subject: the mailbox, folder or path.
        detail: what was found, one line.
        hint: what a person should do; empty when nothing.
    """

    name: str
    subject: str
    grade: Grade
    detail: str
    hint: str = ""
