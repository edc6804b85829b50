"""One state that a person should know of: what is wrong, where, and what to do.

Rule: an alarm is a state, not a moment: it is raised while its cause lasts.  The same
cause always has the same ``key``, so that it is told once, reminded of and cleared.
Texts carry no password, body, subject or mail address.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Severity(Enum):
    """How soon a person should look."""

    WARNING = "warning"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True)
class Alarm:
    """One cause that lasts.

    Attributes:
        kind: what is wrong, as a short fixed word (``silence``, ``backlog``).
        subject: the mailbox, path or authority it is about; empty for the whole program.
        problem: what is wrong, with its figures; one line, lower case, no full stop.
        hint: what a person should do.
    """

    kind: str
    subject: str
    severity: Severity
    problem: str
    hint: str

    @property
    def key(self) -> str:
        """What tells this cause from every other."""
        return f"{self.kind}:{self.subject}"
