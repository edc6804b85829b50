"""Entries: put in, and found again.

Rule: functions on an open database; who calls them decides about the
transaction.  ``states`` moves an entry on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from peewee import fn

from collector.domain.blob import BlobRef, Digest
from collector.domain.custody import LedgerEntry, PendingEntry, State
from collector.domain.errors import IntegrityError
from collector.domain.mailbox import MessageRef
from collector.ledger.database import VALUE, LedgerDatabase, portions, values, written
from collector.ledger.folders import count_states, ensure_folder, find_folder
from collector.ledger.indexing import insert_index
from collector.ledger.models import Entry, Folder, Receipt, SetAside
from collector.ledger.rows import (
    Recorded,
    decode_blob,
    decode_entry,
    decode_recorded,
    entry_row,
    receipt_row,
)
from collector.ledger.traffic import add_traffic

_ENTRY_COLUMNS = (
    *(
        column
        for column in Entry._meta.sorted_fields  # noqa: SLF001 - the form peewee offers
        if column not in {Entry.uidvalidity, Entry.uid}
    ),
    *(
        column
        for column in Receipt._meta.sorted_fields  # noqa: SLF001
        if column not in {Receipt.seq, Receipt.folder}
    ),
    Folder.mailbox,
    Folder.folder,
)
_FORGET_SET_ASIDE = written(
    SetAside.delete().where(
        SetAside.folder == VALUE, SetAside.uidvalidity == VALUE, SetAside.uid == VALUE
    )
)


def select_entries(*more: Any) -> Any:  # noqa: ANN401 - peewee's queries
    """Return the query for whole entries, as ``decode_entry`` reads them."""
    return (
        Entry.select(*_ENTRY_COLUMNS, *more)
        .join(Receipt, on=(Receipt.seq == Entry.seq))
        .join(Folder, on=(Folder.id == Receipt.folder))
    )


_LAST_SEQ = written(Entry.select(fn.MAX(Entry.seq)))


def last_seq(database: LedgerDatabase) -> int:
    """Return the highest ``seq``, 0 when there is none."""
    ((seq,),) = database.tuples(_LAST_SEQ, ())
    return int(seq or 0)


def last_blob(database: LedgerDatabase) -> BlobRef | None:
    """Return where the highest entry lies that has its own bytes."""
    own = select_entries().where(Receipt.duplicate_of.is_null())
    found = database.rows(own.order_by(Entry.seq.desc()).limit(1))
    return decode_blob(found[0]) if found else None


def find_digests(
    database: LedgerDatabase, digests: Sequence[Digest]
) -> dict[Digest, tuple[int, BlobRef]]:
    """Return the entries that hold these bytes themselves, for those that are held.

    The first entry with a digest has its own bytes; all later ones name it.
    """
    found: dict[Digest, tuple[int, BlobRef]] = {}
    for portion in portions(digests):
        hexes = [digest.hex for digest in portion]
        seqs = [seq for (seq,) in database.tuples(_first_with_digest(len(hexes)), hexes)]
        for row in database.named(bare_entries(len(seqs)), seqs) if seqs else ():
            blob = decode_blob(row)
            found[blob.digest] = (row["seq"], blob)
    return found


@lru_cache(maxsize=512)
def _first_with_digest(count: int) -> str:
    same = Entry.blob_digest.in_(values(count))
    return written(Entry.select(fn.MIN(Entry.seq)).where(same).group_by(Entry.blob_digest))


@lru_cache(maxsize=512)
def bare_entries(count: int) -> str:
    """Return the SQL for the rows of ``entries`` with ``count`` numbers."""
    return written(Entry.select().where(Entry.seq.in_(values(count))))


@lru_cache(maxsize=512)
def standings(count: int) -> str:
    """Return the SQL for where ``count`` numbers lay in their mailbox, and what became of them."""
    columns = (Entry.folder, Entry.uidvalidity, Entry.uid, Entry.state, Entry.cleared_at)
    return written(
        Entry.select(Entry.seq, *columns, Entry.clear_attempts).where(Entry.seq.in_(values(count)))
    )


def held(database: LedgerDatabase, refs: Sequence[MessageRef]) -> list[LedgerEntry]:
    """Return the open entries of these references, in their order."""
    folder = find_folder(database, refs[0].mailbox) if refs else None
    by_uid: dict[int, LedgerEntry] = {}
    if folder is not None:
        for portion in portions(refs):
            uids = [ref.uid for ref in portion]
            place = [folder, portion[0].uidvalidity]
            for row in database.named(_held(len(uids)), [*place, *uids]):
                by_uid[row["uid"]] = decode_entry(row)
    return [by_uid[ref.uid] for ref in refs if ref.uid in by_uid]


@lru_cache(maxsize=512)
def _held(count: int) -> str:
    return written(select_entries().where(*is_open(count)))


def is_open(count: int) -> tuple[Any, ...]:
    """Return the conditions for open entries; values: folder, UIDVALIDITY, ``count`` UIDs."""
    return (
        Entry.folder == VALUE,
        Entry.uidvalidity == VALUE,
        Entry.uid.in_(values(count)),
        Entry.settled_at.is_null(),
    )


def recorded(database: LedgerDatabase, seqs: Sequence[int]) -> list[Recorded]:
    """Return what the rows of these entries say, in this order.

    Raises:
        IntegrityError: one is not there, or cannot be read.
    """
    found: dict[int, Recorded] = {}
    for portion in portions(seqs):
        for row in database.named(whole_entries(len(portion)), portion):
            found[row["seq"]] = decode_recorded(row)
    refuse_missing(seqs, found)
    return [found[seq] for seq in seqs]


@lru_cache(maxsize=512)
def whole_entries(count: int) -> str:
    """Return the SQL for whole entries with ``count`` numbers."""
    return written(select_entries().where(Entry.seq.in_(values(count))))


def insert(
    database: LedgerDatabase, pending: Sequence[PendingEntry], *, gaps: bool
) -> list[LedgerEntry]:
    """Insert a batch and take its messages off the list of those set aside.

    Raises:
        IntegrityError: its numbers do not continue those of the ledger (with
            ``gaps``: do not rise), or a receipt and a location name different bytes.
    """
    expected = last_seq(database) + 1
    for each in pending:
        _refuse_unfit(expected, each, gaps=gaps)
        expected = each.receipt.seq + 1
    mailboxes = dict.fromkeys(each.receipt.ref.mailbox for each in pending)
    ids = {mailbox: ensure_folder(database, mailbox) for mailbox in mailboxes}
    folders = [ids[each.receipt.ref.mailbox] for each in pending]
    database.insert(Entry, map(entry_row, pending, folders))
    database.insert(Receipt, map(receipt_row, (each.receipt for each in pending), folders))
    insert_index(database, ((each.receipt.seq, each.indexed) for each in pending))
    refs = [each.receipt.ref for each in pending]
    gone = ((folder, ref.uidvalidity, ref.uid) for folder, ref in zip(folders, refs, strict=True))
    database.each(_FORGET_SET_ASIDE, gone)
    count_states(database, Counter((folder, State.COMMITTED.value) for folder in folders))
    add_traffic(database, pending, folders)
    return [LedgerEntry(each.receipt, each.blob, State.COMMITTED) for each in pending]


def _refuse_unfit(expected: int, pending: PendingEntry, *, gaps: bool) -> None:
    receipt, blob = pending.receipt, pending.blob
    if receipt.seq < expected or (receipt.seq > expected and not gaps):
        raise broken(f"entry {expected} should come next", receipt.seq)
    if (receipt.digest, receipt.size_bytes) != (blob.digest, blob.size_bytes):
        raise broken("a receipt and its location name different bytes", receipt.seq)


def refuse_missing(seqs: Iterable[int], found: Mapping[int, Any]) -> None:
    """Raise ``IntegrityError`` when one of ``seqs`` was not found."""
    for seq in seqs:
        if seq not in found:
            raise broken("an entry is no longer in the ledger", seq)


def broken(what: str, seq: int) -> IntegrityError:
    """Return the error for an entry that is not as it must be."""
    return IntegrityError(
        what, subject=f"seq {seq}", hint="nothing is deleted; run `collector verify`"
    )
