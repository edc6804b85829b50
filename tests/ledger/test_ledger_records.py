"""Reading the ledger: windows, filters, bounded memory."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from datetime import timedelta

import pytest
from ledger_samples import INBOX, NOW, OTHER, REPORT, commit, pending_of, proof_of, with_envelope

from collector.domain.custody import State
from collector.domain.journal import Kind, Recipient, RecipientKind, Unwrapped
from collector.ledger.ledger import Ledger
from collector.ledger.query import Filter

DAY = timedelta(days=1)


def seqs(ledger: Ledger, **wanted) -> list[int]:
    """Return the numbers of what a filter selects; ``count`` must agree."""
    found = [record.entry.seq for record in ledger.records(Filter(**wanted))]
    assert ledger.count(Filter(**wanted)) == len(found)
    return found


@pytest.fixture
def mixed(ledger: Ledger) -> Ledger:
    """Four entries that differ in everything a filter asks for."""
    odd = with_envelope(
        sender="ÄRGER_100%@example.net", subject="Straße\x00", message_id="<2@x>", recipients=()
    )
    pending = [
        pending_of(1),
        pending_of(2, mailbox=OTHER, unwrapped=odd),
        pending_of(3, unwrapped=Unwrapped(Kind.UNRECOGNISED, reason="no report")),
        pending_of(4, unwrapped=replace(REPORT, kind=Kind.COPY)),
    ]
    early = replace(pending[1].receipt, internal_date=NOW - 2 * DAY)
    untold = replace(pending[2].receipt, internal_date=None, fetched_at=NOW + 2 * DAY)
    pending[1] = replace(pending[1], receipt=early)
    pending[2] = replace(pending[2], receipt=untold)
    ledger.commit(pending)
    ledger.clear([proof_of(list(ledger.entries())[3])])
    return ledger


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({}, [1, 2, 3, 4]),
        ({"mailbox": "journal"}, [1, 2, 3, 4]),
        ({"mailbox": "other"}, []),
        ({"folder": OTHER.folder}, [2]),
        ({"seq_from": 2, "seq_to": 3}, [2, 3]),
        ({"seq_from": 10**30}, []),
        ({"seq_to": 10**30}, [1, 2, 3, 4]),
        ({"since": NOW - DAY}, [1, 3, 4]),
        ({"before": NOW - DAY}, [2]),
        ({"since": NOW + DAY, "before": NOW + 3 * DAY}, [3]),
        ({"sender": "anna@"}, [1, 4]),
        ({"sender": "ärger"}, [2]),
        ({"sender": "100%"}, [2]),
        ({"sender": "r_1"}, [2]),
        ({"sender": "r_0"}, []),
        ({"subject": "MÜLLER"}, [1, 4]),
        ({"subject": "STRASSE"}, [2]),
        ({"subject": "\x00"}, [2]),
        ({"recipient": "EVE@"}, [1, 4]),
        ({"recipient": "all@example.net"}, []),
        ({"recipient": "mallory"}, [1, 2, 4]),
        ({"message_id": "<2@x>"}, [2]),
        ({"message_id": "<2@"}, []),
        ({"digest": ""}, [1, 2, 3, 4]),
        ({"kind": Kind.UNRECOGNISED}, [3]),
        ({"state": State.CLEARED}, [4]),
        ({"quarantined": True}, [3]),
        ({"quarantined": False}, [1, 2, 4]),
        ({"limit": 2}, [1, 2]),
        ({"limit": 2, "sender": "anna"}, [1, 4]),
        ({"mailbox": "journal", "kind": Kind.COPY, "state": State.CLEARED}, [4]),
    ],
)
def test_a_filter_selects_what_it_says(mixed: Ledger, wanted, expected: list[int]) -> None:
    """Every condition alone and some together; all must hold."""
    assert seqs(mixed, **wanted) == expected


def test_a_digest_is_found_by_its_first_digits(mixed: Ledger) -> None:
    """As many digits as a person likes to type, in either case."""
    digest = mixed.record(2).entry.receipt.digest
    for length in (6, 16, 64):
        assert seqs(mixed, digest=digest.hex[:length]) == [2]
        assert seqs(mixed, digest=digest.hex[:length].upper()) == [2]
    assert seqs(mixed, digest="xyz") == []


def test_one_record_is_found_by_its_number(mixed: Ledger) -> None:
    """A number that is not there is no error."""
    record = mixed.record(1)
    assert (record.entry.ref.mailbox, record.unwrapped) == (INBOX, REPORT)
    assert mixed.record(5) is None
    assert mixed.record(10**30) is None


def test_reading_goes_on_over_windows_while_entries_arrive(ledger: Ledger) -> None:
    """Window borders lose and repeat nothing; what is committed meanwhile is seen."""
    commit(ledger, 1001)
    found = []
    for record in ledger.records():
        found.append(record.entry.seq)
        if record.entry.seq == 1:
            commit(ledger, 2)
    assert found == list(range(1, 1004))
    assert [entry.seq for entry in ledger.entries(500, 1002)] == list(range(500, 1003))
    assert seqs(ledger, limit=600) == list(range(1, 601))


def test_memory_does_not_grow_with_what_one_message_claims(ledger: Ledger) -> None:
    """Large reports are read a few at a time, not a window of 500 at once."""
    many = tuple(
        Recipient(f"person{number}@example.net", RecipientKind.TO) for number in range(10_000)
    )
    large = with_envelope(recipients=many, raw_lines=("x" * 3_000_000,))
    for seq in range(1, 13):
        ledger.commit([pending_of(seq, unwrapped=large)])
    tracemalloc.start()
    count = sum(len(record.unwrapped.envelope.recipients) for record in ledger.records())
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 120_000
    assert peak_bytes < 30 * 1024 * 1024
