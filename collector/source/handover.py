"""Hands over a batch: once as a whole, and what stays doubtful once more, alone.

Rule: absence and doubt become facts only when asked twice, the second time on a new
connection (imap reference, 2.1 and 2.3).  One message that breaks the connection does
not hold up the rest; a server that breaks it for every message ends the cycle.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from collector.domain.blob import Digest
from collector.domain.errors import MessageError
from collector.domain.mailbox import Announced, Fetched, Unfetched
from collector.source.announcing import announce
from collector.source.client import Client
from collector.source.connection import Connection
from collector.source.fetching import Answer, Fetch, Room
from collector.source.refusal import SERVER_FAULTS, of_message, reason_of

SIZE_MISMATCH = "size-mismatch"
GONE = "gone meanwhile, or left out of two answers"


class Handover:
    """One batch, from the request to the last answer.

    Args:
        batch: messages of one folder under one UIDVALIDITY; not empty.
    """

    def __init__(self, connection: Connection, batch: Sequence[Announced]) -> None:
        self._connection = connection
        self._account = connection.account
        self._batch = batch
        self._room = Room(self._account.limits.memory_bytes_max)
        self._first_digests: dict[int, Digest] = {}
        self._again: list[Announced] = []
        self._doubts: list[Announced] = []
        self._breaks_count = 0

    def __iter__(self) -> Iterator[Fetched | Unfetched]:
        """Yield each message of the batch once.

        Raises:
            CycleError, ConfigError: the server cannot be reached, or does not answer.
        """
        with self._connection.guarded("messages cannot be fetched"):
            for each in self._batch:
                if each.size_bytes is None:
                    self._doubts.append(each)
                elif refusal := self._refusal(each):
                    yield _unfetched(each, refusal)
                else:
                    self._again.append(each)
            while self._again:
                batch, self._again = self._again, []
                yield from self._accepted(Fetch(self._client(), self._account, batch, self._room))
            if self._doubts:
                self._connection.drop()
            for announced in self._doubts:
                yield self._asked_alone(announced)

    def _refusal(self, announced: Announced) -> str:
        """Return why a message is not even asked for; empty when it is."""
        if announced.size_bytes is None:
            return GONE
        if announced.size_bytes > self._account.message_bytes_max:
            return "larger than message_size_max allows"
        return ""

    def _client(self) -> Client:
        return self._connection.session(self._batch[0].ref.uidvalidity).client

    def _accepted(self, fetch: Fetch) -> Iterator[Fetched]:
        """Yield what can be accepted; note what is to be asked for again, and how."""
        try:
            for answer in fetch:
                if fetched := self._judged(answer):
                    self._breaks_count = 0
                    yield fetched
                elif self._differs_in_length(answer) and self._noted(answer):
                    self._again.append(answer.announced)
                else:
                    self._doubts.append(answer.announced)
        except SERVER_FAULTS as error:
            self._broken(error)
            self._doubts += [fetch.waiting.pop(uid) for uid in fetch.suspects()]
            self._again += fetch.waiting.values()
        else:
            self._doubts += fetch.waiting.values()  # left out of the answer

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

    def _asked_alone(self, announced: Announced) -> Fetched | Unfetched:
        """Ask for one message, and decide."""
        client = self._client()
        try:
            if announced.size_bytes is None:
                announced = announce(client, [announced.ref])[0]
            if refusal := self._refusal(announced):
                return _unfetched(announced, refusal)
            answers = list(Fetch(client, self._account, [announced], self._room))
        except SERVER_FAULTS as error:
            self._broken(error)
            return _unfetched(announced, reason_of(error))
        self._breaks_count = 0
        if not answers:
            return _unfetched(announced, GONE)
        return self._judged(answers[0]) or _unfetched(announced, answers[0].doubt)


def _unfetched(announced: Announced, why: str) -> Unfetched:
    hint = "it stays in the mailbox; look at it with another mail client"
    return Unfetched(announced, MessageError(why, subject=str(announced.ref), hint=hint))
