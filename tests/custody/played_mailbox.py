"""A mail server in memory, and faults at chosen steps of a cycle.

Rule: this is the outside world, so it is played; it checks each deletion it is
asked for against what the archive's disk says at that moment.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import TypeVar

from collector.domain.blob import Digest, RawBytes
from collector.domain.custody import Proof
from collector.domain.errors import MessageError
from collector.domain.mailbox import (
    Announced,
    Fetched,
    Horizon,
    Listing,
    MailboxId,
    MessageRef,
    Removal,
    Unfetched,
)

MAILBOX = MailboxId("journal", "INBOX")
ARRIVED = datetime(2026, 11, 2, 8, 0, tzinfo=UTC)
BEFORE, TORN, AFTER = "before", "torn", "after"
EFFECTS = (BEFORE, TORN, AFTER)

T = TypeVar("T")


class Crash(BaseException):
    """The process ends here; no handler of the program may catch it."""


def _nothing() -> None:
    return None


@dataclass(slots=True)
class Fault:
    """Fires once, at the n-th step of a name; the steps of all threads are taken one by one.

    Attributes:
        name, at: which step; never when ``at`` is 0.
        effect: how much of the step took effect: nothing (``before``), half of
            what it writes to a segment (``torn``), all (``after``).
        error: what is raised; ``None`` ends the process, and whatever its other
            threads try after that has no effect.
        between: called before every step; what others do meanwhile.
        after: called after every step, whatever became of it.
        steps: names of the steps taken so far.
        fired: it has fired.
    """

    name: str = ""
    at: int = 0
    effect: str = BEFORE
    error: Exception | None = None
    between: Callable[[], None] = _nothing
    after: Callable[[], None] = _nothing
    steps: list[str] = field(default_factory=list)
    fired: bool = False
    _turn: threading.RLock = field(default_factory=threading.RLock)

    def step(self, name: str, action: Callable[[], T], tear: Callable[[], None] = _nothing) -> T:
        """Take one step of the outside world or of the disk.

        Args:
            tear: called behind ``action`` when only half of it took effect.
        """
        with self._turn:
            if self.fired and self.error is None:
                raise Crash(name)
            self.between()
            self.steps.append(name)
            hit = name == self.name and self.steps.count(name) == self.at
            try:
                if hit and self.effect == BEFORE:
                    self._fire()
                result = action()
                if hit:
                    if self.effect == TORN:
                        tear()
                    self._fire()
                return result
            finally:
                self.after()

    def _fire(self) -> None:
        self.fired = True
        raise self.error or Crash(self.name)


@dataclass(slots=True)
class Server:
    """The mailbox as the server holds it.

    Attributes:
        messages: by UID.
        poison: UIDs it does not hand over.
        stubborn: it says yes to a deletion and does nothing.
        deleted: digests of what we deleted, in that order.
        stolen: digests of what somebody else deleted.
        flags: what others set on every message.
        name: of the mailbox.
    """

    messages: dict[int, bytes] = field(default_factory=dict)
    uidvalidity: int = 1
    uidnext: int = 1
    poison: set[int] = field(default_factory=set)
    stubborn: bool = False
    removal: Removal = Removal.UID_EXPUNGE
    deleted: list[str] = field(default_factory=list)
    stolen: list[str] = field(default_factory=list)
    flags: tuple[str, ...] = ()
    name: str = MAILBOX.name

    def deliver(self, raw: bytes) -> None:
        """Put a message into the mailbox."""
        self.messages[self.uidnext] = raw
        self.uidnext += 1

    def renumber(self) -> None:
        """Make the mailbox anew: other UIDVALIDITY, UIDs from 1, the same messages."""
        raws = list(self.messages.values())
        self.messages.clear()
        self.poison.clear()
        self.uidvalidity += 1
        self.uidnext = 1
        for raw in raws:
            self.deliver(raw)

    def steal(self, uid: int) -> None:
        """Let another client delete a message, if it is there."""
        raw = self.messages.pop(uid, None)
        if raw is not None:
            self.stolen.append(Digest.of(raw).hex)

    def expunge(self, proof: Proof) -> None:
        """Delete one message, as the collector asks."""
        raw = self.messages.get(proof.ref.uid)
        if raw is None or self.stubborn:
            return
        assert proof.ref.uidvalidity == self.uidvalidity
        assert Digest.of(raw) == proof.digest, "deleted what was not proven"
        self.deleted.append(proof.digest.hex)
        del self.messages[proof.ref.uid]


@dataclass(slots=True)
class PlayedMailbox:
    """The ``Mailbox`` protocol over a ``Server``."""

    server: Server
    fault: Fault

    @property
    def id(self) -> MailboxId:
        """The one folder."""
        return replace(MAILBOX, name=self.server.name)

    def poll(
        self,
        since: date | None = None,
        before: date | None = None,
        horizon: Horizon | None = None,
    ) -> Listing:
        """List what is there; this server cannot tell what went."""
        complete = since is None and before is None
        return self.fault.step("poll", lambda: self._listing(complete=complete))

    def _listing(self, *, complete: bool) -> Listing:
        server = self.server
        uids = tuple(sorted(server.messages))
        return Listing(self.id, server.uidvalidity, server.uidnext, uids, complete, server.removal)

    def announce(self, refs: Sequence[MessageRef]) -> list[Announced]:
        """Tell sizes."""
        return self.fault.step("announce", lambda: [self._announced(ref) for ref in refs])

    def _announced(self, ref: MessageRef) -> Announced:
        return Announced(
            ref, len(self.server.messages.get(ref.uid, b"")), ARRIVED, self.server.flags
        )

    def fetch(self, announced: Sequence[Announced]) -> Iterator[Fetched | Unfetched]:
        """Hand over, but for the poisoned and those that are gone."""
        for each in announced:
            yield self.fault.step("fetch", lambda each=each: self._fetched(each))

    def _fetched(self, announced: Announced) -> Fetched | Unfetched:
        uid = announced.ref.uid
        raw = self.server.messages.get(uid)
        if announced.ref.uidvalidity != self.server.uidvalidity or uid in self.server.poison:
            raw = None
        if raw is None:
            error = MessageError("handed over as NIL", subject=str(announced.ref))
            return Unfetched(announced, error)
        return Fetched(announced, RawBytes(raw))

    def expunge(self, proofs: Sequence[Proof], removal: Removal) -> list[Proof]:
        """Delete exactly these, one after the other; leave those of another size alone."""
        assert removal is self.server.removal
        strangers = [each for each in proofs if self._is_strange(each)]
        for proof in proofs:
            if proof.ref.uidvalidity == self.server.uidvalidity and proof not in strangers:
                self.fault.step("expunge", lambda proof=proof: self.server.expunge(proof))
        return strangers

    def _is_strange(self, proof: Proof) -> bool:
        raw = self.server.messages.get(proof.ref.uid)
        return raw is not None and len(raw) != proof.size_bytes
