"""What a listing makes due, holds, settles and voids."""

from __future__ import annotations

from datetime import timedelta

import pytest
from ledger_samples import (
    EPOCH,
    INBOX,
    MINUTE,
    NOW,
    OTHER,
    commit,
    listing_of,
    poll,
    proof_of,
    states_of,
)

from collector.domain.custody import State, Summary
from collector.domain.errors import MessageError
from collector.domain.mailbox import MessageRef
from collector.ledger.ledger import Ledger
from collector.ledger.query import Observation
from collector.ledger.watched import Failure, FailureKind

NIL = MessageError("handed over as NIL")


def ref(uid: int, uidvalidity: int = EPOCH, mailbox=INBOX) -> MessageRef:
    """Return a reference."""
    return MessageRef(mailbox, uidvalidity, uid)


def test_an_unknown_message_is_due_and_a_committed_one_is_held(ledger: Ledger) -> None:
    """What the ledger has is not fetched again; the order of the listing stays."""
    entries = commit(ledger, 2)
    refs = listing_of([90, 101, 102, 103]).refs(0, 4)
    assert ledger.due(refs, NOW) == [ref(90), ref(103)]
    assert ledger.held(list(reversed(refs))) == [entries[1], entries[0]]


def test_nothing_listed_is_nothing_due_and_nothing_held(ledger: Ledger) -> None:
    """An empty window is no special case."""
    assert ledger.due([], NOW) == []
    assert ledger.held([]) == []


def test_a_uid_means_nothing_in_another_folder_or_epoch(ledger: Ledger) -> None:
    """The same UID elsewhere is another message."""
    commit(ledger, 1)
    for elsewhere in (ref(101, mailbox=OTHER), ref(101, EPOCH + 1)):
        assert ledger.due([elsewhere], NOW) == [elsewhere]
        assert ledger.held([elsewhere]) == []


def test_a_window_larger_than_one_query_is_answered_whole(ledger: Ledger) -> None:
    """More UIDs than fit into one list are asked for in portions."""
    commit(ledger, 1300)
    refs = listing_of(range(101, 1501)).refs(0, 1400)
    assert ledger.due(refs, NOW) == refs[1300:]
    assert [entry.ref for entry in ledger.held(refs)] == refs[:1300]


def test_a_cleared_message_that_is_no_longer_listed_is_expunged(ledger: Ledger) -> None:
    """The listing, not the answer to EXPUNGE, is the evidence; it is told once."""
    entries = commit(ledger, 2)
    ledger.clear([proof_of(entries[0])])
    assert poll(ledger, listing_of([102])) == [(1, State.EXPUNGED)]
    assert poll(ledger, listing_of([102])) == []
    assert states_of(ledger) == [State.EXPUNGED, State.COMMITTED]


def test_a_cleared_message_that_is_still_listed_stays_cleared_and_held(ledger: Ledger) -> None:
    """A mailbox that ignored the deletion is asked again, nothing is fetched again."""
    (entry,) = commit(ledger, 1)
    ledger.clear([proof_of(entry)])
    assert poll(ledger, listing_of([101])) == []
    assert ledger.due([ref(101)], NOW) == []
    (held,) = ledger.held([ref(101)])
    assert (held.state, held.cleared_at, held.clear_attempts) == (State.CLEARED, NOW, 1)


@pytest.mark.parametrize("state", [State.EXPUNGED, State.VANISHED])
def test_a_settled_uid_that_is_listed_again_is_a_new_arrival(ledger: Ledger, state: State) -> None:
    """It may be another message by now: it is due, and the old entry deletes nothing."""
    (entry,) = commit(ledger, 1)
    if state is State.EXPUNGED:
        ledger.clear([proof_of(entry)])
    else:
        poll(ledger, listing_of([]))
    assert poll(ledger, listing_of([])) == [(1, state)]
    assert ledger.due([ref(101)], NOW) == [ref(101)]
    assert ledger.held([ref(101)]) == []
    (again,) = commit(ledger, 1, uid=101, raw=b"another message")
    assert ledger.held([ref(101)]) == [again]
    assert poll(ledger, listing_of([101])) == []
    assert states_of(ledger) == [state, State.COMMITTED]


def test_a_committed_message_vanishes_after_two_listings_without_it(ledger: Ledger) -> None:
    """One listing that lacks it is not believed; it must be missing twice in a row."""
    commit(ledger, 1)
    assert poll(ledger, listing_of([])) == []
    assert poll(ledger, listing_of([101])) == []
    assert poll(ledger, listing_of([])) == []
    assert poll(ledger, listing_of([])) == [(1, State.VANISHED)]


def test_clearing_begins_the_count_of_absences_anew(ledger: Ledger) -> None:
    """A message that was absent once, came back and was cleared is expunged, not vanished."""
    (entry,) = commit(ledger, 1)
    poll(ledger, listing_of([]))
    ledger.clear([proof_of(entry)])
    assert poll(ledger, listing_of([])) == [(1, State.EXPUNGED)]


def test_a_listing_of_a_date_range_settles_nothing(ledger: Ledger) -> None:
    """A UID outside the range that was asked for is not gone, however often."""
    entries = commit(ledger, 2)
    ledger.clear([proof_of(entries[0])])
    for _ in range(3):
        assert poll(ledger, listing_of([], complete=False)) == []
    assert states_of(ledger) == [State.CLEARED, State.COMMITTED]
    assert poll(ledger, listing_of([])) == [(1, State.EXPUNGED)], "absences did not add up"


def test_a_listing_of_another_folder_settles_nothing_here(ledger: Ledger) -> None:
    """Folders are settled by their own listings."""
    (entry,) = commit(ledger, 1)
    ledger.clear([proof_of(entry)])
    assert poll(ledger, listing_of([], mailbox=OTHER)) == []


@pytest.mark.parametrize("complete", [True, False])
def test_another_uidvalidity_supersedes_what_was_open(ledger: Ledger, complete: bool) -> None:
    """Old references are void; the messages are due under their new ones."""
    entries = commit(ledger, 3)
    ledger.clear([proof_of(entries[0])])
    poll(ledger, listing_of([102, 103]))
    renumbered = listing_of([101, 102], uidvalidity=EPOCH + 1, complete=complete)
    assert poll(ledger, renumbered) == [(2, State.SUPERSEDED), (3, State.SUPERSEDED)]
    assert states_of(ledger) == [State.EXPUNGED, State.SUPERSEDED, State.SUPERSEDED]
    assert ledger.due(renumbered.refs(0, 2), NOW) == renumbered.refs(0, 2)
    assert ledger.held(renumbered.refs(0, 2)) == []


@pytest.mark.parametrize("complete", [True, False])
def test_a_fallen_uidnext_supersedes_what_was_open(ledger: Ledger, complete: bool) -> None:
    """A restored mailbox hands out UIDs a second time: no old reference deletes anything."""
    entries = commit(ledger, 2)
    poll(ledger, listing_of([101, 102], uidnext=103))
    ledger.clear([proof_of(entries[0])])
    restored = listing_of([101], uidnext=102, complete=complete)
    assert poll(ledger, restored) == [(1, State.SUPERSEDED), (2, State.SUPERSEDED)]
    assert ledger.held([ref(101)]) == []
    assert ledger.due([ref(101)], NOW) == [ref(101)]
    assert poll(ledger, restored) == [], "told once"


def test_a_uidnext_that_is_not_told_has_not_fallen(ledger: Ledger) -> None:
    """Some servers leave UIDNEXT out; the last one told is kept for comparison."""
    commit(ledger, 1)
    poll(ledger, listing_of([101], uidnext=102))
    assert poll(ledger, listing_of([101], uidnext=0)) == []
    assert ledger.observe(listing_of([101], uidnext=50), NOW).uidnext_before == 102


def gap_of(ledger: Ledger, uids, uidnext: int, **keys) -> tuple[tuple[int, int], ...]:
    """Return the gap that a listing shows."""
    return ledger.observe(listing_of(uids, uidnext=uidnext, **keys), NOW).gap


def test_uids_that_were_given_out_and_never_listed_are_told_once(ledger: Ledger) -> None:
    """Between two complete listings every UID is listed, or is a gap."""
    assert gap_of(ledger, [3, 9], 12) == (), "the first listing is the baseline"
    assert gap_of(ledger, [3, 12, 14, 15], 19) == ((13, 13), (16, 18))
    assert gap_of(ledger, [12, 19], 20) == ()
    assert gap_of(ledger, [], 22) == ((20, 21),)
    assert gap_of(ledger, [], 22) == ()


def test_a_message_that_came_during_the_poll_is_accounted_for(ledger: Ledger) -> None:
    """UIDNEXT is older than the listing: what is listed above it was not skipped."""
    assert gap_of(ledger, [1], 2) == ()
    assert gap_of(ledger, [1, 2, 4], 3) == ((3, 3),)
    assert gap_of(ledger, [], 5) == (), "listed before, and deleted by us meanwhile"
    assert gap_of(ledger, [7], 0) == ((5, 6),), "a server that does not tell UIDNEXT"


def test_a_part_of_the_mailbox_accounts_for_nothing(ledger: Ledger) -> None:
    """A listing of a date range shows no gap and hides none."""
    assert gap_of(ledger, [1], 2) == ()
    assert gap_of(ledger, [], 5, complete=False) == ()
    assert gap_of(ledger, [3], 5) == ((2, 2), (4, 4))


def test_accounting_begins_again_when_uids_do(ledger: Ledger) -> None:
    """After a restored or renumbered mailbox the next listing is a baseline."""
    assert gap_of(ledger, [1], 20) == ()
    assert gap_of(ledger, [1], 10) == ()
    assert gap_of(ledger, [1], 12) == ((10, 11),)
    assert gap_of(ledger, [], 9, uidvalidity=8) == ()
    assert gap_of(ledger, [], 11, uidvalidity=8) == ((9, 10),)


def test_observe_tells_what_changed_since_the_poll_before(ledger: Ledger) -> None:
    """The first poll is compared with nothing; renumbering and restoring are told once."""
    assert ledger.observe(listing_of([1], uidnext=50), NOW) == Observation(None, None, ())
    nothing = Observation(None, None, (), polled_before=NOW)
    assert ledger.observe(listing_of([1], uidnext=40), NOW) == Observation(
        None, 50, (), polled_before=NOW
    )
    assert ledger.observe(listing_of([1], uidnext=40), NOW) == nothing
    renumbered = listing_of([1], uidnext=2, uidvalidity=8)
    assert ledger.observe(renumbered, NOW) == Observation(EPOCH, None, (), polled_before=NOW)
    assert ledger.observe(renumbered, NOW) == nothing
    (status,) = ledger.mailbox_status()
    assert (status.mailbox, status.waiting_count, status.polled_at) == (INBOX, 1, NOW)


def test_a_message_set_aside_is_due_after_a_growing_pause_and_last(ledger: Ledger) -> None:
    """A minute, then twice as long each time, at most a day; new messages go first."""
    refs = listing_of([1, 2]).refs(0, 2)
    now = NOW
    for attempt, minutes in ((1, 1), (2, 2), (3, 4)):
        assert ledger.set_aside(ref(1), NIL, now) == attempt
        almost = now + timedelta(minutes=minutes) - timedelta(microseconds=1)
        assert ledger.due(refs, almost) == [ref(2)]
        now += timedelta(minutes=minutes)
        assert ledger.due(refs, now) == [ref(2), ref(1)]
    for _ in range(40):
        ledger.set_aside(ref(1), NIL, now)
    assert ledger.due([ref(1)], now + timedelta(days=1)) == [ref(1)]
    (waiting,) = ledger.set_aside_messages()
    assert (waiting.attempts, waiting.first_at, waiting.what) == (43, NOW, str(NIL))


def test_a_message_set_aside_that_arrives_after_all_is_no_longer_so(ledger: Ledger) -> None:
    """The commit takes it off the list, in the same transaction."""
    ledger.set_aside(ref(101), NIL, NOW)
    ledger.set_aside(ref(999), NIL, NOW)
    commit(ledger, 1)
    assert [each.ref for each in ledger.set_aside_messages()] == [ref(999)]
    assert ledger.set_aside_count(INBOX) == ledger.set_aside_count() == 1
    assert ledger.set_aside_count(OTHER) == 0


def test_a_message_set_aside_that_is_no_longer_listed_is_lost(ledger: Ledger) -> None:
    """It was never ours and is gone: that is told once, by a complete listing."""
    ledger.set_aside(ref(5), NIL, NOW)
    assert ledger.observe(listing_of([5]), NOW).lost == ()
    assert ledger.observe(listing_of([], complete=False), NOW).lost == ()
    assert ledger.observe(listing_of([]), NOW).lost == (ref(5),)
    assert ledger.observe(listing_of([]), NOW).lost == ()
    assert ledger.set_aside_count() == 0


def test_a_lost_uid_that_is_listed_again_begins_anew(ledger: Ledger) -> None:
    """Attempts and pause belong to the message that was lost, not to its UID."""
    for _ in range(5):
        ledger.set_aside(ref(5), NIL, NOW)
    ledger.observe(listing_of([]), NOW)
    assert ledger.due([ref(5)], NOW) == [ref(5)]
    assert ledger.set_aside(ref(5), NIL, NOW + MINUTE) == 1
    assert [each.first_at for each in ledger.set_aside_messages()] == [NOW + MINUTE]


@pytest.mark.parametrize("change", [{"uidvalidity": EPOCH + 1}, {"uidnext": 40}])
def test_what_was_set_aside_under_a_void_reference_is_not_lost(ledger: Ledger, change) -> None:
    """It comes again under its new reference, and is due at once."""
    ledger.observe(listing_of([5], uidnext=50), NOW)
    ledger.set_aside(ref(5), NIL, NOW)
    listing = listing_of([5], complete=False, **change)
    assert ledger.observe(listing, NOW).lost == ()
    assert ledger.due(listing.refs(0, 1), NOW) == listing.refs(0, 1)


def test_a_failed_cycle_keeps_the_figures_of_the_last_good_one(ledger: Ledger) -> None:
    """Status shows both the error of now and what was done before."""
    summary = Summary(waiting=3, collected=2, interrupted=True)
    ledger.note_cycle(INBOX, NOW, summary)
    failure = Failure(FailureKind.UNREACHABLE, "the disk is full", pause_s=30.0)
    ledger.note_cycle(INBOX, NOW + MINUTE, failure)
    (status,) = ledger.mailbox_status()
    assert (status.last_cycle_at, status.last_error) == (NOW + MINUTE, "the disk is full")
    assert status.last_summary == summary


def test_a_clock_set_back_does_not_hold_a_message_up(ledger: Ledger) -> None:
    """A pause that ends later than the longest one was noted by a wrong clock."""
    ledger.set_aside(ref(5), NIL, NOW + timedelta(days=400))
    assert ledger.due([ref(5)], NOW) == [ref(5)]
