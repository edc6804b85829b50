"""One state that a person should know of: what is wrong, where, and what to do.

Rule: an alarm is a state, not a moment: it is raised while its cause lasts.  The same
cause always has the same ``key``, so that it is told once, reminded of and cleared.
Texts carry no password, body, subject or mail address.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum


class Severity(Enum):
    """How soon a person should look."""

    WARNING = "warning"
    CRITICAL = "critical"

    def exceeds(self, other: Severity) -> bool:
        """Say whether this is worse."""
        return self is Severity.CRITICAL and other is not Severity.CRITICAL


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


@dataclass(frozen=True, slots=True)
class KnownAlarm:
    """An alarm and how far it was told.

    Attributes:
        began_at: when it was first seen.
        told_at: when telling it, or reminding of it, was last decided.
        gone_at: since when its cause is no longer seen; ``None`` while it lasts.
    """

    alarm: Alarm
    began_at: datetime
    told_at: datetime
    gone_at: datetime | None = None


class Word(Enum):
    """What a notice is."""

    ALARM = "alarm"
    REMINDER = "reminder"
    ALL_CLEAR = "all-clear"
    SUMMARY = "summary"
    TEST = "test"


@dataclass(frozen=True, slots=True)
class Notice:
    """Something one receiver is to be told, kept until he was.

    Attributes:
        receiver: the receiver's name in the configuration.
        topic: what it is about (``Alarm.key``); a later notice on it takes its place.
        text: what is told, whole; the first line says what it is about.
        attempts: deliveries that failed so far.
        try_at: not tried again before.
    """

    receiver: str
    topic: str
    word: Word
    severity: Severity
    text: str
    made_at: datetime
    try_at: datetime
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class Heard:
    """What one receiver was last told of an alarm, kept until he was told that it is over.

    Attributes:
        topic: ``Alarm.key``.
        certain: false from when a notice leaves until its end is known: he may have heard.
    """

    receiver: str
    topic: str
    severity: Severity
    at: datetime
    certain: bool = True
