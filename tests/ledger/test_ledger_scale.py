"""What a question costs does not grow with the archive.

Cost is counted in steps of SQLite's virtual machine, so the figures are exact
and the same on every machine.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from ledger_samples import (
    EPOCH,
    INBOX,
    NOW,
    commit,
    listing_of,
    pending_of,
    poll,
    proof_of,
)

from collector.domain.custody import Summary
from collector.domain.mailbox import MessageRef
from collector.ledger import accounting, entries, polls
from collector.ledger.ledger import Ledger
from collector.ledger.query import Filter
from collector.store.durable import sync_directory

SMALL, LARGE = 300, 6_000
OPEN = 20
"""Entries that are still in the mailbox, in either archive."""


def archive_of(directory: Path, count: int) -> Ledger:
    """Return a ledger of ``count`` expunged entries and ``OPEN`` that are still listed."""
    directory.mkdir()
    ledger = Ledger.open(directory / "ledger.db", create=True, sync_directory=sync_directory)
    for _ in range(0, count, 100):
        ledger.clear([proof_of(entry) for entry in commit(ledger, 100)])
        poll(ledger, listing_of([]))
    commit(ledger, OPEN)
    return ledger


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> list[Ledger]:
    """A small and a large archive with the same mailbox."""
    root = tmp_path_factory.mktemp("archives")
    ledgers = [archive_of(root / str(count), count) for count in (SMALL, LARGE)]
    yield ledgers
    for ledger in ledgers:
        ledger.close()


def steps(ledger: Ledger, ask: Callable[[], object]) -> int:
    """Return the steps SQLite takes for what is asked, in tens."""
    count = 0

    def step() -> int:
        nonlocal count
        count += 1
        return 0

    connection = ledger._database.connection()
    connection.set_progress_handler(step, 10)
    ask()
    connection.set_progress_handler(None, 0)
    return count


def refs_of(ledger: Ledger) -> list[MessageRef]:
    """Return the open references, and as many unknown ones."""
    last = ledger.last_seq()
    return [MessageRef(INBOX, EPOCH, 100 + last + place) for place in range(1 - OPEN, OPEN + 1)]


QUESTIONS: dict[str, Callable[[Ledger], object]] = {
    "last_seq": lambda ledger: ledger.last_seq(),
    "last_blob": lambda ledger: ledger.last_blob(),
    "find_digests": lambda ledger: ledger.find_digests(
        [pending_of(seq).receipt.digest for seq in (1, 50, 99_999)]
    ),
    "due": lambda ledger: ledger.due(refs_of(ledger), NOW),
    "held": lambda ledger: ledger.held(refs_of(ledger)),
    "unsettled, all listed": lambda ledger: ledger.unsettled(
        listing_of([ref.uid for ref in refs_of(ledger)], uidnext=99_999), NOW
    ),
    "observe": lambda ledger: ledger.observe(listing_of([], uidnext=99_999), NOW),
    "note_cycle": lambda ledger: ledger.note_cycle(INBOX, NOW, Summary()),
    "clear": lambda ledger: ledger.clear([proof_of(ledger.held(refs_of(ledger))[0])]),
    "horizon": lambda ledger: ledger.accounts.horizon(INBOX),
    "exposure": lambda ledger: ledger.accounts.exposure(NOW - timedelta(days=1), most=100),
    "mailbox_status": lambda ledger: ledger.mailbox_status(),
    "set_aside_count": lambda ledger: ledger.set_aside_count(),
    "record": lambda ledger: ledger.record(17),
    "record, the last": lambda ledger: ledger.record(ledger.last_seq()),
    "records, the last": lambda ledger: list(ledger.records(Filter(seq_from=ledger.last_seq()))),
    "records, one near the end": lambda ledger: list(
        ledger.records(Filter(seq_from=ledger.last_seq() - 50, seq_to=ledger.last_seq() - 50))
    ),
    "count, the last": lambda ledger: ledger.count(Filter(seq_from=ledger.last_seq())),
    "events": lambda ledger: ledger.events(since=NOW - timedelta(days=7)),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_question_costs_the_same_in_a_large_archive(
    archives: list[Ledger], question: str
) -> None:
    """Twenty times the entries, the same steps."""
    small, large = archives
    ask = QUESTIONS[question]
    few = steps(small, lambda: ask(small))
    many = steps(large, lambda: ask(large))
    assert many <= few + 5


def test_a_commit_costs_the_same_in_a_large_archive(archives: list[Ledger]) -> None:
    """But for the height of the tree: its right edge is read, a node for each level."""
    few, many = (
        min(steps(each, lambda each=each: commit(each, 1)) for _ in range(4)) for each in archives
    )
    assert many <= 1.5 * few


def test_a_growing_question_is_seen(archives: list[Ledger]) -> None:
    """The measure itself works: what reads every entry costs more in a large archive."""
    small, large = archives
    few = steps(small, lambda: list(small.entries()))
    assert steps(large, lambda: list(large.entries())) > 5 * few


@pytest.mark.parametrize(
    ("sql", "values_count", "index"),
    [
        (polls.OPEN_ENTRIES, 1, "COVERING INDEX entries_open"),
        (accounting.OPEN_UIDS, 2, "COVERING INDEX entries_open"),
        (polls._open_uids(3), 5, "COVERING INDEX entries_open"),
        (entries._held(3), 5, "INDEX entries_open"),
        (entries._first_with_digest(3), 3, "COVERING INDEX entry_blob_digest"),
    ],
)
def test_queries_use_the_index_made_for_them(
    archives: list[Ledger], sql: str, values_count: int, index: str
) -> None:
    """What a poll compares lies in one small index; no table is read for it."""
    cursor = archives[1]._database.execute_sql(f"EXPLAIN QUERY PLAN {sql}", [1] * values_count)
    plan = [row[3] for row in cursor.fetchall()]
    assert any(index in line for line in plan)
    assert not any(line.startswith("SCAN") for line in plan)
