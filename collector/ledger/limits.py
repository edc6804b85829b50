"""How much of one message the ledger holds as an index.

Rule: pure.  The stored bytes are never cut, and a flag says what was.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from collector.domain.journal import Envelope, Recipient, Unwrapped

RECIPIENTS_MAX = 100_000
VIA_MAX = 1_000
ORIGINALS_MAX = 10_000
NESTED_MAX = 1_000
TEXT_CHARS_MAX = 1024 * 1024
RAW_LINES_CHARS_MAX = 16 * 1024 * 1024
"""Limits of the index of one message; SQLite refuses a value of 1,000,000,000 bytes, and
a message that cannot be committed would hold up its mailbox for ever.  Recipients and
raw lines count over all envelopes; 100,000 recipients have 3 to 10 MB of raw lines."""

RECIPIENTS_TRUNCATED = "recipients-truncated"
INDEX_TRUNCATED = "index-truncated"


def within_limits(unwrapped: Unwrapped) -> Unwrapped:
    """Return ``unwrapped`` as far as the index holds it; flags say what was cut."""
    rest = _Room()
    envelope = rest.envelope(unwrapped.envelope)
    nested = tuple(map(rest.envelope, unwrapped.nested[:NESTED_MAX]))
    originals = unwrapped.originals[:ORIGINALS_MAX]
    if (len(nested), len(originals)) != (len(unwrapped.nested), len(unwrapped.originals)):
        rest.cut.add(INDEX_TRUNCATED)
    if not rest.cut:
        return unwrapped
    flags = tuple(sorted({*unwrapped.flags, *rest.cut}))
    return replace(unwrapped, envelope=envelope, nested=nested, originals=originals, flags=flags)


@dataclass(slots=True)
class _Room:
    """What of one message still fits, and the flags for what did not."""

    recipients_left: int = RECIPIENTS_MAX
    chars_left: int = RAW_LINES_CHARS_MAX
    cut: set[str] = field(default_factory=set)

    def envelope(self, envelope: Envelope) -> Envelope:
        """Return ``envelope`` as far as there is room."""
        kept: dict[str, Any] = {
            "sender": self._text(envelope.sender),
            "on_behalf_of": self._text(envelope.on_behalf_of),
            "subject": self._text(envelope.subject),
            "message_id": self._text(envelope.message_id),
            "recipients": self._recipients(envelope.recipients),
            "raw_lines": tuple(self._lines(envelope.raw_lines)),
        }
        return replace(envelope, **kept) if self.cut else envelope

    def _text(self, text: str) -> str:
        if len(text) <= TEXT_CHARS_MAX:
            return text
        self.cut.add(INDEX_TRUNCATED)
        return text[:TEXT_CHARS_MAX]

    def _recipients(self, recipients: Sequence[Recipient]) -> tuple[Recipient, ...]:
        kept = tuple(map(self._recipient, recipients[: self.recipients_left]))
        self.recipients_left -= len(kept)
        if len(kept) < len(recipients):
            self.cut.add(RECIPIENTS_TRUNCATED)
        return kept

    def _recipient(self, recipient: Recipient) -> Recipient:
        if not recipient.via and len(recipient.address) <= TEXT_CHARS_MAX:
            return recipient
        if len(recipient.via) > VIA_MAX:
            self.cut.add(INDEX_TRUNCATED)
        via = tuple(
            replace(step, address=self._text(step.address)) for step in recipient.via[:VIA_MAX]
        )
        return replace(recipient, address=self._text(recipient.address), via=via)

    def _lines(self, lines: Sequence[str]) -> Iterator[str]:
        for line in lines:
            if len(line) >= self.chars_left:
                self.cut.add(INDEX_TRUNCATED)
                self.chars_left = 0  # no later line either: what is kept is a beginning
                return
            self.chars_left -= len(line) + 1
            yield line
