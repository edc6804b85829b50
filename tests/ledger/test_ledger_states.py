"""Commit, clear and settle: all or nothing, and never back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from ledger_samples import (
    EPOCH,
    INBOX,
    MINUTE,
    NOW,
    OTHER,
    REPORT,
    commit,
    listing_of,
    pending_of,
    poll,
    proof_of,
    settlement_of,
    states_of,
    tamper,
)

from collector.domain.blob import Digest
from collector.domain.custody import LedgerEntry, Settlement, State
from collector.domain.errors import CycleError, IntegrityError
from collector.domain.mailbox import MessageRef
from collector.ledger.encoding import entry_leaf
from collector.ledger.ledger import Ledger
from collector.ledger.rows import Recorded
from collector.store.durable import sync_directory


def test_what_is_committed_is_read_back_as_it_was(ledger: Ledger) -> None:
    """Entry, receipt, envelope, recipients, originals and flags all come back equal."""
    pending = [pending_of(1), pending_of(2, mailbox=OTHER), pending_of(3, duplicate_of=1)]
    pending[2] = replace(pending[2], blob=pending[0].blob)
    pending[2] = replace(
        pending[2],
        receipt=replace(
            pending[2].receipt,
            digest=pending[0].receipt.digest,
            size_bytes=pending[0].receipt.size_bytes,
            internal_date=None,
            fetch_flags=(),
        ),
    )
    committed = ledger.commit(pending)
    expected = [LedgerEntry(each.receipt, each.blob, State.COMMITTED) for each in pending]
    assert committed == expected
    assert list(ledger.entries()) == expected
    assert ledger.reread([3, 1]) == [
        Recorded(entry_leaf(each.receipt), each.blob) for each in (expected[2], expected[0])
    ]
    assert [each.unwrapped for each in ledger.records()] == [REPORT] * 3
    assert [each.entry for each in ledger.records()] == expected


def test_an_empty_batch_commits_nothing(ledger: Ledger) -> None:
    """The first entry is still number one afterwards."""
    assert ledger.commit([]) == []
    assert (ledger.last_seq(), ledger.last_blob()) == (0, None)


@pytest.mark.parametrize("seqs", [[2], [1, 3], [1, 1], [2, 1], [0]])
def test_numbers_without_a_gap_or_nothing(ledger: Ledger, seqs: list[int]) -> None:
    """A batch that does not continue the numbers is refused whole."""
    with pytest.raises(IntegrityError, match="should come next"):
        ledger.commit([pending_of(seq) for seq in seqs])
    assert (ledger.last_seq(), list(ledger.entries())) == (0, [])
    assert ledger.mailbox_status() == []


def test_a_receipt_and_a_place_of_other_bytes_are_refused(ledger: Ledger) -> None:
    """The ledger never names bytes under a digest they do not have."""
    blob = replace(pending_of(1).blob, digest=Digest.of(b"other"))
    with pytest.raises(IntegrityError, match="name different bytes"):
        ledger.commit([replace(pending_of(1), blob=blob)])
    assert ledger.last_seq() == 0


def test_a_number_no_database_holds_stops_the_cycle_only(ledger: Ledger) -> None:
    """A server may say anything; an impossible UID is no crash and no damage."""
    with pytest.raises(CycleError, match="a number is larger"):
        commit(ledger, 1, uid=2**64)
    commit(ledger, 1)
    for impossible in (MessageRef(INBOX, 2**64, 1), MessageRef(INBOX, EPOCH, 2**64)):
        with pytest.raises(CycleError, match="a number is larger"):
            ledger.due([impossible], NOW)


def test_bytes_are_found_by_digest_at_their_first_copy(ledger: Ledger) -> None:
    """A later copy names the first one; what the archive does not hold is not there."""
    first, second = pending_of(1), pending_of(2)
    copy = pending_of(3, raw=b"message 1", duplicate_of=1)
    ledger.commit([first, second, copy])
    one, two = first.receipt.digest, second.receipt.digest
    absent = Digest.of(b"never seen")
    assert ledger.find_digest(one) == (1, first.blob)
    assert ledger.find_digest(absent) is None
    assert ledger.find_digests([absent, two, one]) == {two: (2, second.blob), one: (1, first.blob)}
    assert ledger.find_digests([]) == {}
    assert ledger.last_blob() == second.blob


def test_a_row_in_a_form_that_we_do_not_write_is_not_what_was_committed(
    ledger: Ledger, ledger_path: Path
) -> None:
    """The same instant, written otherwise: somebody else wrote it."""
    (entry,) = commit(ledger, 1)
    assert ledger.reread([1]) == [Recorded(entry_leaf(entry.receipt), entry.blob)]
    tamper(ledger_path, "UPDATE receipts SET fetched_at = replace(fetched_at, 'Z', '+00:00')")
    (recorded,) = ledger.reread([1])
    assert recorded.blob == entry.blob
    assert recorded.leaf != entry_leaf(entry.receipt)


def test_clearing_writes_proof_deletion_and_state(ledger: Ledger, ledger_path: Path) -> None:
    """The evidence and the intent are durable before the mailbox is touched."""
    entries = commit(ledger, 2)
    ledger.clear([proof_of(each, NOW) for each in entries])
    ledger.clear([proof_of(entries[0], NOW + MINUTE)])
    twice, once = ledger.entries()
    assert (once.state, once.cleared_at, once.clear_attempts) == (State.CLEARED, NOW, 1)
    assert (twice.cleared_at, twice.clear_attempts) == (NOW + MINUTE, 2)
    (status,) = ledger.mailbox_status()
    assert status.last_proof_at == NOW + MINUTE
    assert status.state_counts == (("cleared", 2),)


def test_two_proofs_of_one_entry_at_once_are_two_attempts(ledger: Ledger) -> None:
    """The entry is counted once in its new state, and not taken twice from the old one."""
    (entry, _) = commit(ledger, 2)
    ledger.clear([proof_of(entry, NOW), proof_of(entry, NOW + MINUTE)])
    (twice, _) = ledger.entries()
    assert (twice.cleared_at, twice.clear_attempts) == (NOW + MINUTE, 2)
    (status,) = ledger.mailbox_status()
    assert dict(status.state_counts) == {"committed": 1, "cleared": 1}


@pytest.mark.parametrize(
    "change",
    [
        {"digest": Digest.of(b"other")},
        {"size_bytes": 1},
        {"ref": MessageRef(INBOX, EPOCH, 999)},
        {"ref": MessageRef(INBOX, EPOCH + 1, 101)},
        {"ref": MessageRef(OTHER, EPOCH, 101)},
    ],
)
def test_a_proof_of_another_message_clears_nothing(ledger: Ledger, change) -> None:
    """One proof that does not fit its entry, and none of its batch is written."""
    entries = commit(ledger, 2)
    with pytest.raises(IntegrityError, match="another message"):
        ledger.clear([proof_of(entries[1]), replace(proof_of(entries[0]), **change)])
    assert states_of(ledger) == [State.COMMITTED] * 2


def test_a_proof_without_an_entry_clears_nothing(ledger: Ledger) -> None:
    """An entry that is gone from the ledger is an alarm, not a deletion."""
    (entry,) = commit(ledger, 1)
    with pytest.raises(IntegrityError, match="no longer in the ledger"):
        ledger.clear([proof_of(entry), replace(proof_of(entry), seq=2)])
    with pytest.raises(IntegrityError, match="no longer in the ledger"):
        ledger.reread([1, 2])
    assert states_of(ledger) == [State.COMMITTED]


@pytest.mark.parametrize("state", [State.EXPUNGED, State.VANISHED, State.SUPERSEDED])
def test_a_settled_entry_is_never_cleared(ledger: Ledger, state: State) -> None:
    """Its UID may name another message by now, so no proof of it may delete."""
    (entry,) = commit(ledger, 1)
    ledger.settle([settlement_of(entry, state)])
    with pytest.raises(IntegrityError, match=f"a message that is {state.value}"):
        ledger.clear([proof_of(entry)])


def test_settling_twice_is_settling_once(ledger: Ledger) -> None:
    """Recovery and rebuild repeat settlements; counts and rows stay right."""
    entries = commit(ledger, 2)
    settlements = [settlement_of(each) for each in entries]
    for _ in range(2):
        ledger.settle([*settlements, settlements[0]])
        assert [(each.state, each.clear_attempts) for each in ledger.entries()] == [
            (State.EXPUNGED, 1)
        ] * 2
        (status,) = ledger.mailbox_status()
        assert status.state_counts == (("expunged", 2),)
        assert status.last_proof_at == NOW


def test_the_last_word_on_an_entry_counts(ledger: Ledger) -> None:
    """A rebuild that reads an older settlement before the newer one ends as the ledger did."""
    (entry,) = commit(ledger, 1)
    ledger.settle([settlement_of(entry, State.VANISHED)])
    ledger.settle([settlement_of(entry, State.EXPUNGED)])
    assert states_of(ledger) == [State.EXPUNGED]


def test_a_settlement_without_an_entry_or_a_final_state_is_refused(ledger: Ledger) -> None:
    """What a damaged segment says is not taken over."""
    (entry,) = commit(ledger, 1)
    with pytest.raises(IntegrityError, match="no longer in the ledger"):
        ledger.settle([settlement_of(entry), replace(settlement_of(entry), seq=9)])
    with pytest.raises(IntegrityError, match="is no settlement"):
        ledger.settle([Settlement(1, State.CLEARED, NOW, NOW)])
    assert states_of(ledger) == [State.COMMITTED]


def test_many_are_cleared_and_settled_in_portions(ledger: Ledger) -> None:
    """More than fit into one query go through whole."""
    entries = commit(ledger, 1100)
    ledger.clear([proof_of(each) for each in entries])
    assert len(poll(ledger, listing_of([]))) == 1100
    assert set(states_of(ledger)) == {State.EXPUNGED}
    (status,) = ledger.mailbox_status()
    assert status.state_counts == (("expunged", 1100),)


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE receipts SET digest = 'x'",
        "UPDATE receipts SET fetched_at = 'yesterday'",
        "UPDATE receipts SET fetch_flags = '{'",
        "UPDATE entries SET state = 'lost'",
        "UPDATE entries SET blob_digest = 'x'",
        "UPDATE envelopes SET kind = 'x'",
        "UPDATE envelopes SET raw_lines = ']'",
        "UPDATE recipients SET kind = 'x'",
        "UPDATE recipients SET via = '[1]'",
        "UPDATE originals SET role = 'x'",
    ],
)
def test_a_row_that_was_changed_is_named(ledger_path: Path, sql: str) -> None:
    """A row nobody could have written is an integrity error with the entry's number."""
    ledger = Ledger.open(ledger_path, create=True, sync_directory=sync_directory)
    commit(ledger, 2)
    tamper(ledger_path, f"{sql} WHERE seq = 2")
    with pytest.raises(IntegrityError, match="seq 2"):
        list(ledger.records())
    ledger.close()


def test_a_salvaged_ledger_may_have_gaps_but_never_goes_back(ledger_path: Path) -> None:
    """What was lost with its segment stays missing, and the consistency check says so."""
    ledger = Ledger.open(ledger_path, create=True, sync_directory=sync_directory)
    ledger.commit([pending_of(2), pending_of(5)], gaps=True)
    with pytest.raises(IntegrityError, match="entry 6 should come next: seq 5"):
        ledger.commit([pending_of(5)], gaps=True)
    with pytest.raises(IntegrityError, match="entry 6 should come next: seq 7"):
        ledger.commit([pending_of(7)])
    assert [entry.seq for entry in ledger.entries()] == [2, 5]
    (problem,) = ledger.check_consistency()
    assert "the last entry is 5, but there are 2" in problem
    ledger.close()
