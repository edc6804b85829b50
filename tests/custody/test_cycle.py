"""What a cycle does with mail, with a difficult server, and with its own history."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from threading import Event

import pytest
import structlog
from played_mailbox import MAILBOX, Fault, PlayedMailbox, Server
from world import House, World

from collector.custody.cycle import run_cycle
from collector.custody.rereading import Rereading
from collector.custody.watch import Watch
from collector.domain.blob import Digest
from collector.domain.custody import Policy, State
from collector.domain.errors import CycleError, IntegrityError
from collector.domain.mailbox import Removal
from collector.ledger.ledger import Ledger
from collector.store.durable import sync_directory


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A mailbox and an archive that does not exist yet."""
    world = World(tmp_path / "archive")
    yield world
    world.restart()


def test_a_message_is_archived_proven_and_gone(world: World) -> None:
    """One cycle takes a message in and deletes it; the next one settles it."""
    world.deliver(b"A: 1\r\n\r\nx\r\n")
    first = world.cycle()
    assert (first.collected, first.cleared, first.expunged) == (1, 1, 0)
    second = world.cycle()
    assert (second.collected, second.cleared, second.expunged) == (0, 0, 1)
    world.check_done()


def test_a_message_that_came_and_went_between_two_polls_is_a_gap(world: World) -> None:
    """Its UID is an event with a number, told once, and every other one is accounted for."""
    world.deliver(b"A: 1\r\n\r\n")
    world.cycle()
    world.deliver(b"A: 2\r\n\r\n", b"A: 3\r\n\r\n")
    world.server.stolen.append(world.server.messages.pop(2))
    world.run_to_the_end()
    ledger = Ledger.open(world.root / "ledger.db", create=False, sync_directory=sync_directory)
    with ledger.session():
        events = ledger.events(names=["mailbox.gap"])
    ledger.close()
    assert [(each.keys["uids"], each.keys["uids_count"]) for each in events] == [("2", 1)]


def test_a_poisoned_message_is_set_aside_and_the_rest_goes_on(world: World) -> None:
    """A message the server will not hand over stays; it is asked for again after a pause."""
    world.deliver(b"A: 1\r\n\r\n", b"A: 2\r\n\r\n", b"A: 3\r\n\r\n")
    world.server.poison.add(2)
    summary = world.cycle()
    assert (summary.collected, summary.set_aside) == (2, 1)
    assert sorted(world.server.messages) == [2]
    again = world.cycle()
    assert again.set_aside == 0, "not due yet"
    world.server.poison.clear()
    world.now += timedelta(minutes=2)
    assert world.cycle().collected == 1
    world.run_to_the_end()
    world.check_done()


def test_a_renumbered_mailbox_is_collected_anew_without_storing_twice(world: World) -> None:
    """After a change of UIDVALIDITY everything is taken again; equal bytes are stored once."""
    world.server.stubborn = True
    world.deliver(b"A: 1\r\n\r\n", b"A: 2\r\n\r\n")
    world.cycle()
    world.server.renumber()
    world.server.stubborn = False
    world.run_to_the_end()
    records = world.records()
    assert [each.entry.state for each in records] == [
        State.SUPERSEDED,
        State.SUPERSEDED,
        State.EXPUNGED,
        State.EXPUNGED,
    ]
    assert [each.entry.receipt.duplicate_of for each in records] == [None, None, 1, 2]
    assert records[0].entry.blob == records[2].entry.blob
    assert world.server.messages == {}


def test_a_restored_mailbox_never_loses_a_message_under_a_known_uid(world: World) -> None:
    """A UID handed out again under the same UIDVALIDITY is a new message, not the old one."""
    world.deliver(b"A: old\r\n\r\n")
    world.run_to_the_end()
    world.server.uidnext = 1
    world.deliver(b"A: new\r\n\r\n")
    world.run_to_the_end()
    assert [world.raw(each) for each in world.records()] == world.delivered
    assert world.server.messages == {}


def test_a_mailbox_that_keeps_its_messages_is_asked_again_after_a_pause(world: World) -> None:
    """A server that ignores the deletion does not make every cycle prove everything again."""
    world.server.stubborn = True
    world.deliver(b"A: 1\r\n\r\n")
    assert world.cycle().cleared == 1
    second = world.cycle()
    assert (second.cleared, second.refused) == (0, 1)
    world.now += timedelta(minutes=2)
    assert world.cycle().cleared == 1


def test_nothing_is_cleared_where_deletion_is_refused(world: World) -> None:
    """Without a safe way to delete, messages are archived and stay."""
    world.server.removal = Removal.REFUSED
    world.deliver(b"A: 1\r\n\r\n")
    summary = world.cycle()
    assert (summary.collected, summary.cleared, summary.refused) == (1, 0, 1)
    assert world.records()[0].entry.state is State.COMMITTED


def test_a_mailbox_that_lets_nothing_go_is_told_of_once(world: World) -> None:
    """However many windows and batches a cycle had."""
    world.server.removal = Removal.REFUSED
    world.policy = Policy(window_messages_max=2, batch_messages_max=1)
    world.deliver(*(b"A: %d\r\n\r\n" % number for number in range(5)))
    with structlog.testing.capture_logs() as lines:
        world.cycle()
    told = [each for each in lines if each["event"] == "mailbox.refused"]
    assert [each["messages_count"] for each in told] == [5]


class PatientRereading(Rereading):
    """Reads back when the mailbox was asked for a second window."""

    asked: Event
    was_asked = True

    def read(self, *arguments):
        """Wait, then read."""
        self.was_asked &= self.asked.wait(10)
        return super().read(*arguments)


class AskedMailbox(PlayedMailbox):
    """Tells when it was asked for a second window."""

    windows_count = 0
    asked: Event

    def announce(self, refs):
        """Count, and tell sizes."""
        self.windows_count += 1
        if self.windows_count == 2:
            self.asked.set()
        return super().announce(refs)


def test_a_window_is_fetched_while_the_one_before_is_proven(world: World) -> None:
    """Nothing comes to rest between two windows; in the end everything is proven and deleted."""
    world.deliver(*(b"A: %d\r\n\r\n" % number for number in range(6)))
    house = House.open(world.root)
    house.intake.rereading = rereading = PatientRereading()
    mailbox = AskedMailbox(world.server, Fault())
    rereading.asked = mailbox.asked = Event()
    policy = Policy(window_messages_max=2, batch_messages_max=2)
    summary = run_cycle(mailbox, house.intake, policy, Watch(now=lambda: world.now))
    house.stop()
    assert rereading.was_asked
    assert (summary.collected, summary.cleared, mailbox.windows_count) == (6, 6, 3)
    assert world.server.messages == {}
    world.check()


def test_a_policy_without_deletion_keeps_everything(world: World) -> None:
    """A backfill archives and leaves the mailbox as it is."""
    world.policy = Policy(delete=False)
    world.deliver(b"A: 1\r\n\r\n")
    world.cycle()
    assert world.cycle().collected == 0
    assert len(world.server.messages) == 1


def test_unrecognised_mail_stays_only_when_configured_so(world: World) -> None:
    """A message without a header is quarantined; keep_unrecognised leaves it in the mailbox."""
    world.policy = Policy(keep_unrecognised=True)
    world.deliver(b"\x00\x01 no header here")
    summary = world.cycle()
    assert (summary.collected, summary.quarantined, summary.cleared) == (1, 1, 0)
    world.policy = Policy()
    world.run_to_the_end()
    world.check_done()


def test_a_foreign_deletion_is_noticed_after_two_listings(world: World) -> None:
    """A message that left without us is vanished, but not on the word of a single listing."""
    world.policy = Policy(delete=False)
    world.deliver(b"A: 1\r\n\r\n")
    world.cycle()
    world.server.messages.clear()
    assert world.cycle().vanished == 0
    assert world.cycle().vanished == 1
    assert world.records()[0].entry.state is State.VANISHED


def test_equal_messages_get_an_entry_each_and_are_stored_once(world: World) -> None:
    """Two arrivals of the same bytes, in one batch and in two, share one blob."""
    world.deliver(b"A: 1\r\n\r\n", b"A: 1\r\n\r\n")
    world.cycle()
    world.deliver(b"A: 1\r\n\r\n")
    world.run_to_the_end()
    records = world.records()
    assert [each.entry.receipt.duplicate_of for each in records] == [None, 1, 1]
    assert len({each.entry.blob for each in records}) == 1
    world.check_done()


def test_a_batch_stored_but_not_committed_is_adopted_in_the_same_process(world: World) -> None:
    """When the ledger fails after the segment was written, no number is used twice."""
    world.deliver(b"A: 1\r\n\r\n")
    with pytest.raises(CycleError):
        world.cycle(Fault("commit", 1, error=CycleError("the disk is full")))
    world.check()
    world.run_to_the_end()
    world.check_done()


def test_a_broken_copy_is_never_proven(world: World) -> None:
    """A flipped bit in the segment stops everything, and the message stays."""
    world.policy = Policy(delete=False)
    world.deliver(b"A: 1\r\n\r\n" + b"x" * 1000)
    world.cycle()
    (segment,) = (world.root / "segments").iterdir()
    raw = bytearray(segment.read_bytes())
    raw[world.records()[0].entry.blob.frame_offset + 60] ^= 1
    segment.chmod(0o600)
    segment.write_bytes(raw)
    world.policy = Policy()
    with pytest.raises(IntegrityError, match="seq 1"):
        world.cycle()
    assert len(world.server.messages) == 1
    assert world.server.deleted == []


def test_the_stop_sign_commits_what_has_arrived(world: World) -> None:
    """A stop in the middle of a batch keeps the messages fetched so far."""
    world.deliver(*[b"A: %d\r\n\r\n" % number for number in range(6)])
    fetched = 0

    def stop() -> bool:
        nonlocal fetched
        fetched += 1
        return fetched > 3

    summary = world.cycle(stop=stop)
    assert summary.interrupted
    assert 0 < summary.collected < 6
    world.check()
    world.run_to_the_end()
    world.check_done()


def test_the_played_server_refuses_to_delete_what_was_not_proven() -> None:
    """The tests' own server notices a wrong deletion: the suite can fail."""
    from datetime import UTC, datetime

    from collector.domain.custody import Proof
    from collector.domain.mailbox import MessageRef

    server = Server()
    server.deliver(b"A: 1\r\n\r\n")
    wrong = Proof(
        1, MessageRef(MAILBOX, 1, 1), Digest.of(b"other"), 8, datetime(2026, 1, 1, tzinfo=UTC)
    )
    with pytest.raises(AssertionError, match="not proven"):
        PlayedMailbox(server, Fault()).expunge([wrong], Removal.UID_EXPUNGE)


def test_another_message_under_a_proven_uid_is_collected_anew(world: World) -> None:
    """After a restored backup a UID may name a message we never stored; it is not deleted."""
    world.deliver(b"From: a@example.com\r\n\r\nthe first\r\n")
    world.policy = Policy(delete=False)
    world.cycle()
    (uid,) = world.server.messages
    other = b"From: a@example.com\r\n\r\nanother one, never seen before\r\n"
    world.server.messages[uid] = other
    world.server.stolen.append(Digest.of(world.delivered[0]).hex)
    world.delivered.append(other)
    world.policy = Policy()
    replaced = world.cycle()
    assert (replaced.vanished, world.server.messages) == (1, {uid: other})
    world.run_to_the_end()
    assert world.server.messages == {}
    assert [world.raw(each) for each in world.records()][-1] == other
