"""The account of a folder: what was seen is archived, waits, is gone or void."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from ledger_samples import (
    EPOCH,
    INBOX,
    MINUTE,
    NOW,
    commit,
    listing_of,
    poll,
    proof_of,
)

from collector.domain.custody import State
from collector.domain.mailbox import Flagged, Horizon, Listing
from collector.ledger import accounting
from collector.ledger.ledger import Ledger
from collector.ledger.query import Balance, DayFigures

MIDNIGHT = NOW.replace(hour=0, minute=0, second=0, microsecond=0)
DAY = timedelta(days=1)
SEEN = Flagged(101, ("seen",))


def account(ledger: Ledger, since: datetime = MIDNIGHT) -> tuple[DayFigures, Balance]:
    """Return the figures of the day, and the balance."""
    period = ledger.accounts.period(since, since + DAY, NOW + DAY)
    (day,) = period.days
    (balance,) = period.balances
    return day, balance


def gone(ledger: Ledger, uids, **keys) -> tuple[tuple[int, int], ...]:
    """Return what a poll finds gone that was never archived."""
    return ledger.observe(listing_of(uids, **keys), NOW).gone


def test_what_is_collected_and_deleted_balances(ledger: Ledger) -> None:
    """Three seen, two archived, one of them deleted: one waits."""
    poll(ledger, listing_of([101, 102, 103]))
    entries = commit(ledger, 2)
    ledger.clear([proof_of(entries[0])])
    poll(ledger, listing_of([102, 103]))
    day, balance = account(ledger)
    assert (day.seen, day.archived, day.gone, day.waiting) == (3, 2, 0, 1)
    assert (day.expunged, day.in_mailbox) == (1, 1)
    assert balance == Balance(INBOX, 0, 1, 1, 0)


def test_a_message_listed_and_gone_before_it_was_archived_is_told_once(ledger: Ledger) -> None:
    """Nobody fetched it, nobody set it aside: the listing before is the only witness."""
    assert gone(ledger, [101, 102, 103]) == ()
    commit(ledger, 1)
    assert gone(ledger, [101, 103]) == ((102, 102),)
    assert gone(ledger, [101, 103]) == ()
    day, balance = account(ledger)
    assert (day.seen, day.archived, day.gone, day.waiting) == (3, 1, 1, 1)
    assert balance.unexplained == 0


def test_a_crash_between_settling_and_observing_makes_nothing_look_gone(ledger: Ledger) -> None:
    """What was settled left the pending ones in the same transaction."""
    poll(ledger, listing_of([101, 102]))
    ledger.clear([proof_of(each) for each in commit(ledger, 2)])
    listing = listing_of([])
    ledger.settle(ledger.unsettled(listing, NOW))  # and here the process ends
    assert account(ledger)[1].unexplained == 0
    poll(ledger, listing)
    day, balance = account(ledger)
    assert (day.seen, day.gone, day.expunged) == (2, 0, 2)
    assert balance == Balance(INBOX, 0, 0, 0, 0)


def test_a_message_that_comes_back_is_seen_again_and_archived_again(ledger: Ledger) -> None:
    """A server that left a UID out of its answer: gone, then seen anew; nothing is left over."""
    poll(ledger, listing_of([101]))
    assert gone(ledger, []) == ((101, 101),)
    poll(ledger, listing_of([101]))
    commit(ledger, 1)
    day, balance = account(ledger)
    assert (day.seen, day.gone, day.archived) == (2, 1, 1)
    assert balance.unexplained == 0


def test_one_absence_of_what_is_ours_changes_no_count(ledger: Ledger) -> None:
    """It is not settled by one listing, so it is not seen anew by the next."""
    poll(ledger, listing_of([101]))
    commit(ledger, 1)
    poll(ledger, listing_of([]))
    poll(ledger, listing_of([101]))
    assert (account(ledger)[0].seen, account(ledger)[1].unexplained) == (1, 0)


@pytest.mark.parametrize("change", [{"uidvalidity": EPOCH + 1}, {"uidnext": 500}])
def test_what_waits_when_a_mailbox_is_renumbered_is_void_and_seen_anew(
    ledger: Ledger, change
) -> None:
    """The message is there under another name; it is not gone."""
    poll(ledger, listing_of([101, 102]))
    commit(ledger, 1)
    poll(ledger, listing_of([7], **change))
    day, balance = account(ledger)
    assert (day.seen, day.archived, day.void, day.gone, day.superseded) == (3, 1, 1, 0, 1)
    assert balance == Balance(INBOX, 0, 1, 1, 0)


def test_an_incomplete_listing_adds_and_takes_nothing_away(ledger: Ledger) -> None:
    """A date range shows new messages; what it does not show is not gone."""
    poll(ledger, listing_of([101, 102]))
    assert gone(ledger, [102, 150], complete=False) == ()
    assert gone(ledger, [102]) == ((101, 101), (150, 150))
    assert (account(ledger)[0].seen, account(ledger)[1].unexplained) == (3, 0)


def test_waiting_is_carried_from_day_to_day(ledger: Ledger) -> None:
    """What a period begins with was left over by the days before it."""
    ledger.observe(listing_of([101, 102]), NOW - DAY)
    poll(ledger, listing_of([101, 102, 103]))
    commit(ledger, 1)
    day, balance = account(ledger)
    assert (balance.before, day.seen, day.archived, day.waiting) == (2, 1, 1, 2)
    assert balance.unexplained == 0
    earlier, _ = account(ledger, MIDNIGHT - DAY)
    assert (earlier.seen, earlier.waiting) == (2, 2)


def test_more_ranges_than_are_kept_are_remembered_as_one(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The row stays small; what lies beyond is not counted twice, and its loss is unexplained."""
    monkeypatch.setattr(accounting, "RANGES_MAX", 2)
    poll(ledger, listing_of([1, 3, 5, 7]))
    poll(ledger, listing_of([1, 3, 5, 7]))
    assert account(ledger)[0].seen == 4
    assert gone(ledger, [3, 5]) == ((1, 1),)
    assert (account(ledger)[0].gone, account(ledger)[1].unexplained) == (1, 1)


def test_a_message_nobody_saw_is_unexplained(ledger: Ledger) -> None:
    """The balance can fail: an entry that no listing showed is named as such."""
    commit(ledger, 1)
    assert account(ledger)[1].unexplained == -1
    ledger.accounts.assume_seen()
    assert account(ledger)[1].unexplained == 0


def test_a_server_that_says_so_is_believed_at_once(ledger: Ledger) -> None:
    """VANISHED makes one listing enough for what nobody asked to delete."""
    commit(ledger, 2)
    told = Listing(INBOX, EPOCH, 200, (), modseq=9, vanished=((50, 101),))
    assert poll(ledger, told) == [(1, State.VANISHED)]


def test_the_horizon_is_that_of_the_last_complete_listing(ledger: Ledger) -> None:
    """What an incomplete listing was told is told again to the next complete one."""
    assert ledger.accounts.horizon(INBOX) is None
    ledger.observe(Listing(INBOX, EPOCH, 200, (), modseq=9), NOW)
    assert ledger.accounts.horizon(INBOX) == Horizon(EPOCH, 9)
    ledger.observe(Listing(INBOX, EPOCH, 200, (), complete=False, modseq=12), NOW)
    assert ledger.accounts.horizon(INBOX) == Horizon(EPOCH, 9)
    ledger.observe(Listing(INBOX, EPOCH + 1, 2, (), complete=False, modseq=12), NOW)
    assert ledger.accounts.horizon(INBOX) is None


def test_flags_of_others_are_told_once_and_our_own_never(ledger: Ledger) -> None:
    r"""``\Deleted`` is ours on what we asked to be deleted; ``\Seen`` never is."""
    entries = commit(ledger, 2)
    ledger.clear([proof_of(entries[0])])
    flagged = [Flagged(101, ("deleted",)), Flagged(102, ("deleted",))]
    note = ledger.accounts.note_flagged
    assert note(INBOX, EPOCH, flagged) == (flagged[1],)
    assert note(INBOX, EPOCH, [SEEN, *flagged]) == (SEEN,)
    assert note(INBOX, EPOCH, [SEEN, *flagged]) == ()
    poll(ledger, listing_of([102]))
    assert note(INBOX, EPOCH, [SEEN]) == (SEEN,), "101 is another message by now"


def test_the_window_of_exposure_is_told_by_rank(ledger: Ledger) -> None:
    """Median, 99th percentile and longest of what has an arrival and a proof."""
    entries = commit(ledger, 100)
    arrived = entries[0].receipt.internal_date
    assert arrived is not None
    ledger.clear([proof_of(each, arrived + MINUTE * place) for place, each in enumerate(entries)])
    told = ledger.accounts.exposure(MIDNIGHT - DAY)
    assert (told.count, told.median_s, told.p99_s, told.max_s) == (100, 49 * 60, 98 * 60, 99 * 60)
    assert ledger.accounts.exposure(MIDNIGHT - DAY, most=1).max_s == 99 * 60
