"""One FETCH of several messages, read as it arrives.

Rule: a body is accepted only when three sizes agree: that of the listing, that of this
answer, and the length of the literal.  A server that hands over a made-up message for
one that is gone agrees with itself, but not with the listing (imap reference, 0.4).

The command is sent when the object is made; nothing is read before it is iterated.
"""

from __future__ import annotations

import imaplib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from collector.domain.blob import RawBytes, RawMessage
from collector.domain.mailbox import Announced
from collector.source.account import Account
from collector.source.client import Client, uid_set
from collector.source.lines import (
    Facts,
    begin_facts,
    continue_facts,
    size_of,
    uid_of,
    unquoted,
)
from collector.source.spool import spool

BODY = b"BODY[]"
UNWANTED_BYTES_MAX = 4 * 1024**2
"""What was not asked for is read past up to this size in all; more ends the connection."""


class _Absent(Enum):
    """The answer holds no body at all: it is news about flags."""

    ABSENT = 0


@dataclass(slots=True)
class Room:
    """How many bytes of a batch may still lie in memory; the rest is spooled.

    Without it a server that tells no sizes could fill the memory with one batch.
    """

    left_bytes: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server answered for one message.

    Attributes:
        raw: the whole body, ``None`` when it was handed over as NIL.
        doubt: why ``raw`` cannot be accepted; empty when it can.
        literal_only: sizes agree but for the length of the literal.
    """

    announced: Announced
    raw: RawMessage | None
    doubt: str = ""
    literal_only: bool = False


class Fetch:
    """A batch on its way.

    Args:
        room: shared by all requests for one batch.

    Attributes:
        waiting: what was asked for and has not been answered yet, by UID.
        reading: the message whose answer has begun, ``None`` between answers.
    """

    def __init__(
        self, client: Client, account: Account, batch: Sequence[Announced], room: Room
    ) -> None:
        self.waiting = {each.ref.uid: each for each in sorted(batch, key=lambda one: one.ref.uid)}
        self.reading: Announced | None = None
        self._answered = False
        self._unwanted_bytes = 0
        self._wire = client.wire
        self._account = account
        self._room = room
        command = b"UID FETCH " + uid_set(list(self.waiting)) + b" (UID RFC822.SIZE BODY.PEEK[])"
        self._lines = client.run(command, literals=True)

    def __iter__(self) -> Iterator[Answer]:
        """Yield each answer once, in the server's order, until the tagged line.

        Raises:
            ValueError: an answer is not well formed.
            OSError, imaplib.IMAP4.error: the connection is lost, or refused.
        """
        for line in self._lines:
            facts: Facts = {}
            body = self._read(line, facts)
            uid = uid_of(facts)
            self.reading = None
            if body is _Absent.ABSENT:
                continue
            if uid in self.waiting:
                self._answered = True
                yield self._weighed(self.waiting.pop(uid), facts, body)
            elif body is not None:
                self._count_unwanted(body.size_bytes)

    def suspects(self) -> list[int]:
        """Return what may have made the server fail: UIDs that are waiting.

        The message it was handing over; else the next one; all of them when it failed
        before the first answer.
        """
        if self.reading is not None:
            return [self.reading.ref.uid]
        return list(self.waiting)[: 1 if self._answered else None]

    def _read(self, line: bytes, facts: Facts) -> RawMessage | _Absent | None:
        """Read one answer with its literals."""
        body: RawMessage | _Absent | None = _Absent.ABSENT
        begun = begin_facts(line, facts)
        while begun and begun[0]:
            name, size_bytes = begun
            if name == BODY and body is _Absent.ABSENT:
                body = self._take(facts, size_bytes)
            else:
                self._skip(size_bytes)
            begun = continue_facts(self._wire.line(), 0, facts)
        if BODY in facts and body is _Absent.ABSENT:
            short = unquoted(facts[BODY])
            body = None if short is None else RawBytes(short)
        return body

    def _take(self, facts: Facts, size_bytes: int) -> RawMessage | _Absent | None:
        """Read a body; where it is not wanted, past it."""
        uid = uid_of(facts)
        if uid is not None and uid not in self.waiting:
            self._skip(size_bytes)
            return _Absent.ABSENT
        self.reading = self.waiting[uid] if uid is not None else None
        if size_bytes > max(UNWANTED_BYTES_MAX, self._size_max()):
            raise imaplib.IMAP4.abort(
                f"the server announces {size_bytes} bytes, more than it listed"
            )
        if size_bytes <= self._room.left_bytes:
            self._room.left_bytes -= size_bytes
            return RawBytes(self._wire.take(size_bytes))
        return spool(self._wire, size_bytes, self._account.spool_dir)

    def _size_max(self) -> int:
        """Return the largest body that can be meant."""
        one = [self.reading] if self.reading else list(self.waiting.values())
        listed = [each.size_bytes for each in one if each.size_bytes is not None]
        if self._account.size_is_hint or len(listed) < len(one):
            return self._account.message_bytes_max
        return max(listed, default=0)

    def _skip(self, size_bytes: int) -> None:
        self._count_unwanted(size_bytes)
        self._wire.take(size_bytes)

    def _count_unwanted(self, size_bytes: int) -> None:
        self._unwanted_bytes += size_bytes
        if self._unwanted_bytes > UNWANTED_BYTES_MAX:
            raise imaplib.IMAP4.abort("the server hands over what was not asked for")

    def _weighed(self, announced: Announced, facts: Facts, body: RawMessage | None) -> Answer:
        """Compare the three sizes."""
        size_bytes = size_of(facts)
        if body is None:
            return Answer(announced, None, "handed over as NIL")
        if size_bytes != announced.size_bytes:
            doubt = f"listed with {announced.size_bytes} bytes, handed over with {size_bytes}"
            return Answer(announced, body, doubt)
        if body.size_bytes != size_bytes:
            doubt = f"announced with {size_bytes} bytes, {body.size_bytes} came"
            return Answer(announced, body, doubt, literal_only=True)
        return Answer(announced, body)
