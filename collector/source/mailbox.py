r"""What custody asks of a mailbox: the promises of every source.

Rule: this is all the hallway knows of mail servers.  An implementation promises

* to hand over the bytes exactly as the server gives them, or not at all;
* to change nothing but by ``expunge``: no flag, no ``\Seen``;
* that any method may be called again after any error: state lives in the
  ledger, never in a connection;
* bounded time and memory, whatever the server does;
* to raise nothing but ``CycleError`` (this mailbox, later again) and
  ``ConfigError`` (a person must change something).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Protocol

from collector.domain.custody import Proof
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


class Ration(Protocol):
    """How much a mailbox may hand over in a day."""

    def left_bytes(self, daily_bytes_max: int) -> int:
        """Return how many bytes are left; raise ``CycleError`` when none are."""

    def took(self, size_bytes: int) -> None:
        """Count what was handed over."""


class Mailbox(Protocol):
    """One folder of one mailbox on a server."""

    @property
    def id(self) -> MailboxId:
        """Which folder of which mailbox it is."""

    def poll(
        self,
        since: date | None = None,
        before: date | None = None,
        horizon: Horizon | None = None,
    ) -> Listing:
        """List what is in the folder, whatever its flags.

        Args:
            since: only messages that arrived on this day or later, by the date part of
                INTERNALDATE; the listing is then not ``complete``.
            before: only messages that arrived before this day; likewise.
            horizon: a server that can also tells what was expunged and flagged since.

        A server that leaves messages out of its answer is asked twice; when it
        cannot be made to agree with itself, the listing is not ``complete``
        either: what it does not show is then not known to be gone.
        """

    def announce(self, refs: Sequence[MessageRef]) -> list[Announced]:
        """Tell size, arrival and flags of messages, in the order of ``refs``."""

    def fetch(self, announced: Sequence[Announced]) -> Iterator[Fetched | Unfetched]:
        """Hand over each message once, as it arrives, in any order.

        Only a message whose size agrees with what was announced is ``Fetched``;
        whatever is doubtful is asked for once more on a new connection before
        it is ``Unfetched``.  The iterator may be left early.  A mailbox whose ration
        for today ends hands over as much as is left; the rest is due again.
        """

    def expunge(self, proofs: Sequence[Proof], removal: Removal) -> list[Proof]:
        """Delete exactly the proven messages; nothing under another UIDVALIDITY.

        May be repeated.  What became of them, only the next ``poll`` tells.

        Returns:
            the proofs whose UID names a message of another size now: the mailbox was
            restored.  These messages were left alone.
        """
