"""Test mails of our own that show whether the journal works: nouns only.

Rule: a canary travels like any mail and is archived like any mail.  What is kept of it
here says nothing about a message, only about the way it came.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum


class CanaryGrade(Enum):
    """What the journal copy of a canary told of its envelope, best first.

    ``SENDER_DIFFERS``: all recipients, but another or no sender.
    ``LIST_NOT_EXPANDED``: who is on a list is not told.
    ``ENVELOPE_MISSING``: the copy names only what its author wrote.
    """

    COMPLETE = "envelope-complete"
    SENDER_DIFFERS = "sender-differs"
    LIST_NOT_EXPANDED = "list-not-expanded"
    BCC_MISSING = "bcc-missing"
    RECIPIENTS_MISSING = "recipients-missing"
    ENVELOPE_MISSING = "envelope-missing"
    COPY_MISSING = "copy-missing"

    def worse_than(self, other: CanaryGrade) -> bool:
        """Return whether this tells less."""
        order = list(CanaryGrade)
        return order.index(self) > order.index(other)


@dataclass(frozen=True, slots=True)
class CanaryPath:
    """One way a canary takes, and what must come of it.

    Attributes:
        to, bcc, lists: addresses it is sent to; those of ``bcc`` are in no header.
        members: who is on the lists; empty: that they are expanded is not expected.
        mailbox: the journal mailbox its copy must reach, by its name.
        expected: the best grade this source can reach.
    """

    name: str
    sender: str
    to: tuple[str, ...]
    bcc: tuple[str, ...]
    lists: tuple[str, ...]
    members: tuple[str, ...]
    mailbox: str
    expected: CanaryGrade
    interval_s: float
    late_after_s: float
    lost_after_s: float


@dataclass(frozen=True, slots=True)
class Canary:
    """One canary and what became of it.

    Attributes:
        path: the name of its way.
        sent_at: when it was about to be handed to the mail server; written down before.
        accepted_at: when the mail server took it; ``None``: it did not, or we never knew.
        error: why it was not taken; empty when it was.
        arrived_at: when its first copy was committed.
        seq: the entry of that copy.
        grade: over all copies; ``None`` while nothing is known.
        closed_at: when its grade became final.
    """

    nonce: str
    path: str
    message_id: str
    sent_at: datetime
    accepted_at: datetime | None = None
    error: str = ""
    arrived_at: datetime | None = None
    seq: int | None = None
    grade: CanaryGrade | None = None
    closed_at: datetime | None = None

    def age_s(self, now: datetime) -> float:
        """Return the seconds since it was sent."""
        return (now - self.sent_at).total_seconds()

    @property
    def latency_s(self) -> float | None:
        """The seconds from sending to the commit of the first copy."""
        if self.arrived_at is None:
            return None
        return (self.arrived_at - self.sent_at).total_seconds()
