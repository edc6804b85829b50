"""Several mailboxes at once: order, stopping, and what one's failure does to the others."""

from __future__ import annotations

import re
import signal
import threading
import time
from dataclasses import replace

import pytest
from collector_program import Collector
from played_imap import PlayedImap, spread
from sample_mail import mixed

from collector.custody.watch import Watch
from collector.domain.errors import CycleError, IntegrityError
from collector.service.side_by_side import AT_ONCE_MAX, side_by_side

PATIENCE_S = 30.0


def test_results_stand_in_the_order_of_the_items() -> None:
    """The last to end was the first to begin; there are more than run at once."""
    items = [0.2, 0.0, 0.1, *[0.0] * AT_ONCE_MAX]

    def action(pause_s: float, _watch: Watch) -> tuple[float, str]:
        time.sleep(pause_s)
        return pause_s, threading.current_thread().name

    results = side_by_side(action, items, Watch())
    assert [pause_s for pause_s, _ in results] == items
    assert 1 < len({name for _, name in results}) <= AT_ONCE_MAX


def test_one_item_needs_no_thread() -> None:
    """It runs where it is asked for, under the very watch that was handed in."""
    watch = Watch()
    (ran,) = side_by_side(lambda _, given: (threading.current_thread(), given), ["one"], watch)
    assert ran == (threading.main_thread(), watch)


def test_a_failure_stops_the_others_and_goes_up_when_they_have_ended() -> None:
    """An IntegrityError comes before what else is raised, whoever was first."""
    ended = []
    begun = threading.Barrier(2)

    def action(item: str, watch: Watch) -> None:
        begun.wait(PATIENCE_S)
        if item == "broken":
            raise IntegrityError("a segment is damaged")
        while not watch.stop():
            time.sleep(0.01)
        ended.append(item)
        raise CycleError("it was stopped")

    with pytest.raises(IntegrityError, match="damaged"):
        side_by_side(action, ["fine", "broken"], Watch())
    assert ended == ["fine"]


def test_the_progress_of_all_is_told_as_one() -> None:
    """Sums, whichever mailbox advances; a second cycle of one replaces its first."""
    told = []
    watch = replace(Watch(), advanced=lambda done, total: told.append((done, total)))
    turn = threading.Barrier(2)

    def action(item: int, watch: Watch) -> None:
        if item == 1:
            turn.wait(PATIENCE_S)
        watch.advanced(item, 10 * item)
        if item == 2:
            watch.advanced(5, 20)
            turn.wait(PATIENCE_S)

    side_by_side(action, [1, 2], watch)
    assert told == [(2, 20), (5, 20), (6, 30)]


def paced(letter: bytes, pause_s: float, begun: threading.Barrier | None = None):
    """Return an answer to FETCH that waits before each message, first for all others."""

    def answer(command: str):
        if begun is not None:
            begun.wait(PATIENCE_S)
        for uid in spread(re.search(r"UID FETCH (\S+)", command)[1]):
            time.sleep(pause_s)
            yield b"* %d FETCH (UID %d RFC822.SIZE 100 BODY[] {100}\r\n" % (uid, uid)
            yield b"%b%099d)\r\n" % (letter, uid)

    return answer


def played_tables(collector: Collector, *servers: PlayedImap) -> list[str]:
    """Return the tables of mailboxes on played servers, named by their place."""
    tables = []
    for place, server in enumerate(servers):
        user = replace(server.user(), password="secret")
        table = collector.mailbox(user, name=f"box{place}", security="plain", ca_file="")
        tables.append(table.replace('ca_file = ""\n', ""))
    return tables


def test_mailboxes_are_collected_at_the_same_time(collector: Collector) -> None:
    """Neither server hands anything over before the other was asked, too."""
    both = threading.Barrier(2)
    answers = [{"UID FETCH .*BODY": paced(each, 0.0, both)} for each in (b"a", b"b")]
    with (
        PlayedImap(answers[0], uids=range(1, 4)) as one,
        PlayedImap(answers[1], uids=range(1, 4)) as other,
    ):
        tables = played_tables(collector, one, other)
        collector.configure(*(f"{table}\ndelete = false" for table in tables))
        done = collector.run("collect", "--json")
    assert done.json()["collected"] == 6
    records = collector.run("list", "--json").lines()
    assert sorted(each["mailbox"] for each in records) == ["box0"] * 3 + ["box1"] * 3
    assert collector.run("verify").code == 0


def test_a_signal_ends_all_of_them_at_their_next_message(collector: Collector) -> None:
    """SIGTERM: what has arrived is committed, the rest stays; exit code 1."""
    answers = [{"UID FETCH .*BODY": paced(each, 0.05)} for each in (b"a", b"b")]
    with (
        PlayedImap(answers[0], uids=range(1, 201)) as one,
        PlayedImap(answers[1], uids=range(1, 201)) as other,
    ):
        collector.configure(*played_tables(collector, one, other))
        process = collector.start("collect", "--json")
        while not all(any("BODY" in each for each in box.commands) for box in (one, other)):
            assert process.process.poll() is None
            time.sleep(0.05)
        time.sleep(0.5)
        began_s = time.monotonic()
        done = process.end(signal.SIGTERM)
    assert time.monotonic() - began_s < 5
    assert done.code == 1
    records = collector.run("list", "--json").lines()
    assert done.json()["collected"] == len(records)
    assert {each["mailbox"] for each in records} == {"box0", "box1"}
    assert len(records) < 400


@pytest.mark.dovecot
def test_one_that_cannot_be_reached_does_not_keep_the_others(collector, dovecot) -> None:
    """Its error is told once, in the order of the configuration; the others are emptied."""
    users = [dovecot.new_user() for _ in range(3)]
    for user in users:
        user.append_many(mixed(4))
    tables = [
        collector.mailbox(users[0], name="zero"),
        collector.mailbox(users[1], name="one", port=1),
        collector.mailbox(users[2], name="two", folders=["INBOX", "Missing"]),
    ]
    collector.configure(*tables)
    done = collector.run("collect", "--json")
    assert (done.code, done.json()["collected"]) == (1, 8)
    assert users[0].messages() == users[2].messages() == {}
    assert len(users[1].messages()) == 4
    problems = [line for line in done.err.splitlines() if line.startswith("collector: ")]
    assert [re.search("one|two", each)[0] for each in problems] == ["one", "two"]


@pytest.mark.dovecot
def test_a_damaged_archive_stops_all_of_them(collector, dovecot) -> None:
    """What one mailbox's duplicate needs cannot be proven: exit 3, and nobody deletes."""
    users = [dovecot.new_user() for _ in range(2)]
    for user in users:
        user.append_many(mixed(4))
    tables = [collector.mailbox(user, name=f"box{n}") for n, user in enumerate(users)]
    collector.configure(*(f"{table}\ndelete = false" for table in tables))
    assert collector.run("collect").code == 0
    segment = collector.archive / "segments" / "000001.tar.zst"
    raw = bytearray(segment.read_bytes())
    for place in range(200, len(raw), 400):
        raw[place] ^= 0xFF
    segment.write_bytes(raw)
    collector.configure(*tables)
    assert collector.run("collect").code == 3
    assert [len(user.messages()) for user in users] == [4, 4]
