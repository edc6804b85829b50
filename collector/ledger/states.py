"""Moves entries from state to state: cleared, then settled.

    committed -> cleared -> expunged
    committed or cleared -> superseded;  committed -> vanished

Rule: functions on an open database; who calls them decides about the
transaction.  A settled entry is never cleared again: what the server lists
under its UID later is another arrival (see the table in README.md).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache

from collector.domain.blob import Digest
from collector.domain.custody import LedgerEntry, Proof, Settlement, State
from collector.ledger import models
from collector.ledger.accounting import forget_pending
from collector.ledger.database import VALUE, LedgerDatabase, Row, portions, values, written
from collector.ledger.encoding import (
    decode_instant,
    decode_optional,
    encode_instant,
    encode_optional,
)
from collector.ledger.entries import broken, refuse_missing, standings
from collector.ledger.folders import count_states, note_proofs
from collector.ledger.models import Deletion, Entry, Folder, Receipt
from collector.ledger.query import DeletionReceipt, ProofRow
from collector.ledger.rows import mailbox_of

CLEARED = State.CLEARED.value
SETTLED = frozenset({State.EXPUNGED.value, State.VANISHED.value, State.SUPERSEDED.value})

_HOW_GONE = {
    State.CLEARED: ("", "proven and asked for; still listed"),
    State.EXPUNGED: (
        "collector",
        "proven, then asked for by UID; a complete listing of the folder no longer shows it",
    ),
    State.VANISHED: (
        "somebody else",
        "nobody here asked for it; listings no longer show it, or the server says it is gone",
    ),
    State.SUPERSEDED: (
        "nobody",
        "the mailbox was renumbered or restored: its UID names nothing any more",
    ),
}

_CLEAR = written(
    Entry.update(
        {
            Entry.state: VALUE,
            Entry.cleared_at: VALUE,
            Entry.clear_attempts: VALUE,
            Entry.absent_count: VALUE,
        }
    ).where(Entry.seq == VALUE)
)
_SETTLE = written(
    Entry.update(
        {
            Entry.state: VALUE,
            Entry.cleared_at: VALUE,
            Entry.clear_attempts: VALUE,
            Entry.settled_at: VALUE,
        }
    ).where(Entry.seq == VALUE)
)


def clear(database: LedgerDatabase, proofs: Sequence[Proof]) -> None:
    """Write down proofs and the intent to delete.

    Raises:
        IntegrityError: a proof does not fit its entry, or the entry is settled;
            then nothing may be deleted.
    """
    moved: Counter[tuple[int, str]] = Counter()
    latest: dict[int, datetime] = {}
    for portion in portions(proofs):
        seqs = [proof.seq for proof in portion]
        rows = {row["seq"]: row for row in database.named(_provable(len(seqs)), seqs)}
        refuse_missing(seqs, rows)
        for proof in portion:
            row = rows[proof.seq]
            _refuse_other(proof, row)
            moved[row["folder_id"], row["state"]] -= 1
            moved[row["folder_id"], CLEARED] += 1
            row["state"] = CLEARED
            row["clear_attempts"] += 1
            latest[row["folder_id"]] = max(
                proof.proven_at, latest.get(row["folder_id"], proof.proven_at)
            )
        database.insert(models.Proof, map(_proof_row, portion))
        database.insert(Deletion, (_deletion_row(each, rows[each.seq]) for each in portion))
        database.each(_CLEAR, (_cleared(each, rows[each.seq]) for each in portion))
    count_states(database, moved)
    note_proofs(database, latest)


@lru_cache(maxsize=512)
def _provable(count: int) -> str:
    """Return the SQL for what a proof of each of ``count`` numbers must name."""
    return written(
        Entry.select(
            *(Entry.seq, Entry.folder, Entry.state, Entry.clear_attempts),
            *(Receipt.uidvalidity, Receipt.uid, Receipt.digest, Receipt.size_bytes),
            *(Folder.mailbox, Folder.folder),
        )
        .join(Receipt, on=(Receipt.seq == Entry.seq))
        .join(Folder, on=(Folder.id == Receipt.folder))
        .where(Entry.seq.in_(values(count)))
    )


def _refuse_other(proof: Proof, row: Row) -> None:
    mailbox = mailbox_of(row["mailbox"], row["folder"])
    expected = (mailbox, row["uidvalidity"], row["uid"], row["digest"], row["size_bytes"])
    ref = proof.ref
    if expected != (ref.mailbox, ref.uidvalidity, ref.uid, proof.digest.hex, proof.size_bytes):
        raise broken("a proof names another message than its entry", proof.seq)
    if row["state"] in SETTLED:
        raise broken(f"a proof names a message that is {row['state']}", proof.seq)


def _proof_row(proof: Proof) -> dict[str, object]:
    return {
        "seq": proof.seq,
        "digest": proof.digest.hex,
        "size_bytes": proof.size_bytes,
        "proven_at": encode_instant(proof.proven_at),
    }


def _deletion_row(proof: Proof, row: Row) -> dict[str, object]:
    cleared_at = encode_instant(proof.proven_at)
    return {"seq": proof.seq, "cleared_at": cleared_at, "attempt": row["clear_attempts"]}


def _cleared(proof: Proof, row: Row) -> tuple[object, ...]:
    cleared_at = encode_instant(proof.proven_at)
    return (CLEARED, cleared_at, row["clear_attempts"], 0, proof.seq)


def settle(database: LedgerDatabase, settlements: Sequence[Settlement]) -> None:
    """Write down what became of messages in the mailbox; the last word on an entry counts.

    Raises:
        IntegrityError: an entry is not there, or a state is none that settles.
    """
    moved: Counter[tuple[int, str]] = Counter()
    latest: dict[int, datetime] = {}
    settled: dict[tuple[int, int], list[int]] = defaultdict(list)
    for portion in portions(settlements):
        seqs = [each.seq for each in portion]
        rows = {row["seq"]: row for row in database.named(standings(len(seqs)), seqs)}
        refuse_missing(seqs, rows)
        changes = []
        for each in portion:
            row, state = rows[each.seq], each.state.value
            if state not in SETTLED:
                raise broken(f"{state} is no settlement", each.seq)
            moved[row["folder_id"], row["state"]] -= 1
            moved[row["folder_id"], state] += 1
            row["state"] = state
            settled[row["folder_id"], row["uidvalidity"]].append(row["uid"])
            if each.cleared_at is not None:
                row["clear_attempts"] = max(row["clear_attempts"], 1)  # 0 after a rebuild
                latest[row["folder_id"]] = max(
                    each.cleared_at, latest.get(row["folder_id"], each.cleared_at)
                )
            changes.append(_settled(each, row))
        database.each(_SETTLE, changes)
    forget_pending(database, settled)
    count_states(database, moved)
    note_proofs(database, latest)


def _settled(settlement: Settlement, row: Row) -> tuple[object, ...]:
    cleared_at = encode_optional(settlement.cleared_at)
    settled_at = encode_instant(settlement.settled_at)
    return (row["state"], cleared_at, row["clear_attempts"], settled_at, settlement.seq)


def deletion(database: LedgerDatabase, entry: LedgerEntry) -> DeletionReceipt:
    """Return how a message left the mailbox, as far as it did."""
    by_seq = [entry.seq]
    ((settled_at,),) = database.tuples("SELECT settled_at FROM entries WHERE seq = ?", by_seq)
    asked = database.named("SELECT cleared_at FROM deletions WHERE seq = ? ORDER BY id", by_seq)
    proofs = database.named("SELECT * FROM proofs WHERE seq = ? ORDER BY id", by_seq)
    asked_at = [decode_instant(row["cleared_at"]) for row in asked]
    if not asked and entry.cleared_at is not None:
        asked_at = [entry.cleared_at]  # a ledger made anew knows the last one
    by, evidence = _HOW_GONE.get(entry.state, ("", ""))
    return DeletionReceipt(
        by=by,
        asked_at=tuple(asked_at),
        proofs=tuple(
            ProofRow(Digest(row["digest"]), row["size_bytes"], decode_instant(row["proven_at"]))
            for row in proofs
        ),
        gone_at=decode_optional(settled_at),
        evidence=evidence,
    )
