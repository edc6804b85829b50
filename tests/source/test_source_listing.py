"""Listings: complete or said not to be, whatever the server leaves out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from fault_proxy import FaultProxy, Inject, Rewrite, Rule
from played_imap import PlayedImap
from source_samples import letter, open_mailbox

from collector.domain.errors import CycleError

pytestmark = pytest.mark.dovecot


@pytest.fixture
def filled(dovecot):
    """Return a user with five messages."""
    user = dovecot.new_user()
    user.append_many([letter(number) for number in range(5)])
    return user


def test_an_idle_poll_costs_two_round_trips(dovecot, filled, tmp_path) -> None:
    """SELECT and SEARCH on the kept connection; an empty folder costs one."""
    with FaultProxy(dovecot) as proxy:
        with open_mailbox(proxy.user(filled), tmp_path) as mailbox:
            mailbox.poll()
            before = len(proxy.commands)
            mailbox.poll()
            assert proxy.commands[before:] == ['SELECT "INBOX"', "UID SEARCH ALL"]
            filled.command("UID", "STORE", "1:5", "+FLAGS", r"(\Deleted)")
            filled.command("UID", "EXPUNGE", "1:5")
            before = len(proxy.commands)
            assert list(mailbox.poll().uids) == []
            assert proxy.commands[before:] == ['SELECT "INBOX"']
        assert proxy.connections_count == 1


def test_every_message_is_listed_whatever_its_flags(filled, tmp_path) -> None:
    """Seen, flagged as deleted, a draft: all are there."""
    for uid, flag in enumerate((r"\Seen", r"\Deleted", r"\Draft", r"\Answered", "junk"), 1):
        filled.command("UID", "STORE", str(uid), "+FLAGS", f"({flag})")
    with open_mailbox(filled, tmp_path) as mailbox:
        assert list(mailbox.poll().uids) == [1, 2, 3, 4, 5]


def test_a_uid_left_out_once_is_asked_for_again(dovecot, filled, tmp_path) -> None:
    """The server's own count tells; a second connection gives the whole listing."""
    rule = Rule("UID SEARCH", Rewrite(r" 3 ", " "))
    with FaultProxy(dovecot, rule) as proxy:
        with open_mailbox(proxy.user(filled), tmp_path) as mailbox:
            listing = mailbox.poll()
        assert proxy.connections_count == 2
    assert (list(listing.uids), listing.complete) == ([1, 2, 3, 4, 5], True)


def test_a_uid_left_out_twice_makes_the_listing_incomplete(dovecot, filled, tmp_path) -> None:
    """Then nothing that is missing may be taken for gone."""
    rule = Rule("UID SEARCH", Rewrite(r" 3 ", " "), times=0)
    with (
        FaultProxy(dovecot, rule) as proxy,
        open_mailbox(proxy.user(filled), tmp_path) as mailbox,
    ):
        listing = mailbox.poll()
    assert (list(listing.uids), listing.complete) == ([1, 2, 4, 5], False)


def test_an_empty_answer_is_not_an_empty_folder(dovecot, filled, tmp_path) -> None:
    """``* SEARCH`` without a UID, or none at all, while five exist."""
    for find, by in ((r"\* SEARCH.*", "* SEARCH\r"), (r"\* SEARCH", "* OK SEARCH")):
        with (
            FaultProxy(dovecot, Rule("UID SEARCH", Rewrite(find, by), times=0)) as proxy,
            open_mailbox(proxy.user(filled), tmp_path) as mailbox,
        ):
            listing = mailbox.poll()
        assert (list(listing.uids), listing.complete) == ([], False)


@pytest.mark.parametrize(
    ("news", "complete"),
    [
        (("* 6 EXISTS", "* 1 RECENT"), False),
        (("* 6 EXISTS", "* 6 EXPUNGE"), True),
        (("* 5 EXPUNGE", "* 4 EXPUNGE"), True),
    ],
)
def test_news_during_the_listing_are_counted(dovecot, filled, tmp_path, news, complete) -> None:
    """Arrivals and expunges meanwhile change what must be listed."""
    with (
        FaultProxy(dovecot, Rule("UID SEARCH", Inject(news), times=0)) as proxy,
        open_mailbox(proxy.user(filled), tmp_path) as mailbox,
    ):
        assert mailbox.poll().complete is complete


def test_an_arrival_behind_the_answer_is_news(dovecot, filled, tmp_path) -> None:
    """It is not missing from the listing, and nobody waits for it."""
    behind = Rewrite(r"(\* SEARCH.*)", "\\1\n* 6 EXISTS\r")
    with FaultProxy(dovecot, Rule("UID SEARCH", behind)) as proxy:
        with open_mailbox(proxy.user(filled), tmp_path) as mailbox:
            listing = mailbox.poll()
            assert (len(listing.uids), listing.complete) == (5, True)
            assert mailbox.wait_for_arrival(30.0, lambda: False) is True
        assert proxy.connections_count == 1


def test_answers_in_any_form_are_put_in_order(dovecot, filled, tmp_path) -> None:
    """Two SEARCH lines, repetitions, any order."""
    twice = Rewrite(r"\* SEARCH 1 2 3 4 5", "* SEARCH 5 3 3\r\n* search 1 2 4 5")
    with (
        FaultProxy(dovecot, Rule("UID SEARCH", twice)) as proxy,
        open_mailbox(proxy.user(filled), tmp_path) as mailbox,
    ):
        listing = mailbox.poll()
    assert (list(listing.uids), listing.complete) == ([1, 2, 3, 4, 5], True)


@pytest.mark.parametrize("uids", ["0 1 2 3 4", "1 2 -3 4 5", "1 2 3 4 4294967296", "1 2 x 4 5"])
def test_what_is_no_uid_ends_the_cycle(dovecot, filled, tmp_path, uids) -> None:
    """Nothing is guessed from a broken answer."""
    broken = Rewrite(r"\* SEARCH .*5", f"* SEARCH {uids}")
    with (
        FaultProxy(dovecot, Rule("UID SEARCH", broken)) as proxy,
        open_mailbox(proxy.user(filled), tmp_path) as mailbox,
    ):
        with pytest.raises(CycleError, match="not IMAP"):
            mailbox.poll()
        assert len(mailbox.poll().uids) == 5


def test_a_folder_without_uidvalidity_is_not_collected(dovecot, filled, tmp_path) -> None:
    """Its UIDs mean nothing from one session to the next."""
    rule = Rule("SELECT", Rewrite("UIDVALIDITY", "UIDNOTHING"), times=0)
    with (
        FaultProxy(dovecot, rule) as proxy,
        open_mailbox(proxy.user(filled), tmp_path) as mailbox,
        pytest.raises(CycleError, match="number its messages for good"),
    ):
        mailbox.poll()


def test_renumbering_and_uidnext_are_reported_as_they_are(dovecot, filled, tmp_path) -> None:
    """The ledger compares them; the source only tells."""
    with open_mailbox(filled, tmp_path) as mailbox:
        before = mailbox.poll()
        dovecot.renumber(filled)
        after = mailbox.poll()
    assert before.uidnext == 6
    assert after.uidvalidity == before.uidvalidity + 1
    assert after.uidnext == 6


def test_a_date_range_is_not_a_complete_listing(filled, tmp_path) -> None:
    """[since, before) by INTERNALDATE; what is outside is not gone."""
    today = datetime.now(UTC).date()
    day = timedelta(days=1)
    with open_mailbox(filled, tmp_path) as mailbox:
        for since, before, count in (
            (today - day, None, 5),
            (None, today + 2 * day, 5),
            (today - day, today + 2 * day, 5),
            (today + 2 * day, None, 0),
            (None, today - day, 0),
        ):
            listing = mailbox.poll(since, before)
            assert (len(listing.uids), listing.complete) == (count, False)


@pytest.mark.parametrize("folder", ['Ünter & "Ordner"', "with space", "a/b"])
def test_folders_of_any_name_are_opened(dovecot, tmp_path, folder) -> None:
    """Letters beyond ASCII, spaces, quotes, levels."""
    user = dovecot.new_user()
    dovecot.doveadm("mailbox", "create", "-u", user.name, folder)
    with open_mailbox(user, tmp_path, folder=folder) as mailbox:
        assert mailbox.poll().mailbox.folder == folder


def test_a_folder_that_is_missing_is_said(dovecot, tmp_path) -> None:
    """With its name and what to do, and not asked for every minute."""
    with (
        open_mailbox(dovecot.new_user(), tmp_path, folder="Nowhere") as mailbox,
        pytest.raises(CycleError, match="Nowhere of journal") as caught,
    ):
        mailbox.poll()
    assert "correct its name" in caught.value.hint
    assert caught.value.retry_after_s == 3600.0


def test_windows_cover_messages_that_come_and_go(tmp_path) -> None:
    """Bounds are UIDs: expunges between two windows hide nothing."""
    uids = range(1, 200_002, 2)
    gone = {"FETCH ": lambda _: [b"* 9 EXPUNGE\r\n" * 3, b"* 79997 FETCH (UID 159993)\r\n"]}
    with PlayedImap(gone, uids=uids) as server:
        with open_mailbox(server.user(), tmp_path) as mailbox:
            listing = mailbox.poll()
        searches = [each for each in server.commands if "SEARCH" in each]
    assert list(listing.uids) == list(uids)
    assert searches == ["UID SEARCH UID 1:159993", "UID SEARCH UID 159994:4294967295"]
