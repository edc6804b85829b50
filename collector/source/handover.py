"""Hands over messages: asked for many at once, and what stays doubtful once more, alone.

Rule: absence and doubt become facts only when asked twice, the second time on a new
connection (imap reference, 2.1 and 2.3).  One message that breaks the connection does
not hold up the rest; a server that breaks it for every message ends the cycle.

While one command is answered the next is under way already, so that the line is never
idle for a round trip.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence

from collector.domain.blob import Digest
from collector.domain.errors import MessageError
from collector.domain.mailbox import Announced, Fetched, Unfetched
from collector.source.announcing import announce
from collector.source.client import Client
from collector.source.connection import Connection
from collector.source.fetching import LEFT_OUT, Answer, Fetching, Room
from collector.source.refusal import SERVER_FAULTS, of_message, reason_of

SIZE_MISMATCH = "size-mismatch"

COMMAND_MESSAGES_MAX = 500
COMMAND_BYTES_MAX = 4 * 1024**2
"""As listed; a larger message has a command of its own."""

UNANSWERED_MAX = 2
"""Commands that the server has not answered in full: the second hides a round trip."""

UNENDED_MAX = 8
"""Commands without a tagged line: Dovecot sends some together, when all of them are answered."""


class Handover:
    """Some messages, from the first request to the last answer.

    Args:
        announced: messages of one folder under one UIDVALIDITY; not empty.
    """

    def __init__(self, connection: Connection, announced: Sequence[Announced]) -> None:
        self._connection = connection
        self._account = connection.account
        self._announced = announced
        self._first_digests: dict[int, Digest] = {}
        self._next: deque[list[Announced]] = deque()
        self._again: list[Announced] = []
        self._doubts: list[Announced] = []
        self._breaks_count = 0

    def __iter__(self) -> Iterator[Fetched | Unfetched]:
        """Yield each message once.

        Raises:
            CycleError, ConfigError: the server cannot be reached, or does not answer.
        """
        with self._connection.guarded("messages cannot be fetched"):
            wanted = []
            for each in self._announced:
                if each.size_bytes is None:
                    self._doubts.append(each)
                elif refusal := self._refusal(each):
                    yield _unfetched(each, refusal)
                else:
                    wanted.append(each)
            self._next.extend(_commands(wanted))
            while self._next:
                yield from self._handed_over(Fetching(self._client(), self._account))
            if self._doubts:
                self._connection.drop()
            room = self._room()
            for announced in self._doubts:
                yield self._asked_alone(announced, room)

    def _refusal(self, announced: Announced) -> str:
        """Return why a message is not even asked for; empty when it is."""
        if announced.size_bytes is None:
            return LEFT_OUT
        if announced.size_bytes > self._account.message_bytes_max:
            return "larger than message_size_max allows"
        return ""

    def _client(self) -> Client:
        return self._connection.session(self._announced[0].ref.uidvalidity).client

    def _room(self) -> Room:
        return Room(self._account.limits.memory_bytes_max)

    def _handed_over(self, fetching: Fetching) -> Iterator[Fetched]:
        """Yield what can be accepted, until all is answered or the connection is lost."""
        try:
            while self._next or fetching:
                while self._next and _takes_more(fetching):
                    fetching.send(self._next[0], self._room())
                    self._next.popleft()
                yield from self._accepted(fetching.answers())
                self._ask_again()
        except SERVER_FAULTS as error:
            self._broken(error)
            suspects, rest = fetching.lost()
            self._doubts += suspects
            self._again += rest
            self._ask_again()

    def _ask_again(self) -> None:
        """Put what is to be asked for again before the rest."""
        self._next.extendleft(reversed(list(_commands(self._again))))
        self._again = []

    def _accepted(self, answers: Iterable[Answer]) -> Iterator[Fetched]:
        """Yield what can be accepted; note what is to be asked for again, and how."""
        for answer in answers:
            if fetched := self._judged(answer):
                self._breaks_count = 0
                yield fetched
            elif self._differs_in_length(answer) and self._noted(answer):
                self._again.append(answer.announced)
            else:
                self._doubts.append(answer.announced)

    def _judged(self, answer: Answer) -> Fetched | None:
        """Accept a body when all sizes agree, or, as a hint, when it came twice."""
        if answer.raw is None:
            return None
        if not answer.doubt:
            return Fetched(answer.announced, answer.raw)
        first = self._first_digests.get(answer.announced.ref.uid)
        if self._differs_in_length(answer) and answer.raw.digest == first:
            return Fetched(answer.announced, answer.raw, (SIZE_MISMATCH,))
        return None

    def _differs_in_length(self, answer: Answer) -> bool:
        """Say whether nothing but the length is wrong, and that may be (Exchange)."""
        return answer.literal_only and self._account.size_is_hint

    def _noted(self, answer: Answer) -> bool:
        """Keep the digest of what came the first time; say whether this was it."""
        uid, raw = answer.announced.ref.uid, answer.raw
        if raw is None or uid in self._first_digests:
            return False
        self._first_digests[uid] = raw.digest
        return True

    def _broken(self, error: Exception) -> None:
        """Drop the connection; raise again when it is not about a single message."""
        self._connection.drop()
        self._account.progress()  # a wait that had an end
        self._breaks_count += 1
        if not of_message(error) or self._breaks_count >= self._account.limits.breaks_max:
            raise error

    def _asked_alone(self, announced: Announced, room: Room) -> Fetched | Unfetched:
        """Ask for one message, and decide."""
        client = self._client()
        try:
            if announced.size_bytes is None:
                announced = announce(client, [announced.ref])[0]
            if refusal := self._refusal(announced):
                return _unfetched(announced, refusal)
            fetching = Fetching(client, self._account)
            fetching.send([announced], room)
            answer, *_ = fetching.answers()
            while fetching:  # its end may be a refusal
                list(fetching.answers())
        except SERVER_FAULTS as error:
            self._broken(error)
            return _unfetched(announced, reason_of(error))
        self._breaks_count = 0
        return self._judged(answer) or _unfetched(announced, answer.doubt)


def _takes_more(fetching: Fetching) -> bool:
    return len(fetching) < UNENDED_MAX and fetching.unanswered_count < UNANSWERED_MAX


def _commands(announced: Iterable[Announced]) -> Iterator[list[Announced]]:
    """Group messages into FETCH commands; order is kept."""
    command: list[Announced] = []
    command_bytes = 0
    for each in announced:
        command_bytes += each.size_bytes or 0
        if command and (command_bytes > COMMAND_BYTES_MAX or len(command) >= COMMAND_MESSAGES_MAX):
            yield command
            command, command_bytes = [], each.size_bytes or 0
        command.append(each)
    if command:
        yield command


def _unfetched(announced: Announced, why: str) -> Unfetched:
    hint = "it stays in the mailbox; look at it with another mail client"
    return Unfetched(announced, MessageError(why, subject=str(announced.ref), hint=hint))
