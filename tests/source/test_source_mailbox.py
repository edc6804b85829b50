"""The mailbox over a real Dovecot, when nothing goes wrong."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
from fault_proxy import FaultProxy, Rule, Stall
from source_samples import account_of, letter, open_mailbox, proofs_of

from collector.domain.blob import Digest
from collector.domain.mailbox import Fetched, Removal

pytestmark = pytest.mark.dovecot


def test_an_empty_folder_lists_nothing(dovecot, tmp_path) -> None:
    """A poll of an empty folder is complete and empty."""
    with open_mailbox(dovecot.new_user(), tmp_path) as mailbox:
        listing = mailbox.poll()
        assert (list(listing.uids), listing.complete) == ([], True)
        assert listing.uidvalidity > 0
        assert listing.uidnext == 1
        assert listing.removal is Removal.UID_EXPUNGE


def test_what_was_put_in_comes_out_byte_for_byte(dovecot, tmp_path) -> None:
    """Every message is listed, announced and handed over exactly as the server holds it."""
    user = dovecot.new_user()
    raws = [letter(number) for number in range(25)]
    user.append_many(raws)
    with open_mailbox(user, tmp_path) as mailbox:
        listing = mailbox.poll()
        announced = mailbox.announce(listing.refs(0, 25))
        fetched = list(mailbox.fetch(announced))
    assert [each.size_bytes for each in announced] == [len(raw) for raw in raws]
    assert all(isinstance(each, Fetched) and each.flags == () for each in fetched)
    assert [each.raw.window(0, 10**9) for each in fetched] == raws
    assert [each.raw.digest for each in fetched] == [Digest.of(raw) for raw in raws]
    assert user.flags() == {uid: set() for uid in range(1, 26)}  # no \Seen


ODD = {
    "bare LF": b"Subject: lf\n\nline\nline\n",
    "bare CR": b"Subject: cr\r\n\r\none\rtwo\r\n",
    "CR CR LF": b"Subject: crcrlf\r\n\r\none\r\r\ntwo\r\n",
    "NUL": b"Subject: nul\r\n\r\na\0b\r\n",
    "no last line end": b"Subject: open\r\n\r\nno end",
    "no header": b"\r\nbody alone\r\n",
    "no body": b"Subject: header alone\r\n",
}


def test_what_the_server_changes_it_has_changed_before(dovecot, tmp_path) -> None:
    """Line ends, NUL: the bytes the server gives back are the message, whatever came in."""
    user = dovecot.new_user()
    user.append(*ODD.values())
    user.deliver(*(raw for name, raw in ODD.items() if name != "no header"))
    with open_mailbox(user, tmp_path) as mailbox:
        listing = mailbox.poll()
        fetched = list(mailbox.fetch(mailbox.announce(listing.refs(0, len(listing.uids)))))
    held = user.messages()
    assert len(held) == 2 * len(ODD) - 1
    assert {each.announced.ref.uid: each.raw.window(0, 10**6) for each in fetched} == held


def test_a_message_is_handed_over_as_soon_as_it_has_come(dovecot, tmp_path) -> None:
    """A batch is not waited for: what came before a stall is there during the stall."""
    user = dovecot.new_user()
    user.append_many([letter(number) for number in range(3)])
    with (
        FaultProxy(dovecot, Rule("UID FETCH .*BODY", Stall(which=3, at=5, seconds=3.0))) as proxy,
        open_mailbox(proxy.user(user), tmp_path) as mailbox,
    ):
        answers = mailbox.fetch(mailbox.announce(mailbox.poll().refs(0, 3)))
        began_s = time.monotonic()
        assert [next(answers).announced.ref.uid for _ in range(2)] == [1, 2]
        assert time.monotonic() - began_s < 2.0
        assert next(answers).announced.ref.uid == 3


def test_arrival_is_told_in_utc(dovecot, tmp_path) -> None:
    """INTERNALDATE arrives as an aware instant in UTC."""
    user = dovecot.new_user()
    user.append(letter(1))
    with open_mailbox(user, tmp_path) as mailbox:
        (announced,) = mailbox.announce(mailbox.poll().refs(0, 1))
    assert announced.internal_date.tzinfo is UTC
    assert abs(datetime.now(UTC) - announced.internal_date) < timedelta(minutes=5)


def test_exactly_the_proven_messages_are_deleted(dovecot, tmp_path) -> None:
    """Others stay, those that another client flagged as deleted too."""
    user = dovecot.new_user()
    user.append_many([letter(number) for number in range(10)])
    user.command("UID", "STORE", "2,3", "+FLAGS", r"(\Deleted)")
    with open_mailbox(user, tmp_path) as mailbox:
        listing = mailbox.poll()
        mailbox.expunge(proofs_of(listing, [3, 5, 7]), listing.removal)
        mailbox.expunge(proofs_of(listing, [3, 5, 7]), listing.removal)  # may be repeated
        assert list(mailbox.poll().uids) == [1, 2, 4, 6, 8, 9, 10]
    assert user.flags()[2] == {b"\\Deleted"}


def test_a_large_message_is_spooled(dovecot, tmp_path) -> None:
    """A message above the threshold lies in a file, and reads the same."""
    user = dovecot.new_user()
    raw = letter(1, size_bytes=9 * 1024**2)
    user.append(raw)
    with open_mailbox(user, tmp_path) as mailbox:
        (fetched,) = mailbox.fetch(mailbox.announce(mailbox.poll().refs(0, 1)))
        assert type(fetched.raw).__name__ == "SpooledMessage"
        assert fetched.raw.digest == Digest.of(raw)
        assert fetched.raw.window(0, len(raw) + 1) == raw
        assert fetched.raw.window(len(raw) - 3, 10) == raw[-3:]
    assert list(account_of(user, tmp_path).spool_dir.iterdir()) == []
