"""Hands over a batch: once as a whole, and what stays doubtful once more, alone.

Rule: absence and doubt become facts only when asked twice, the second time on a new
connection (imap reference, 2.1 and 2.3).  One message that breaks the connection does
not hold up the rest; a server that breaks it for every message ends the cycle.
"""

from __future__ import annotations

import imaplib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from collector.domain.blob import Digest
from collector.domain.errors import MessageError
from collector.domain.mailbox import Announced, Fetched, Unfetched
from collector.source.announcing import announce
from collector.source.client import Client
from collector.source.connection import Connection
from collector.source.fetching import Answer, Fetch
from collector.source.refusal import of_message, reason_of

SIZE_MISMATCH = "size-mismatch"
BREAKS = (imaplib.IMAP4.error, OSError, ValueError)
"""What a connection, a refusal or an answer that is not well formed raises."""


@dataclass(frozen=True, slots=True)
class _Doubt:
    """A message that will be asked for again.

    Attributes:
        digest: of what came the first time, when only its length was wrong.
    """

    announced: Announced
    digest: Digest | None = None


class Handover:
    """One batch, from the request to the last answer.

    Args:
        batch: messages of one folder under one UIDVALIDITY; not empty.
    """

    def __init__(self, connection: Connection, batch: Sequence[Announced]) -> None:
        self._connection = connection
        self._account = connection.account
        self._batch = batch
        self._doubts: list[_Doubt] = []
        self._breaks_count = 0

    def __iter__(self) -> Iterator[Fetched | Unfetched]:
        """Yield each message of the batch once.

        Raises:
            CycleError, ConfigError: the server cannot be reached, or does not answer.
        """
        with self._connection.guarded("messages cannot be fetched"):
            waiting = []
            for each in self._batch:
                if (each.size_bytes or 0) > self._account.message_bytes_max:
                    yield _unfetched(each, "larger than message_size_max allows")
                else:
                    waiting.append(each)
            while waiting:
                fetch = Fetch(self._client(), self._account, waiting)
                yield from self._accepted(fetch)
                waiting = list(fetch.waiting.values())
            if self._doubts:
                self._connection.drop()
            for doubt in self._doubts:
                yield self._asked_again(doubt)

    def _client(self) -> Client:
        return self._connection.session(self._batch[0].ref.uidvalidity).client

    def _accepted(self, fetch: Fetch) -> Iterator[Fetched]:
        """Yield what can be accepted at once; note the rest as doubtful."""
        try:
            for answer in fetch:
                if answer.raw is not None and not answer.doubt:
                    self._breaks_count = 0
                    yield Fetched(answer.announced, answer.raw)
                else:
                    self._doubts.append(_Doubt(answer.announced, self._digest_of(answer)))
        except BREAKS as error:
            self._broken(error)
            self._doubt(fetch, fetch.suspects())
        else:
            self._doubt(fetch, list(fetch.waiting))  # left out of the answer

    def _doubt(self, fetch: Fetch, uids: Sequence[int]) -> None:
        self._doubts += [_Doubt(fetch.waiting.pop(uid)) for uid in uids]

    def _broken(self, error: Exception) -> None:
        """Drop the connection; raise again when it is not about a single message."""
        self._connection.drop()
        self._account.progress()  # a wait that had an end
        self._breaks_count += 1
        if not of_message(error) or self._breaks_count >= self._account.limits.breaks_max:
            raise error

    def _asked_again(self, doubt: _Doubt) -> Fetched | Unfetched:
        """Fetch one message alone, and decide."""
        client, announced = self._client(), doubt.announced
        try:
            if announced.size_bytes is None:
                announced = announce(client, [announced.ref])[0]
            answers = list(Fetch(client, self._account, [announced]))
        except BREAKS as error:
            self._broken(error)
            return _unfetched(announced, reason_of(error))
        if not answers:
            return _unfetched(announced, "gone meanwhile, or left out of two answers")
        answer = answers[0]
        if answer.raw is None:
            return _unfetched(announced, answer.doubt)
        if not answer.doubt:
            self._breaks_count = 0
            return Fetched(announced, answer.raw)
        if doubt.digest is not None and doubt.digest == self._digest_of(answer):
            return Fetched(announced, answer.raw, (SIZE_MISMATCH,))
        return _unfetched(announced, answer.doubt)

    def _digest_of(self, answer: Answer) -> Digest | None:
        """Return the digest when the size is a hint and nothing else is wrong."""
        if answer.raw is None or not (answer.literal_only and self._account.size_is_hint):
            return None
        return answer.raw.digest


def _unfetched(announced: Announced, why: str) -> Unfetched:
    hint = "it stays in the mailbox; look at it with another mail client"
    return Unfetched(announced, MessageError(why, subject=str(announced.ref), hint=hint))
