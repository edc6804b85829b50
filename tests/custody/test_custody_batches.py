"""What has arrived is cut into commits, as it arrives."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest
from played_mailbox import ARRIVED, MAILBOX

from collector.custody.indexing import index
from collector.custody.intake import Promised
from collector.custody.policy import batches
from collector.domain.blob import RawBytes
from collector.domain.custody import Policy
from collector.domain.errors import CycleError, MessageError
from collector.domain.journal import UNCONFIGURED
from collector.domain.mailbox import Announced, Fetched, MessageRef, Unfetched

POLICY = Policy(batch_messages_max=3, batch_bytes_max=100)


def promised(uid: int, size_bytes: int) -> Promised:
    """Return a message of that size; it was announced with another."""
    announced = Announced(MessageRef(MAILBOX, 1, uid), 1, ARRIVED)
    raw = RawBytes(bytes(size_bytes))
    return Promised(Fetched(announced, raw), ARRIVED, partial(index, raw, UNCONFIGURED))


def unfetched(uid: int) -> Unfetched:
    """Return a message that was not handed over."""
    announced = Announced(MessageRef(MAILBOX, 1, uid), 10_000, ARRIVED)
    return Unfetched(announced, MessageError("handed over as NIL"))


def uids(answers) -> list[list[int]]:
    """Return the UIDs of each batch: those that arrived, then the others."""
    return [
        [
            *(each.fetched.announced.ref.uid for each in batch.promised),
            *(-each.announced.ref.uid for each in batch.unfetched),
        ]
        for batch in batches(answers, POLICY)
    ]


def test_a_batch_has_so_many_messages_and_bytes() -> None:
    """By what arrived, not by what was announced; the order stays."""
    sizes = [40, 60, 1, 1, 1, 1, 99, 1, 100]
    answers = [promised(uid, size_bytes) for uid, size_bytes in enumerate(sizes, 1)]
    assert uids(answers) == [[1, 2], [3, 4, 5], [6, 7], [8], [9]]


def test_a_large_message_has_a_batch_of_its_own() -> None:
    """Whatever is before and behind it."""
    assert uids([promised(1, 5), promised(2, 1000), promised(3, 5)]) == [[1], [2], [3]]


def test_what_was_not_handed_over_is_told_with_its_neighbours() -> None:
    """It takes no room; alone, it still is told."""
    answers = [promised(1, 50), unfetched(2), promised(3, 50), promised(4, 50), unfetched(5)]
    assert uids(answers) == [[1, 3, -2], [4, -5]]
    assert uids([unfetched(1), unfetched(2)]) == [[-1, -2]]
    assert uids([]) == []


def test_a_batch_is_passed_on_when_the_next_message_is_there() -> None:
    """Not when all have arrived."""
    taken = []

    def answers() -> Iterator[Promised]:
        for uid in range(1, 10):
            taken.append(uid)
            yield promised(uid, 50)

    next(batches(answers(), POLICY))
    assert taken == [1, 2, 3]


def test_what_has_arrived_comes_before_the_error() -> None:
    """A connection that is lost for good costs nothing that was handed over.

    What it was lost for is not set aside: it may have been lost for any message.
    """

    def answers() -> Iterator[Promised | Unfetched]:
        yield from (promised(1, 60), promised(2, 60), promised(3, 10), unfetched(4))
        raise CycleError("the connection was closed")

    found = batches(answers(), POLICY)
    assert [each.fetched.announced.ref.uid for each in next(found).promised] == [1]
    last = next(found)
    assert [each.fetched.announced.ref.uid for each in last.promised] == [2, 3]
    assert last.unfetched == []
    with pytest.raises(CycleError, match="closed"):
        next(found)
