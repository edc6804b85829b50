"""The FETCH commands under way on one connection, read as they are answered.

Rule: a body is accepted only when three sizes agree: that of the listing, that of this
answer, and the length of the literal.  A server that hands over a made-up message for
one that is gone agrees with itself, but not with the listing (imap reference, 0.4).

A command may be sent before the last one has ended (RFC 9051, section 5.5).  The UID says
which of them an answer belongs to and the tag which one has ended, in whatever order the
server works them off: Dovecot begins up to three and ends them together.
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

LEFT_OUT = "gone meanwhile, or left out of two answers"
"""The doubt about a message without an answer; a fact only when it comes a second time."""


class _Absent(Enum):
    """The answer holds no body at all: it is news about flags."""

    ABSENT = 0


@dataclass(slots=True)
class Room:
    """How many bytes of bodies may still lie in memory; the rest is spooled.

    Without it a server that tells no sizes could fill the memory.
    """

    left_bytes: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server answered for one message.

    Attributes:
        raw: the whole body, ``None`` when it was handed over as NIL or not at all.
        doubt: why ``raw`` cannot be accepted; empty when it can.
        literal_only: sizes agree but for the length of the literal.
    """

    announced: Announced
    raw: RawMessage | None
    doubt: str = ""
    literal_only: bool = False


@dataclass(slots=True)
class _Request:
    """One command.

    Attributes:
        waiting: what was asked for and has not been answered yet, by UID.
        answered: one answer has come.
    """

    waiting: dict[int, Announced]
    room: Room
    answered: bool = False


class Fetching:
    """Commands under way; while there are any, the connection is used for nothing else."""

    def __init__(self, client: Client, account: Account) -> None:
        self._client = client
        self._wire = client.wire
        self._account = account
        self._under_way: dict[bytes, _Request] = {}
        self._reading: Announced | None = None
        self._unwanted_bytes = 0

    def __len__(self) -> int:
        """Return how many commands have not ended."""
        return len(self._under_way)

    @property
    def unanswered_count(self) -> int:
        """How many of them the server has not answered in full."""
        return sum(bool(each.waiting) for each in self._under_way.values())

    def send(self, batch: Sequence[Announced], room: Room) -> None:
        """Ask for messages; for none of them twice at a time.

        Args:
            room: for the bodies of this command; may be shared with others.
        """
        waiting = {each.ref.uid: each for each in sorted(batch, key=lambda one: one.ref.uid)}
        command = b"UID FETCH " + uid_set(list(waiting)) + b" (UID RFC822.SIZE BODY.PEEK[])"
        self._under_way[self._wire.begin(command)] = _Request(waiting, room)

    def answers(self) -> Iterator[Answer]:
        """Yield answers in the server's order until one command is answered in full or ends.

        What the server left out of the answer to a command that ended comes last.

        Raises:
            ValueError: an answer is not well formed.
            OSError, imaplib.IMAP4.error: the connection is lost, or refused.  ``lost``
                tells what has not been answered.
        """
        unanswered_count = self.unanswered_count
        while True:
            tag, line = self._client.next_line(self._under_way)
            if tag:
                yield from self._ended(tag, line)
                return
            if answer := self._answered(line):
                yield answer
                if self.unanswered_count < unanswered_count:
                    return

    def _ended(self, tag: bytes, status: bytes) -> Iterator[Answer]:
        """Yield what was left out of the answer to a command."""
        request = self._under_way.pop(tag)
        self._under_way = {tag: request, **self._under_way}  # if it failed, it is looked at first
        self._client.conclude(status)
        del self._under_way[tag]
        self._unwanted_bytes = 0
        for each in request.waiting.values():
            yield Answer(each, None, LEFT_OUT)

    def lost(self) -> tuple[list[Announced], list[Announced]]:
        """Return what may have made the server fail, and what else it did not answer.

        The first is the message it was handing over; else the next one of the command
        that failed; all of that command when it failed before the first answer.
        """
        first, *_ = (*self._under_way.values(), _Request({}, Room(0)))
        rest = {each.ref.uid: each for each in self._waiting()}
        suspects = list(first.waiting)[: 1 if first.answered else None]
        if self._reading is not None:
            suspects = [self._reading.ref.uid]
        return [rest.pop(uid) for uid in suspects], list(rest.values())

    def _answered(self, line: bytes) -> Answer | None:
        """Read what begins with ``line``; ``None`` when it is no answer for a message."""
        facts: Facts = {}
        body = self._read(line, facts)
        self._reading = None
        if body is _Absent.ABSENT:
            return None
        uid = uid_of(facts)
        request = self._asked_for(uid)
        if uid is not None and request is not None:
            request.answered = True
            return _weighed(request.waiting.pop(uid), facts, body)
        if body is not None:
            self._count_unwanted(body.size_bytes)
        return None

    def _waiting(self) -> list[Announced]:
        """Return all that has not been answered."""
        return [one for each in self._under_way.values() for one in each.waiting.values()]

    def _asked_for(self, uid: int | None) -> _Request | None:
        """Return the command that asked for a message and has no answer yet."""
        for each in self._under_way.values():
            if uid in each.waiting:
                return each
        return None

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
        request = self._asked_for(uid)
        if uid is not None and request is None:
            self._skip(size_bytes)
            return _Absent.ABSENT
        first = next(iter(self._under_way.values()))
        self._reading = request.waiting[uid] if request and uid is not None else None
        if size_bytes > max(UNWANTED_BYTES_MAX, self._size_max()):
            raise imaplib.IMAP4.abort(
                f"the server announces {size_bytes} bytes, more than it listed"
            )
        room = (request or first).room
        if size_bytes <= room.left_bytes:
            room.left_bytes -= size_bytes
            return RawBytes(self._wire.take(size_bytes))
        return spool(self._wire, size_bytes, self._account.spool_dir)

    def _size_max(self) -> int:
        """Return the largest body that can be meant."""
        meant = [self._reading] if self._reading else self._waiting()
        listed = [each.size_bytes for each in meant if each.size_bytes is not None]
        if self._account.size_is_hint or len(listed) < len(meant):
            return self._account.message_bytes_max
        return max(listed, default=0)

    def _skip(self, size_bytes: int) -> None:
        self._count_unwanted(size_bytes)
        self._wire.take(size_bytes)

    def _count_unwanted(self, size_bytes: int) -> None:
        self._unwanted_bytes += size_bytes
        if self._unwanted_bytes > UNWANTED_BYTES_MAX:
            raise imaplib.IMAP4.abort("the server hands over what was not asked for")


def _weighed(announced: Announced, facts: Facts, body: RawMessage | None) -> Answer:
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
