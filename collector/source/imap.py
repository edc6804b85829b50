"""The ``Mailbox`` protocol over IMAP.

Rule: this class only puts the parts of the room together: every step runs under
``Connection.guarded``, so that an error drops the connection and leaves as an error of
ours.  The connection is kept between polls; one object is used by one thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date

from collector.domain.custody import Proof
from collector.domain.mailbox import (
    Announced,
    Fetched,
    Listing,
    MailboxId,
    MessageRef,
    Removal,
    Survey,
    Unfetched,
)
from collector.source.account import Account
from collector.source.announcing import announce
from collector.source.connection import Connection
from collector.source.handover import Handover
from collector.source.idle import wait_for_exists
from collector.source.listing import Uids, criteria_of, list_uids
from collector.source.removal import removal_of, remove
from collector.source.survey import survey


class ImapMailbox:
    """One folder of one account; connects at the first use."""

    def __init__(self, account: Account, folder: str) -> None:
        self._mailbox = MailboxId(account.name, folder)
        self._account = account
        self._connection = Connection(account, folder)
        self._listed_count = 0
        self._arrived = False

    def poll(self, since: date | None = None, before: date | None = None) -> Listing:
        """List what is in the folder; two round trips on an open connection."""
        criteria = criteria_of(since, before)
        with self._connection.guarded("the folder cannot be listed"):
            listed = self._list(criteria)
            if listed.missing_count and not criteria:
                self._connection.drop()
                again = self._list(criteria)
                listed = again if len(again.uids) >= len(listed.uids) else listed
            session = self._connection.session()
            removal, because = removal_of(session.client, session.selected, self._account)
        self._connection.complaints.forget()
        self._listed_count = len(listed.uids)
        self._arrived = listed.arrived
        return Listing(
            mailbox=self._mailbox,
            uidvalidity=session.selected.uidvalidity,
            uidnext=session.selected.uidnext,
            uids=listed.uids,
            complete=not criteria and not listed.missing_count,
            removal=removal,
            removal_refused_because=because,
        )

    def _list(self, criteria: bytes) -> Uids:
        session = self._connection.reselect()
        return list_uids(session.client, session.selected, criteria)

    def announce(self, refs: Sequence[MessageRef]) -> list[Announced]:
        """Tell size and arrival of messages; one round trip per 1,000."""
        if not refs:
            return []
        with self._connection.guarded("sizes cannot be asked for"):
            return announce(self._connection.session(refs[0].uidvalidity).client, refs)

    def fetch(self, announced: Sequence[Announced]) -> Iterator[Fetched | Unfetched]:
        """Hand over each message as it arrives; one round trip for the batch."""
        return iter(Handover(self._connection, announced)) if announced else iter(())

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
                found = remove(client, self._account, removal, proven)
                strangers += [ours[uid] for uid in found]
        return strangers

    def survey(self) -> Survey:
        """Tell quota and certificate; one round trip, none on a server without quotas."""
        with self._connection.guarded("the quota cannot be asked for"):
            return survey(self._connection.session().client, self._mailbox.folder)

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
