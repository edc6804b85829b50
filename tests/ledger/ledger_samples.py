"""Messages, proofs and listings that the tests of the ledger room share."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from collector.domain.blob import BlobRef, Digest
from collector.domain.custody import LedgerEntry, PendingEntry, Proof, Receipt, Settlement, State
from collector.domain.journal import (
    Envelope,
    Kind,
    Original,
    Recipient,
    RecipientKind,
    Redirection,
    Unwrapped,
)
from collector.domain.mailbox import Listing, MailboxId, MessageRef
from collector.ledger.indexing import indexed
from collector.ledger.ledger import Ledger

NOW = datetime(2026, 3, 4, 5, 6, 7, 89, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
INBOX = MailboxId("journal", "INBOX/Überläufe")
OTHER = MailboxId("journal", "INBOX")
EPOCH = 7

REPORT = Unwrapped(
    kind=Kind.EXCHANGE,
    envelope=Envelope(
        sender="Anna@example.net",
        subject="Angebot für Müller",
        message_id="<1@example.net>",
        recipients=(
            Recipient("bob@example.net", RecipientKind.TO),
            Recipient(
                "eve@example.org",
                RecipientKind.BCC,
                via=(Redirection("expanded", "all@example.net"),),
                derived=True,
                undisclosed=True,
            ),
        ),
        raw_lines=("Sender: Anna@example.net", "To: bob@example.net"),
    ),
    nested=(
        Envelope(
            sender="claimed@example.com",
            recipients=(Recipient("mallory@example.com", RecipientKind.CC, level=1),),
            raw_lines=("Sender: claimed@example.com",),
            level=1,
        ),
    ),
    originals=(Original(100, 200, Digest.of(b"inner")),),
    trust_reasons=("header",),
    flags=("bcc",),
)


def pending_of(
    seq: int,
    *,
    uid: int | None = None,
    mailbox: MailboxId = INBOX,
    uidvalidity: int = EPOCH,
    raw: bytes | None = None,
    duplicate_of: int | None = None,
    unwrapped: Unwrapped = REPORT,
) -> PendingEntry:
    """Return a message that is durable and not yet in the ledger; its UID is 100 + ``seq``."""
    raw = raw or b"message %d" % seq
    digest = Digest.of(raw)
    receipt = Receipt(
        seq=seq,
        digest=digest,
        size_bytes=len(raw),
        ref=MessageRef(mailbox, uidvalidity, 100 + seq if uid is None else uid),
        internal_date=NOW - timedelta(hours=1),
        fetched_at=NOW,
        committed_at=NOW + timedelta(seconds=seq),
        kind=unwrapped.kind.value,
        quarantined=unwrapped.quarantined,
        duplicate_of=duplicate_of,
        fetch_flags=("size-mismatch",),
    )
    place = duplicate_of or seq
    blob = BlobRef("000001", 1000 * place, 500, 10, len(raw), digest, 250)
    return PendingEntry(receipt, blob, indexed(unwrapped, digest))


def commit(ledger: Ledger, count: int, **keys) -> list[LedgerEntry]:
    """Commit ``count`` more messages in one batch."""
    first = ledger.last_seq() + 1
    return ledger.commit([pending_of(seq, **keys) for seq in range(first, first + count)])


def proof_of(entry: LedgerEntry, at: datetime = NOW) -> Proof:
    """Return the proof of an entry."""
    receipt = entry.receipt
    return Proof(entry.seq, entry.ref, receipt.digest, receipt.size_bytes, at)


def listing_of(
    uids: Iterable[int],
    *,
    uidnext: int = 1000,
    uidvalidity: int = EPOCH,
    complete: bool = True,
    mailbox: MailboxId = INBOX,
) -> Listing:
    """Return a listing of ``INBOX``."""
    return Listing(mailbox, uidvalidity, uidnext, tuple(uids), complete=complete)


def poll(ledger: Ledger, listing: Listing, at: datetime = NOW) -> list[tuple[int, State]]:
    """Do what a cycle does with a listing; return what it settled, as (seq, state)."""
    settlements = ledger.unsettled(listing, at)
    ledger.settle(settlements)
    ledger.observe(listing, at)
    return [(each.seq, each.state) for each in settlements]


def states_of(ledger: Ledger) -> list[State]:
    """Return the state of every entry, in the order of ``seq``."""
    return [entry.state for entry in ledger.entries()]


def settlement_of(entry: LedgerEntry, state: State = State.EXPUNGED) -> Settlement:
    """Return a settlement of an entry that was cleared at ``NOW``."""
    return Settlement(entry.seq, state, NOW, NOW + MINUTE)


def with_envelope(**changes) -> Unwrapped:
    """Return ``REPORT`` with other envelope fields."""
    return replace(REPORT, envelope=replace(REPORT.envelope, **changes))


def tamper(path: Path, sql: str, *values: object) -> None:
    """Change the database behind the program's back."""
    connection = sqlite3.connect(path)
    with connection:
        connection.execute(sql, values)
    connection.close()
