"""The ``Mailbox`` protocol over IMAP.

Rule: this class only puts the parts of the room together: every step runs under
``Connection.guarded``, so that an error drops the connection and leaves as an error of
ours.  The connection is kept between polls; one object is used by one thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date
from itertools import accumulate

from collector.domain.custody import Proof
from collector.domain.errors import CycleError
from collector.domain.mailbox import (
    Announced,
    Fetched,
    Horizon,
    Listing,
    MailboxId,
    MessageRef,
    Removal,
    Survey,
    Unfetched,
)
from collector.domain.uids import union
from collector.source.account import Account
from collector.source.announcing import announce
from collector.source.connection import Connection, Session
from collector.source.handover import Handover
from collector.source.idle import wait_for_exists
from collector.source.listing import Uids, criteria_of, list_uids
from collector.source.mailbox import Ration
from collector.source.removal import removal_of, remove
from collector.source.survey import survey

UNANSWERED_MAX = 2
"""Polls with a horizon that may fail in a row before one is made without."""


class ImapMailbox:
    """One folder of one account; connects at the first use.

    Attributes:
        ration: counts and limits what is handed over, where the account has a limit.
    """

    def __init__(self, account: Account, folder: str) -> None:
        self.id = MailboxId(account.name, folder)
        self.ration: Ration | None = None
        self._connection = Connection(account, folder)
        self._listed_count = 0
        self._arrived = False
        self._unanswered = 0

    def poll(
        self,
        since: date | None = None,
        before: date | None = None,
        horizon: Horizon | None = None,
    ) -> Listing:
        """List what is in the folder; two round trips on an open connection.

        One, when it is empty.
        """
        criteria = criteria_of(since, before)
        if self._unanswered >= UNANSWERED_MAX:
            horizon = None  # the answer may be more than can be read
        self._unanswered += horizon is not None
        with self._connection.guarded("the folder cannot be listed"):
            listed = self._list(criteria, horizon)
            if listed.missing_count and not criteria:
                self._connection.drop()
                again = self._list(criteria, horizon)
                listed = again if len(again.uids) >= len(listed.uids) else listed
            session = self._connection.session()
            removal, because = self._removal(session)
        self._connection.complaints.forget()
        self._unanswered = 0
        selected = session.selected
        vanished = selected.vanished
        if vanished is not None and listed.vanished:
            vanished = tuple(union(vanished, union(sorted(listed.vanished), ())))
        self._listed_count = len(listed.uids)
        self._arrived = listed.arrived
        return Listing(
            mailbox=self.id,
            uidvalidity=selected.uidvalidity,
            uidnext=selected.uidnext,
            uids=listed.uids,
            complete=not criteria and not listed.missing_count,
            removal=removal,
            removal_refused_because=because,
            server=session.server,
            modseq=selected.modseq,
            vanished=vanished,
            flagged=selected.flagged,
        )

    def _removal(self, session: Session) -> tuple[Removal, str]:
        account = self._connection.account
        return removal_of(session.client, session.selected, account, self.id.folder)

    def _list(self, criteria: bytes, horizon: Horizon | None) -> Uids:
        session = self._connection.reselect(horizon)
        return list_uids(session.client, session.selected, criteria)

    def announce(self, refs: Sequence[MessageRef]) -> list[Announced]:
        """Tell size and arrival of messages; one round trip per 1,000."""
        if not refs:
            return []
        with self._connection.guarded("sizes cannot be asked for"):
            self._left_bytes()
            return announce(self._connection.session(refs[0].uidvalidity).client, refs)

    def fetch(self, announced: Sequence[Announced]) -> Iterator[Fetched | Unfetched]:
        """Hand over each message as it arrives; one round trip for all of them."""
        allowed = self._allowed(announced)
        if not allowed:
            return iter(())
        handover = iter(Handover(self._connection, allowed))
        limited = self._connection.account.daily_bytes_max is not None
        return _counted(handover, self.ration) if self.ration and limited else handover

    def _left_bytes(self) -> int | None:
        """Return how much may be handed over, ``None`` for any amount."""
        limit = self._connection.account.daily_bytes_max
        if self.ration is None or limit is None:
            return None
        return self.ration.left_bytes(limit)

    def _allowed(self, announced: Sequence[Announced]) -> list[Announced]:
        """Return the messages that fit into what is left; a first one always does.

        A message larger than a whole day's budget would never come otherwise.
        """
        try:
            left_bytes = self._left_bytes()
        except CycleError:
            return []  # an earlier window took the last of it
        if left_bytes is None:
            return list(announced)
        sizes = accumulate(each.size_bytes or 0 for each in announced)
        return [
            each
            for number, (each, sum_bytes) in enumerate(zip(announced, sizes, strict=True))
            if number == 0 or sum_bytes <= left_bytes
        ]

    def expunge(self, proofs: Sequence[Proof], removal: Removal) -> list[Proof]:
        """Delete exactly the proven messages; return those whose UID names another now."""
        epochs = {proof.ref.uidvalidity for proof in proofs}
        strangers: list[Proof] = []
        with self._connection.guarded("messages cannot be removed"):
            for uidvalidity in sorted(epochs):
                ours = {
                    each.ref.uid: each for each in proofs if each.ref.uidvalidity == uidvalidity
                }
                client = self._connection.session(uidvalidity).client
                proven = {uid: each.size_bytes for uid, each in ours.items()}
                found = remove(client, self._connection.account, removal, proven)
                strangers += [ours[uid] for uid in found]
        return strangers

    def survey(self) -> Survey:
        """Tell quota and certificate; one round trip, none on a server without quotas."""
        with self._connection.guarded("the quota cannot be asked for"):
            return survey(self._connection.session().client, self.id.folder)

    @property
    def connections_max(self) -> int | None:
        """How many connections at a time the server allows, ``None`` when not known."""
        return self._connection.account.connections_max

    def resume(self, throttle: str) -> None:
        """Go on where an earlier run was told of this throttle."""
        self._connection.complaints.resume(throttle)

    @property
    def offers_idle(self) -> bool:
        """Whether the connected server can tell of new mail (RFC 2177)."""
        session = self._connection.current
        return session is not None and b"IDLE" in session.client.capabilities()

    def wait_for_arrival(self, timeout_s: float, stop: Callable[[], bool]) -> bool:
        """Wait until new mail is told of, ``timeout_s`` is over, or ``stop`` says so.

        Returns:
            ``True`` when there is new mail.  A connection that dies meanwhile is
            dropped and answered with ``False``: the next poll opens a new one.
        """
        if self._arrived:
            self._arrived = False
            return True
        return wait_for_exists(self._connection, self._listed_count, timeout_s, stop)

    def close(self) -> None:
        """Log out."""
        self._connection.log_out()


def _counted(
    answers: Iterator[Fetched | Unfetched], ration: Ration
) -> Iterator[Fetched | Unfetched]:
    """Yield all answers, and count what came, however it ends."""
    size_bytes = 0
    try:
        for answer in answers:
            if isinstance(answer, Fetched):
                size_bytes += answer.raw.size_bytes
            yield answer
    finally:
        ration.took(size_bytes)
