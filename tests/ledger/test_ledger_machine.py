"""Any history of a mailbox: the ledger's answers always fit together."""

from __future__ import annotations

import tempfile
from datetime import timedelta
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from ledger_samples import INBOX, NOW, listing_of, pending_of, poll, proof_of

from collector.domain.blob import Digest
from collector.domain.custody import State
from collector.domain.errors import MessageError
from collector.domain.mailbox import Listing
from collector.ledger.ledger import Ledger
from collector.store.durable import sync_directory

OPEN = {State.COMMITTED, State.CLEARED}


class MailboxMachine(RuleBasedStateMachine):
    """A server that delivers, deletes, forgets, renumbers and is restored."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        path = Path(self.directory.name) / "ledger.db"
        self.ledger = Ledger.open(path, create=True, sync_directory=sync_directory)
        self.raws: dict[int, bytes] = {}
        self.delivered_count = 0
        self.uidnext, self.uidvalidity = 1, 1
        self.now = NOW
        self.before: list[State] = []

    def teardown(self) -> None:
        """Leave no file behind."""
        assert self.ledger.check_consistency() == []
        self.ledger.close()
        self.directory.cleanup()

    def listing(self, *, complete: bool = True) -> Listing:
        """Return what the server shows."""
        uids = sorted(self.raws)[:: 1 if complete else 2]
        return listing_of(
            uids, uidnext=self.uidnext, uidvalidity=self.uidvalidity, complete=complete
        )

    @rule(count=st.integers(1, 3))
    def deliver(self, count: int) -> None:
        """New messages arrive."""
        for _ in range(count):
            self.delivered_count += 1
            self.raws[self.uidnext] = b"message %d" % self.delivered_count
            self.uidnext += 1

    @rule(data=st.data())
    def disappear(self, data: st.DataObject) -> None:
        """Messages leave the mailbox, whoever deleted them."""
        if self.raws:
            for uid in data.draw(st.sets(st.sampled_from(sorted(self.raws)))):
                del self.raws[uid]

    @rule()
    def renumber(self) -> None:
        """The mailbox is made anew with the same messages."""
        self.uidvalidity += 1
        self.raws = dict(enumerate(self.raws.values(), 1))
        self.uidnext = len(self.raws) + 1

    @rule(back=st.integers(1, 4))
    def restore(self, back: int) -> None:
        """The mailbox is brought back from a backup; UIDs will be handed out again."""
        self.uidnext = max(1, self.uidnext - back)
        self.raws = {uid: raw for uid, raw in self.raws.items() if uid < self.uidnext}
        poll(self.ledger, self.listing(), self.now)

    @rule(complete=st.booleans())
    def poll(self, complete: bool) -> None:
        """A listing settles what it may settle."""
        poll(self.ledger, self.listing(complete=complete), self.now)

    @rule(at_most=st.integers(1, 4))
    def collect(self, at_most: int) -> None:
        """What is due is committed, after a poll."""
        poll(self.ledger, self.listing(), self.now)
        refs = self.listing().refs(0, len(self.raws))
        first = self.ledger.last_seq() + 1
        due = self.ledger.due(refs, self.now)[:at_most]
        self.ledger.commit(
            [
                pending_of(seq, uid=ref.uid, uidvalidity=self.uidvalidity, raw=self.raws[ref.uid])
                for seq, ref in enumerate(due, first)
            ]
        )

    @rule()
    def refuse(self) -> None:
        """The server does not hand over what comes first."""
        refs = self.listing().refs(0, len(self.raws))
        for ref in self.ledger.due(refs, self.now)[:1]:
            self.ledger.set_aside(ref, MessageError("handed over as NIL"), self.now)

    @rule()
    def clear(self) -> None:
        """Deletion of everything held is asked for, after a poll."""
        poll(self.ledger, self.listing(), self.now)
        held = self.ledger.held(self.listing().refs(0, len(self.raws)))
        self.ledger.clear([proof_of(entry, self.now) for entry in held])

    @rule(minutes=st.integers(1, 2000))
    def wait(self, minutes: int) -> None:
        """Time goes by."""
        self.now += timedelta(minutes=minutes)

    @invariant()
    def every_listed_message_is_due_held_or_waiting(self) -> None:
        """No message falls between the questions, and none has two answers."""
        refs = self.listing().refs(0, len(self.raws))
        due = set(self.ledger.due(refs, self.now))
        held = {entry.ref for entry in self.ledger.held(refs)}
        waiting = {
            each.ref for each in self.ledger.set_aside_messages() if each.next_try_at > self.now
        }
        assert due | held | (waiting & set(refs)) == set(refs)
        assert not due & held
        assert not due & waiting
        assert len(due) + len(held) <= len(refs)

    @invariant()
    def what_is_held_is_what_the_server_shows(self) -> None:
        """A proof of a held entry never deletes another message."""
        for entry in self.ledger.held(self.listing().refs(0, len(self.raws))):
            assert entry.receipt.digest == Digest.of(self.raws[entry.ref.uid])

    @invariant()
    def entries_move_forward_only(self) -> None:
        """A final state stays; an open one stays open or becomes final; status counts them."""
        after = [entry.state for entry in self.ledger.entries()]
        for before, now in zip(self.before, after, strict=False):
            assert now is before or before in OPEN
            assert not (before is State.CLEARED and now is State.COMMITTED)
            assert not (before is State.CLEARED and now is State.VANISHED)
        self.before = after
        for status in self.ledger.mailbox_status():  # one folder, none before the first poll
            expected = {state.value: after.count(state) for state in State if state in after}
            assert (status.mailbox, dict(status.state_counts)) == (INBOX, expected)


MailboxMachine.TestCase.settings = settings(
    max_examples=30,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
test_any_history_of_a_mailbox = MailboxMachine.TestCase
