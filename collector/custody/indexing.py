"""What the index shall hold of a message, made in a process beside this one.

Unwrapping is a third of what Python does for a message, and the interpreter does one
thing at a time; so it is done where it holds up neither fetching nor storing.

Rule: only copies leave this process, and only values of the index come back.  The bytes
that are stored, and their digests, are never those that the other process saw.  When it
is gone, or a message is large, the same is done here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from mmap import mmap
from threading import Lock
from typing import Any, cast

from collector.custody.worker import Worker, WorkerGoneError
from collector.domain.blob import Digest, RawBytes, RawMessage, RawSlice
from collector.domain.custody import Indexed
from collector.domain.journal import JournalProfile
from collector.formats.unwrap import unwrap
from collector.ledger.indexing import indexed

SLOTS = 3
SLOT_BYTES = 1024 * 1024
"""Memory shared with the other process; a larger message is indexed here."""

ANSWER_S_MAX = 60.0
"""A process that is silent for longer is ended: one message must not hold up all mailboxes."""

PORTION_BYTES_MIN = 256 * 1024
PORTION_MESSAGES_MAX = 50
"""Messages that are handed over together: each time costs 0.1 ms.  100 bytes each in a
request, so that requests for all slots fit into a pipe (``worker.UNREAD_BYTES_MAX``)."""

Promise = Callable[[], Indexed]
"""Waits for what the index shall hold of one message."""

_Request = tuple[int, list[tuple[int, str]], int]
_Answer = list[tuple[Any, ...]]


def index(raw: RawMessage, profile: JournalProfile) -> Indexed:
    """Unwrap a message and return what the index shall hold of it.

    Raises:
        CollectorError: the bytes cannot be read.
    """
    return indexed(unwrap(raw, profile), raw.digest)


class Indexing:
    """Indexes messages, for any number of threads; made by ``beside`` with another process."""

    def __init__(self, profiles: Sequence[JournalProfile] = ()) -> None:
        self._profiles = {profile: number for number, profile in enumerate(profiles)}
        self._worker: Worker[_Request, _Answer] | None = None
        self._area: mmap | None = None
        self._free: deque[int] = deque()
        self._asked: deque[_Portion] = deque()
        self._sending = Lock()
        self._receiving = Lock()

    @classmethod
    def beside(cls, profiles: Sequence[JournalProfile]) -> Indexing:
        """Return one with a process of its own, if one can be made.

        Args:
            profiles: of the mailboxes whose messages it is for; others are indexed here.
        """
        indexing = cls(profiles)
        indexing._area = area = mmap(-1, SLOTS * SLOT_BYTES)
        indexing._worker = Worker.started(partial(_index_portion, area, profiles))
        indexing._free.extend(number * SLOT_BYTES for number in range(SLOTS))
        return indexing

    @property
    def worker_pid(self) -> int | None:
        """The other process, ``None`` when there is none."""
        return self._worker.pid if self._worker else None

    def begin(self, profile: JournalProfile) -> Messages:
        """Begin to index messages of a mailbox that is configured so."""
        return Messages(self, profile)

    def close(self) -> None:
        """End the other process; what it has not answered is done here."""
        with self._receiving:
            self._end(Worker.close)

    def knows(self, profile: JournalProfile) -> bool:
        """Say whether the other process was made for mailboxes that are configured so."""
        return profile in self._profiles

    def takes(self, raw: RawMessage) -> bool:
        """Say whether the other process is there, and such a message can be handed over."""
        small = type(raw) is RawBytes and raw.size_bytes <= SLOT_BYTES
        return self._worker is not None and small

    def add(self, portion: _Portion, raw: RawMessage) -> tuple[_Portion, Promise]:
        """Put a message to a portion, or into one of its own when there is no more room."""
        with self._sending:
            if not portion.takes(raw):
                self._send(portion)
                portion = _Portion(portion.profile)
            place = len(portion.raws)
            portion.raws.append(raw)
            portion.size_bytes += raw.size_bytes
            if portion.is_worth_sending:
                self._send(portion)
        return portion, partial(self._promised, portion, place)

    def _promised(self, portion: _Portion, place: int) -> Indexed:
        if portion.indexed is None:
            if not portion.was_sent:
                with self._sending:
                    self._send(portion)
            while portion.is_asked:
                self._receive(lambda: not portion.is_asked)
        if portion.indexed is None:  # nobody answers any more
            portion.indexed = [index(raw, portion.profile) for raw in portion.raws]
        return portion.indexed[place]

    def _send(self, portion: _Portion) -> None:
        """Hand a portion over, once; wait until there is room for it."""
        if portion.was_sent or not portion.raws:
            return
        while self._worker and not self._free:
            self._receive(lambda: bool(self._free))
        worker, area = self._worker, self._area
        if worker is None or area is None:
            portion.was_sent = True
            return
        portion.offset = self._free.popleft()
        parts = _laid_out(area, portion)
        self._asked.append(portion)
        portion.is_asked = portion.was_sent = True
        try:
            worker.send((portion.offset, parts, self._profiles[portion.profile]))
        except WorkerGoneError:
            with self._receiving:
                self._end(Worker.lost)

    def _receive(self, is_enough: Callable[[], bool]) -> None:
        """Take the next answer, unless another thread has taken enough meanwhile."""
        with self._receiving:
            worker = self._worker
            if worker is None or is_enough():
                return
            try:
                answers = worker.receive(ANSWER_S_MAX)
            except WorkerGoneError:
                self._end(Worker.lost)
                return
            portion = self._asked.popleft()
            portion.indexed = [Indexed(*each) for each in answers]
            portion.is_asked = False
            portion.raws.clear()  # they need no memory here
            self._free.append(portion.offset)

    def _end(self, end: Callable[[Worker[_Request, _Answer]], None]) -> None:
        worker, self._worker = self._worker, None
        if worker is not None:
            end(worker)
        while self._asked:
            self._asked.popleft().is_asked = False


class Messages:
    """Messages of one mailbox, in the order they come; for one thread.

    Small ones are handed over together, so what is promised for one may be waited for
    before it was handed over: then it is, at once.
    """

    def __init__(self, indexing: Indexing, profile: JournalProfile) -> None:
        self._indexing = indexing
        self._is_known = indexing.knows(profile)
        self._portion = _Portion(profile)

    def add(self, raw: RawMessage) -> Promise:
        """Promise what the index shall hold of a message.

        Raises:
            CollectorError: the bytes cannot be read.
        """
        if not self._is_known or not self._indexing.takes(raw):
            value = index(raw, self._portion.profile)
            return lambda: value
        self._portion, promise = self._indexing.add(self._portion, raw)
        return promise


@dataclass(eq=False, slots=True)
class _Portion:
    """Messages that are indexed together.

    Attributes:
        offset: of its slot.
        was_sent: nothing is put to it any more; set once it is known who indexes it.
        is_asked: the other process is to answer.
        indexed: what the index shall hold of each, once it is known.
    """

    profile: JournalProfile
    raws: list[RawMessage] = field(default_factory=list)
    size_bytes: int = 0
    offset: int = 0
    was_sent: bool = False
    is_asked: bool = False
    indexed: list[Indexed] | None = None

    def takes(self, raw: RawMessage) -> bool:
        """Say whether there is room for one more."""
        return not self.was_sent and self.size_bytes + raw.size_bytes <= SLOT_BYTES

    @property
    def is_worth_sending(self) -> bool:
        """Whether it is large enough, or has as many messages as one may have."""
        return self.size_bytes >= PORTION_BYTES_MIN or len(self.raws) >= PORTION_MESSAGES_MAX


def _laid_out(area: mmap, portion: _Portion) -> list[tuple[int, str]]:
    """Copy the messages of a portion into its slot; return their lengths and digests."""
    offset = portion.offset
    for raw in portion.raws:
        area[offset : offset + raw.size_bytes] = raw.window(0, raw.size_bytes)
        offset += raw.size_bytes
    return [(raw.size_bytes, raw.digest.hex) for raw in portion.raws]


def _index_portion(area: mmap, profiles: Sequence[JournalProfile], request: _Request) -> _Answer:
    """Index the messages of a slot: what the other process does."""
    offset, parts, number = request
    answers = []
    for size_bytes, digest in parts:
        raw = RawSlice(cast("bytes", area), offset, size_bytes, Digest(digest))
        found = index(raw, profiles[number])
        answers.append((found.kind, found.quarantined, found.trust, found.tables))
        offset += size_bytes
    return answers
