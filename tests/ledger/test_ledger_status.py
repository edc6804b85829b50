"""Figures of the mailboxes, events, and what was set aside."""

from __future__ import annotations

from pathlib import Path

from ledger_samples import (
    INBOX,
    MINUTE,
    NOW,
    OTHER,
    commit,
    listing_of,
    pending_of,
    poll,
    proof_of,
)

from collector.domain.errors import MessageError
from collector.domain.evidence import Event
from collector.domain.journal import Kind, Unwrapped
from collector.domain.mailbox import MailboxId, MessageRef
from collector.ledger.ledger import Ledger
from collector.ledger.query import SetAsideMessage

QUARANTINED = Unwrapped(Kind.UNRECOGNISED, reason="no report")


def test_an_empty_ledger_has_no_mailboxes_and_no_events(ledger: Ledger) -> None:
    """Nothing was polled, nothing happened."""
    assert (ledger.mailbox_status(), ledger.events(), ledger.set_aside_messages()) == ([], [], [])


def test_every_folder_has_its_own_figures(ledger: Ledger) -> None:
    """Counts by state, quarantine and set-aside belong to the folder, by name."""
    ledger.commit([pending_of(1), pending_of(2), pending_of(3, unwrapped=QUARANTINED)])
    ledger.commit([pending_of(4, mailbox=OTHER, unwrapped=QUARANTINED)])
    ledger.clear([proof_of(entry, NOW) for entry in ledger.entries() if entry.seq in {1, 3}])
    poll(ledger, listing_of([102, 103]), NOW + MINUTE)
    ledger.set_aside(MessageRef(OTHER, 7, 5), MessageError("x"), NOW)
    other, inbox = ledger.mailbox_status()
    assert (other.mailbox, inbox.mailbox) == (OTHER, INBOX)
    assert inbox.state_counts == (("committed", 1), ("cleared", 1), ("expunged", 1))
    assert (inbox.entries_count, inbox.quarantined_count, inbox.set_aside_count) == (3, 1, 0)
    assert (inbox.waiting_count, inbox.polled_at) == (2, NOW + MINUTE)
    assert inbox.last_proof_at == NOW
    assert inbox.oldest_waiting_at == pending_of(2).receipt.committed_at
    assert other.state_counts == (("committed", 1),)
    assert (other.entries_count, other.quarantined_count, other.set_aside_count) == (1, 1, 1)
    assert other.oldest_waiting_at == pending_of(4).receipt.committed_at
    assert (other.polled_at, other.last_proof_at, other.last_summary) == (None, None, None)


def test_an_older_proof_does_not_replace_a_newer_one(ledger: Ledger) -> None:
    """A rebuild reads settlements of long ago; the last proof stays the last."""
    entries = commit(ledger, 2)
    ledger.clear([proof_of(entries[0], NOW)])
    ledger.clear([proof_of(entries[1], NOW - MINUTE)])
    assert ledger.mailbox_status()[0].last_proof_at == NOW


def test_nothing_open_means_nothing_waits(ledger: Ledger) -> None:
    """Once everything has left the mailbox there is no oldest message."""
    (entry,) = commit(ledger, 1)
    ledger.clear([proof_of(entry)])
    poll(ledger, listing_of([]))
    assert ledger.mailbox_status()[0].oldest_waiting_at is None


def test_names_of_any_form_are_kept(ledger: Ledger) -> None:
    """A folder is named by whatever a server calls it."""
    strange = MailboxId("a\x1ab", "Ordner\x00\udc80'\"; DROP TABLE entries")
    commit(ledger, 1, mailbox=strange)
    assert [each.mailbox for each in ledger.mailbox_status()] == [strange]
    assert ledger.held([MessageRef(strange, 7, 101)])[0].ref.mailbox == strange


def test_events_come_newest_first_by_name_and_time(ledger: Ledger) -> None:
    """What was recorded is told again as it was, keys included."""
    ledger.record_event("service.started", NOW, version="1", tries=2)
    ledger.record_event("mailbox.restored", NOW + MINUTE, mailbox=str(INBOX), uidnext_old=9)
    ledger.record_event("service.started", NOW + MINUTE, where=Path("x"))
    started, restored, first = ledger.events()
    assert first == Event(1, NOW, "service.started", "", {"version": "1", "tries": 2})
    expected = Event(2, NOW + MINUTE, "mailbox.restored", str(INBOX), {"uidnext_old": 9})
    assert restored == expected
    assert started.keys == {"where": "x"}, "what JSON has no form for is written as text"
    assert ledger.events(names=("mailbox.restored", "x.y")) == [expected]
    assert ledger.events(since=NOW + MINUTE) == [started, restored]
    assert ledger.events(limit=1) == [started]


def test_what_is_set_aside_is_told_worst_first(ledger: Ledger) -> None:
    """Most attempts first; the limit holds."""
    one, two = MessageRef(INBOX, 7, 1), MessageRef(INBOX, 7, 2)
    for ref in (one, two, two):
        ledger.set_aside(ref, MessageError("handed over as NIL", subject=str(ref)), NOW)
    worst, other = ledger.set_aside_messages()
    assert (worst.ref, other.ref) == (two, one)
    assert worst == SetAsideMessage(two, 2, f"handed over as NIL: {two}", NOW, NOW + 2 * MINUTE)
    assert ledger.set_aside_messages(limit=1) == [worst]
