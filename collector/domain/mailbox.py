"""What is in a journal mailbox, as the mail server tells it.

Rule: a message is named by its reference and by nothing else; a UID without
its UIDVALIDITY means nothing (RFC 9051, section 2.3.1.1).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from collector.domain.blob import RawMessage
from collector.domain.errors import MessageError
from collector.domain.uids import UidRange


@dataclass(frozen=True, slots=True)
class MailboxId:
    """One folder of one configured mailbox.

    Attributes:
        name: the mailbox's name in the configuration.
        folder: the IMAP folder, as a person writes it (not in modified UTF-7).
    """

    name: str
    folder: str

    def __str__(self) -> str:
        return f"{self.name}:{self.folder}"


@dataclass(frozen=True, slots=True)
class MessageRef:
    """The one name of a message on the server (RFC 9051, section 2.3.1.1)."""

    mailbox: MailboxId
    uidvalidity: int
    uid: int

    def __str__(self) -> str:
        return f"{self.mailbox} UID {self.uid} (UIDVALIDITY {self.uidvalidity})"


class Removal(Enum):
    """How messages leave this mailbox (design, section 2, decision 3)."""

    UID_EXPUNGE = "uid-expunge"
    MOVE = "move"
    EXCLUSIVE_EXPUNGE = "exclusive-expunge"
    REFUSED = "refused"


class ServerKind(Enum):
    """What a mail server is, as far as it says (imap reference, 4.3)."""

    DOVECOT = "dovecot"
    CYRUS = "cyrus"
    COURIER = "courier"
    EXCHANGE = "exchange"
    GMAIL = "gmail"
    OTHER = "other"

    @property
    def skips_uids(self) -> bool | None:
        """Whether UIDs go missing there without anybody deleting; ``None``: not known.

        Exchange gives a changed item a new UID, Gmail retires one with every label; on
        Dovecot, Cyrus and Courier neither refused nor aborted deliveries used one up.
        """
        if self is ServerKind.OTHER:
            return None
        return self in {ServerKind.EXCHANGE, ServerKind.GMAIL}


@dataclass(frozen=True, slots=True)
class Horizon:
    """Up to where a server has told of changes in a folder (RFC 7162, section 3.2.5).

    Attributes:
        modseq: the HIGHESTMODSEQ of the last complete listing.
    """

    uidvalidity: int
    modseq: int


@dataclass(frozen=True, slots=True)
class Flagged:
    """A message on which somebody but the collector set flags.

    Attributes:
        flags: of ``seen``, ``answered``, ``flagged``, ``deleted`` and ``draft``
            (RFC 9051, section 2.3.2).
    """

    uid: int
    flags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Listing:
    """What one poll found.

    Attributes:
        mailbox: the folder that was polled.
        uidvalidity: epoch of the UIDs.
        uidnext: the server's next UID, 0 when it did not say.
        uids: ascending, without repetition.
        complete: ``False`` when the poll asked for a date range: a UID that is
            not listed is then not gone.
        removal: how proven messages can be removed.
        removal_refused_because: reason and remedy when they cannot.
        server: what the server is.
        modseq: HIGHESTMODSEQ when the folder was selected, 0 when it did not say.
        vanished: UIDs the server says are expunged since the horizon the poll was given;
            ``None`` when it cannot tell.
        flagged: messages with flags, of those that changed since that horizon; bounded.
    """

    mailbox: MailboxId
    uidvalidity: int
    uidnext: int
    uids: Sequence[int]
    complete: bool = True
    removal: Removal = Removal.UID_EXPUNGE
    removal_refused_because: str = ""
    server: ServerKind = ServerKind.OTHER
    modseq: int = 0
    vanished: tuple[UidRange, ...] | None = None
    flagged: tuple[Flagged, ...] = ()

    def refs(self, start: int, stop: int) -> list[MessageRef]:
        """Return the references at positions ``start`` to ``stop`` of the listing."""
        return [MessageRef(self.mailbox, self.uidvalidity, uid) for uid in self.uids[start:stop]]

    def windows(self, messages_max: int) -> Iterator[list[MessageRef]]:
        """Yield all references, at most ``messages_max`` at a time."""
        for start in range(0, len(self.uids), messages_max):
            yield self.refs(start, start + messages_max)


@dataclass(frozen=True, slots=True)
class Quota:
    """How much of a limit is used (RFC 9208, section 5).

    Attributes:
        resource: ``STORAGE`` (in KiB) or ``MESSAGE``.
    """

    resource: str
    used: int
    limit: int


@dataclass(frozen=True, slots=True)
class Survey:
    """What was seen of a mailbox beside its messages.

    Attributes:
        quotas: those the server told.
        certificate_expires_at: of the server's own certificate; ``None`` without TLS.
    """

    quotas: tuple[Quota, ...] = ()
    certificate_expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Announced:
    """What the server says of a message before it is fetched.

    Attributes:
        size_bytes: RFC822.SIZE, ``None`` when the server did not answer for it.
        internal_date: arrival (RFC 9051, section 2.3.3), UTC, ``None`` when not told.
        flags: as in ``Flagged``.
    """

    ref: MessageRef
    size_bytes: int | None
    internal_date: datetime | None
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Fetched:
    """A message the server handed over, whole.

    Attributes:
        flags: remarks about the hand-over (``size-mismatch``).
    """

    announced: Announced
    raw: RawMessage
    flags: tuple[str, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Unfetched:
    """A message the server did not hand over; it stays where it is."""

    announced: Announced
    error: MessageError
