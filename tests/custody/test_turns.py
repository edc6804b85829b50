"""Whose turn it is to write: one batch is stored while the one before it is committed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from itertools import count
from pathlib import Path
from threading import Event

import pytest
from rooms import NOW, arrived, opened

from collector.custody.intake import Intake
from collector.domain.custody import LedgerEntry, PendingEntry
from collector.domain.errors import CycleError

ENOUGH_S = 30
"""For what happens at once; only a failure waits so long."""
A_WHILE_S = 0.2
"""For what must not happen yet."""
UIDS = count(1)


@pytest.fixture
def intake(scratch: Path) -> Iterator[Intake]:
    """The door to an archive that is made here."""
    with opened(scratch / "archive") as intake:
        yield intake


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    """Threads beside that of the test."""
    with ThreadPoolExecutor(2) as pool:
        yield pool


class Slow:
    """A batch that is stored, and not committed before it is told to be."""

    def __init__(self, pool: ThreadPoolExecutor, intake: Intake, *raws: bytes) -> None:
        self._intake, self._raws = intake, raws
        self._stored, self._go_on = Event(), Event()
        self._error: Exception | None = None
        self._entries: Future[list[LedgerEntry]] = pool.submit(self._take)
        assert self._stored.wait(ENOUGH_S)

    def _take(self) -> list[LedgerEntry]:
        with self._intake.batch() as let_the_next_store:
            pending = store(self._intake, *self._raws)
            let_the_next_store()
            self._stored.set()
            assert self._go_on.wait(ENOUGH_S), "the next one was not stored meanwhile"
            if self._error is not None:
                raise self._error
            return self._intake.commit(pending)

    def end(self, error: Exception | None = None) -> None:
        """Let it be committed, or fail."""
        self._error = error
        self._go_on.set()

    def entries(self) -> list[LedgerEntry]:
        """Return what was committed; raise what it failed with."""
        return self._entries.result(ENOUGH_S)


def store(intake: Intake, *raws: bytes) -> list[PendingEntry]:
    """Store messages; each is another one in the mailbox."""
    return intake.store([arrived(next(UIDS), raw) for raw in raws], NOW)


def take(intake: Intake, *raws: bytes) -> list[LedgerEntry]:
    """Store and commit a batch, as a cycle does."""
    with intake.batch() as let_the_next_store:
        pending = store(intake, *raws)
        let_the_next_store()
        return intake.commit(pending)


def take_behind(
    slow: Slow, error: Exception | None, intake: Intake, *raws: bytes
) -> list[LedgerEntry]:
    """Store a batch, let the one before it come to its end, and commit it."""
    with intake.batch() as let_the_next_store:
        pending = store(intake, *raws)
        slow.end(error)
        let_the_next_store()
        return intake.commit(pending)


def seqs(entries: Sequence[LedgerEntry]) -> list[int]:
    """Return their numbers."""
    return [each.seq for each in entries]


def test_a_batch_is_stored_while_the_one_before_is_committed(
    intake: Intake, pool: ThreadPoolExecutor
) -> None:
    """Numbers go on, and bytes that are not committed yet are a first copy already."""
    slow = Slow(pool, intake, b"A: 1\r\n\r\n", b"A: 2\r\n\r\n")
    second = take_behind(slow, None, intake, b"A: 3\r\n\r\n", b"A: 1\r\n\r\n")
    first = slow.entries()
    assert (seqs(first), seqs(second)) == ([1, 2], [3, 4])
    assert (second[1].receipt.duplicate_of, second[1].blob) == (1, first[0].blob)
    assert seqs(take(intake, b"A: 3\r\n\r\n")) == [5]
    assert [each.receipt.duplicate_of for each in intake.ledger.entries()][2:] == [None, 1, 3]


def test_what_was_stored_first_is_committed_first(intake: Intake, pool: ThreadPoolExecutor) -> None:
    """The second batch waits, and nobody else is let in meanwhile."""
    slow = Slow(pool, intake, b"A: 1\r\n\r\n")
    second = pool.submit(take, intake, b"A: 2\r\n\r\n")
    assert not wait([second], A_WHILE_S).done
    slow.end()
    assert seqs(slow.entries()) == [1]
    assert seqs(second.result(ENOUGH_S)) == [2]


def test_who_enters_alone_waits_for_both(intake: Intake, pool: ThreadPoolExecutor) -> None:
    """Settlements, events and sealing find segments and ledger level."""

    def alone() -> int:
        with intake.turn():
            return intake.ledger.last_seq()

    slow = Slow(pool, intake, b"A: 1\r\n\r\n")
    seen = pool.submit(alone)
    assert not wait([seen], A_WHILE_S).done
    slow.end()
    assert seen.result(ENOUGH_S) == 1


def test_nothing_is_committed_behind_what_was_not(intake: Intake, pool: ThreadPoolExecutor) -> None:
    """The batch behind one that failed fails too; the next turn takes both into the ledger."""
    slow = Slow(pool, intake, b"A: 1\r\n\r\n", b"A: 2\r\n\r\n")
    with pytest.raises(CycleError, match="the one stored before it was not"):
        take_behind(slow, CycleError("not now"), intake, b"A: 1\r\n\r\n", b"A: 3\r\n\r\n")
    with pytest.raises(CycleError, match="not now"):
        slow.entries()
    assert intake.ledger.last_seq() == 0
    assert seqs(take(intake, b"A: 3\r\n\r\n")) == [5]
    entries = list(intake.ledger.entries())
    assert seqs(entries) == [1, 2, 3, 4, 5]
    assert [each.receipt.duplicate_of for each in entries] == [None, None, 1, None, 4]


def test_a_batch_that_cannot_be_stored_does_not_hold_up_the_one_before(
    intake: Intake, pool: ThreadPoolExecutor
) -> None:
    """It is committed all the same, and the numbers go on behind it."""
    slow = Slow(pool, intake, b"A: 1\r\n\r\n")
    with pytest.raises(CycleError, match="full"), intake.batch():
        raise CycleError("the disk is full")
    third = pool.submit(take, intake, b"A: 2\r\n\r\n")
    assert not wait([third], A_WHILE_S).done
    slow.end()
    assert seqs(slow.entries()) == [1]
    assert seqs(third.result(ENOUGH_S)) == [2]
