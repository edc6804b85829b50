"""Messages are indexed beside this process as they would be here, whatever becomes of it."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from queue import SimpleQueue

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_mail import plain, report

from collector.custody import indexing
from collector.custody.indexing import PORTION_BYTES_MIN, SLOT_BYTES, Indexing, index
from collector.domain.blob import RawBytes
from collector.domain.journal import UNCONFIGURED, JournalFormat, JournalProfile

COPIES = JournalProfile(format=JournalFormat.COPY, addresses=("archive@example.org",))
PROFILES = (UNCONFIGURED, COPIES)
SIZES_BYTES = (300, 5_000, 70_000, 300_000, SLOT_BYTES - 2_000, SLOT_BYTES + 2_000)


@pytest.fixture
def beside() -> Iterator[Indexing]:
    """Indexing with a process of its own."""
    with closing(Indexing.beside(PROFILES)) as made:
        assert made.worker_pid
        yield made


def messages(count: int, seed: int) -> list[RawBytes]:
    """Return reports, mail and rubbish of all sizes."""
    chance = random.Random(seed)
    raws = []
    for number in range(count):
        make = chance.choice((plain, report, lambda _, size: chance.randbytes(size)))
        raws.append(RawBytes(make(number, chance.choice(SIZES_BYTES))))
    return raws


def check(made: Indexing, raws: list[RawBytes], profile: JournalProfile) -> None:
    """What is promised for each is what would be found here."""
    taken = made.begin(profile)
    promises = [taken.add(raw) for raw in raws]
    assert [promise() for promise in promises] == [index(raw, profile) for raw in raws]


@given(st.integers(0, 40), st.integers(0, 999), st.sampled_from(PROFILES))
@settings(max_examples=25, deadline=None)
def test_what_is_promised_is_what_would_be_found_here(
    count: int, seed: int, profile: JournalProfile
) -> None:
    """Reports, mail and rubbish; larger than the shared memory, and many in one portion."""
    with closing(Indexing.beside(PROFILES)) as made:
        check(made, messages(count, seed), profile)
        assert made.worker_pid


def test_many_small_ones_are_never_waited_for_in_a_circle(beside: Indexing) -> None:
    """Requests and answers for thousands of messages are larger than the pipes between."""
    check(beside, [RawBytes(report(number, 200)) for number in range(3_000)], UNCONFIGURED)


def test_mailboxes_share_it(beside: Indexing) -> None:
    """Each thread gets what belongs to its messages, read by its own profile."""

    def work(seed: int) -> None:
        check(beside, messages(60, seed), PROFILES[seed % 2])

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(work, range(8))) == [None] * 8


def test_a_promise_can_be_kept_while_more_is_added(beside: Indexing) -> None:
    """The end of a batch need not be the end of what is handed over together."""
    taken = beside.begin(UNCONFIGURED)
    for raw in messages(80, 5):
        assert taken.add(raw)() == index(raw, UNCONFIGURED)


def test_what_is_being_handed_over_can_be_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """One thread hands over what another one wants already, however long it takes to."""
    monkeypatch.setattr(indexing, "_laid_out", _slowly_laid_out)
    raws = [RawBytes(plain(number, PORTION_BYTES_MIN // 3)) for number in range(150)]
    promises: SimpleQueue = SimpleQueue()
    with closing(Indexing.beside(PROFILES)) as made, ThreadPoolExecutor(1) as threads:
        taken = made.begin(UNCONFIGURED)
        monkeypatch.setattr(indexing, "index", _mistaken)  # it is not to be done twice
        kept = threads.submit(lambda: [promises.get()() for _ in raws])
        for raw in raws:
            promises.put(taken.add(raw))
        assert made.worker_pid
        assert kept.result() == [index(raw, UNCONFIGURED) for raw in raws]


def _slowly_laid_out(area, portion, laid_out=indexing._laid_out):
    time.sleep(0.003)
    return laid_out(area, portion)


@pytest.mark.parametrize("after", [0, 1, 7, 30, 59])
def test_when_it_is_killed_the_same_is_done_here(
    beside: Indexing, after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was handed over and not answered, and all that comes later; told once."""
    told = []
    monkeypatch.setattr(
        "collector.custody.worker.log.warning", lambda *words, **keys: told.append((words, keys))
    )
    raws = messages(60, after)
    taken = beside.begin(UNCONFIGURED)
    promises = []
    for number, raw in enumerate(raws):
        if number == after:
            os.kill(beside.worker_pid, signal.SIGKILL)
        promises.append(taken.add(raw))
    assert [promise() for promise in promises] == [index(raw, UNCONFIGURED) for raw in raws]
    assert beside.worker_pid is None
    assert [words for words, _ in told] == [("worker.lost",)]


def test_a_mistake_in_there_is_one_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer that ended the other process is looked for once more where it can be told."""
    monkeypatch.setattr(indexing, "index", _mistaken)
    with closing(Indexing.beside(PROFILES)) as made:
        promise = made.begin(UNCONFIGURED).add(RawBytes(plain(1)))
        with pytest.raises(ZeroDivisionError):
            promise()


def _mistaken(raw: RawBytes, _profile: JournalProfile) -> float:
    return raw.size_bytes / 0


def test_a_mailbox_it_does_not_know_is_read_here(beside: Indexing) -> None:
    """It knows those that were configured when it was made."""
    check(beside, messages(10, 4), JournalProfile(format=JournalFormat.ZIMBRA))


def test_one_that_does_not_answer_holds_nobody_up(
    beside: Indexing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a while it is ended, and the same is done here."""
    monkeypatch.setattr(indexing, "ANSWER_S_MAX", 0.2)
    os.kill(beside.worker_pid, signal.SIGSTOP)
    check(beside, messages(30, 6), UNCONFIGURED)
    assert beside.worker_pid is None


def test_without_another_process_everything_is_done_here() -> None:
    """As ``rebuild`` and the tests of a cycle do it."""
    check(Indexing(), messages(10, 3), UNCONFIGURED)
