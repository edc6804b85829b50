r"""Deletion: exactly what is proven, and nothing on any doubt.

Dovecot is real; the proxy plays what a server or a network does wrong (imap reference,
2.1 to 2.4).
"""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from fault_proxy import Close, DropTagged, FaultProxy, Inject, LeaveOut, Reply, Rewrite, Rule
from source_samples import letter, open_mailbox, proofs_of

from collector.domain.errors import CycleError
from collector.domain.mailbox import Fetched, Removal

pytestmark = pytest.mark.dovecot

ALL = [1, 2, 3, 4, 5, 6]


@pytest.fixture
def filled(dovecot):
    """Return a user with six messages."""
    user = dovecot.new_user()
    user.append_many([letter(number) for number in range(6)])
    return user


def expunge_through(dovecot, user, tmp_path, uids, *rules):
    """Expunge through a proxy; return it."""
    with FaultProxy(dovecot, *rules) as proxy:
        with open_mailbox(proxy.user(user), tmp_path) as mailbox:
            listing = mailbox.poll()
            mailbox.expunge(proofs_of(listing, uids), listing.removal)
        return proxy


def test_the_commands_come_in_the_order_that_held(dovecot, filled, tmp_path) -> None:
    """NOOP, look, flag, UID EXPUNGE of exactly the proven; no CLOSE, no plain EXPUNGE."""
    proxy = expunge_through(dovecot, filled, tmp_path, [2, 3, 5])
    after_listing = proxy.commands[proxy.commands.index("UID SEARCH ALL") + 1 :]
    assert after_listing == [
        "NOOP",
        "UID FETCH 2:3,5 (UID FLAGS RFC822.SIZE)",
        r"UID STORE 2:3,5 +FLAGS (\Deleted)",
        "UID EXPUNGE 2:3,5",
        "LOGOUT",
    ]
    assert sorted(filled.messages()) == [1, 4, 6]


def test_another_uidvalidity_deletes_nothing(dovecot, filled, tmp_path) -> None:
    """Proofs of a folder that was made anew meanwhile are refused."""
    user = filled
    with open_mailbox(user, tmp_path) as mailbox:
        listing = mailbox.poll()
    dovecot.renumber(user)
    with open_mailbox(user, tmp_path) as mailbox:
        assert mailbox.poll().uidvalidity != listing.uidvalidity
        for act in (
            lambda: mailbox.expunge(proofs_of(listing, ALL), listing.removal),
            lambda: mailbox.announce(listing.refs(0, 6)),
        ):
            with pytest.raises(CycleError, match="renumbered"):
                act()
    assert sorted(user.messages()) == ALL
    assert set().union(*user.flags().values()) == set()


@pytest.mark.parametrize("command", ["NOOP", "UID FETCH", "UID STORE", "UID EXPUNGE"])
@pytest.mark.parametrize("action", [Close(), DropTagged(), Reply(("{tag} NO no",))], ids=repr)
def test_a_lost_answer_is_no_harm(dovecot, filled, tmp_path, command, action) -> None:
    """Executed or not: the same call again deletes the rest of the proven, and only that."""
    with (
        FaultProxy(dovecot, Rule(command, action)) as proxy,
        open_mailbox(proxy.user(filled), tmp_path) as mailbox,
    ):
        listing = mailbox.poll()
        proofs = proofs_of(listing, [2, 3, 5])
        with pytest.raises(CycleError, match="messages cannot be removed"):
            mailbox.expunge(proofs, listing.removal)
        assert set(mailbox.poll().uids) >= {1, 4, 6}
        mailbox.expunge(proofs, listing.removal)
        assert list(mailbox.poll().uids) == [1, 4, 6]


def test_a_message_the_server_does_not_confirm_stays(dovecot, filled, tmp_path) -> None:
    """What is left out of the answer to STORE is not expunged."""
    rule = Rule("UID STORE", LeaveOut(r"UID 3 "))
    proxy = expunge_through(dovecot, filled, tmp_path, [2, 3, 5], rule)
    assert "UID EXPUNGE 2,5" in proxy.commands
    assert sorted(filled.messages()) == [1, 3, 4, 6]


def test_a_message_that_is_gone_is_not_flagged(dovecot, filled, tmp_path) -> None:
    """What the look does not show is not asked for any further."""
    with open_mailbox(filled, tmp_path) as mailbox:
        listing = mailbox.poll()
        filled.command("UID", "STORE", "3", "+FLAGS", r"(\Deleted)")
        filled.command("UID", "EXPUNGE", "3")
        mailbox.expunge(proofs_of(listing, [2, 3, 9]), listing.removal)
        assert list(mailbox.poll().uids) == [1, 4, 5, 6]


def test_another_message_under_a_proven_uid_is_left_alone(dovecot, filled, tmp_path) -> None:
    """A UID whose message has another size than the proven one is told and not deleted."""
    with open_mailbox(filled, tmp_path) as mailbox:
        listing = mailbox.poll()
        proofs = proofs_of(listing, [2, 3])
        proofs[0] = replace(proofs[0], size_bytes=proofs[0].size_bytes + 1)
        assert mailbox.expunge(proofs, listing.removal) == [proofs[0]]
    assert sorted(filled.messages()) == [1, 2, 4, 5, 6]


def test_a_wrong_flag_stops_the_deletion_and_is_taken_off(dovecot, filled, tmp_path) -> None:
    r"""A server that flags another message than asked (DBMail): nothing goes, flags come off."""
    rule = Rule("UID STORE 2 ", Rewrite(r"UID 2 ", "UID 4 "))
    with pytest.raises(CycleError, match="was not asked to"):
        expunge_through(dovecot, filled, tmp_path, [2], rule)
    assert sorted(filled.messages()) == ALL
    wrong = [r"* 4 FETCH (UID 4 FLAGS (\Deleted))"]
    filled.command("UID", "STORE", "4", "+FLAGS", r"(\Deleted)")
    rule = Rule("UID STORE 5 ", Inject(tuple(wrong)))
    with pytest.raises(CycleError, match="was not asked to"):
        expunge_through(dovecot, filled, tmp_path, [5], rule)
    assert sorted(filled.messages()) == ALL
    assert set().union(*filled.flags().values()) == set()


def test_flags_without_uid_and_other_news_are_no_evidence(dovecot, filled, tmp_path) -> None:
    """Unsolicited answers confirm nothing and disturb nothing."""
    news = (r"* 4 FETCH (FLAGS (\Deleted))", r"* 3 FETCH (UID 3 FLAGS (\Seen))", "* 9 RECENT")
    rule = Rule("UID STORE", Inject(news))
    proxy = expunge_through(dovecot, filled, tmp_path, [2, 5], rule)
    assert "UID EXPUNGE 2,5" in proxy.commands
    assert sorted(filled.messages()) == [1, 3, 4, 6]


def test_what_was_flagged_before_a_crash_is_expunged(dovecot, filled, tmp_path) -> None:
    """Dovecot does not confirm a flag that is set already; the look before it does."""
    filled.command("UID", "STORE", "2,5", "+FLAGS", r"(\Deleted)")
    expunge_through(dovecot, filled, tmp_path, [2, 3])
    assert sorted(filled.messages()) == [1, 4, 5, 6]


def test_expunge_without_effect_is_seen_by_the_next_poll(dovecot, filled, tmp_path) -> None:
    """OK is not evidence: what is still listed was not deleted."""
    with (
        FaultProxy(dovecot, Rule("UID EXPUNGE", Reply(("{tag} OK done",)))) as proxy,
        open_mailbox(proxy.user(filled), tmp_path) as mailbox,
    ):
        listing = mailbox.poll()
        mailbox.expunge(proofs_of(listing, [2]), listing.removal)
        assert list(mailbox.poll().uids) == ALL


def test_without_the_right_nothing_is_tried(dovecot, tmp_path) -> None:
    """Dovecot answers OK to STORE and EXPUNGE without the rights; PERMANENTFLAGS tells."""
    owner, reader = dovecot.new_user(), dovecot.new_user("reader")
    owner.append(letter(1))
    dovecot.doveadm(
        "acl", "set", "-u", owner.name, "INBOX", f"user={reader.name}", "lookup", "read"
    )
    with open_mailbox(reader, tmp_path, folder=f"shared/{owner.name}") as mailbox:
        listing = mailbox.poll()
        assert listing.removal is Removal.REFUSED
        assert "rights t and e" in listing.removal_refused_because
        assert len(listing.uids) == 1
        with pytest.raises(CycleError, match="cannot be removed"):
            mailbox.expunge(proofs_of(listing, [1]), listing.removal)
        (fetched,) = mailbox.fetch(mailbox.announce(listing.refs(0, 1)))
        assert isinstance(fetched, Fetched)
    assert len(owner.messages()) == 1


@pytest.fixture(scope="module")
def plain_dovecot(dovecot_with):
    """Return a Dovecot that shows neither UIDPLUS nor MOVE."""
    return dovecot_with(hidden=("UIDPLUS", "MOVE"))


def test_without_uidplus_and_move_deletion_is_refused(plain_dovecot, tmp_path) -> None:
    """It is said why, and what can be done; a folder to move to does not help."""
    user = plain_dovecot.new_user()
    with open_mailbox(user, tmp_path, deleted_folder="Trash") as mailbox:
        listing = mailbox.poll()
    assert listing.removal is Removal.REFUSED
    assert "deleted_folder" in listing.removal_refused_because


def test_without_uidplus_messages_are_moved(dovecot_with, tmp_path) -> None:
    """MOVE to a folder of ours, exactly the proven."""
    user = dovecot_with(hidden=("UIDPLUS",)).new_user()
    raws = [letter(number) for number in range(4)]
    user.append_many(raws)
    with open_mailbox(user, tmp_path, deleted_folder="Trash") as mailbox:
        listing = mailbox.poll()
        assert listing.removal is Removal.MOVE
        mailbox.expunge(proofs_of(listing, [2, 4]), listing.removal)
        assert list(mailbox.poll().uids) == [1, 3]
    assert sorted(user.messages("Trash").values()) == sorted([raws[1], raws[3]])


def test_a_folder_to_move_to_that_is_missing_is_said(dovecot_with, tmp_path) -> None:
    """Nothing is moved or deleted, and the hint names the folder."""
    user = dovecot_with(hidden=("UIDPLUS",)).new_user()
    user.append(letter(1))
    with open_mailbox(user, tmp_path, deleted_folder="Nowhere") as mailbox:
        listing = mailbox.poll()
        with pytest.raises(CycleError, match="make the folder") as caught:
            mailbox.expunge(proofs_of(listing, [1]), listing.removal)
        assert caught.value.retry_after_s == 3600.0
    assert len(user.messages()) == 1


def test_an_exclusive_mailbox_is_expunged_when_only_ours_are_flagged(
    plain_dovecot, tmp_path
) -> None:
    """Plain EXPUNGE after SEARCH DELETED equals our set."""
    user = plain_dovecot.new_user()
    user.append_many([letter(number) for number in range(4)])
    with open_mailbox(user, tmp_path, exclusive=True) as mailbox:
        listing = mailbox.poll()
        assert listing.removal is Removal.EXCLUSIVE_EXPUNGE
        mailbox.expunge(proofs_of(listing, [2, 4]), listing.removal)
        assert list(mailbox.poll().uids) == [1, 3]


def test_an_exclusive_mailbox_with_a_foreign_flag_is_left_alone(plain_dovecot, tmp_path) -> None:
    """Another client's flag would be expunged with ours: nothing goes, our flags come off."""
    user = plain_dovecot.new_user()
    user.append_many([letter(number) for number in range(4)])
    user.command("UID", "STORE", "1", "+FLAGS", r"(\Deleted)")
    with open_mailbox(user, tmp_path, exclusive=True) as mailbox:
        listing = mailbox.poll()
        with pytest.raises(CycleError, match="1 messages are flagged"):
            mailbox.expunge(proofs_of(listing, [2, 4]), listing.removal)
    assert user.flags() == {1: {b"\\Deleted"}, 2: set(), 3: set(), 4: set()}


def test_two_thousand_at_once_stay_within_every_server_s_limit(dovecot, tmp_path) -> None:
    """No command names more than 1,000 UIDs; 8 kB is what every server takes."""
    user = dovecot.new_user()
    raws = dict.fromkeys(range(1, 2101), letter(0))
    user.append_many(list(raws.values()), at_once=700)
    odd = list(range(1, 2101, 2))
    proxy = expunge_through(dovecot, user, tmp_path, odd)
    assert max(map(len, proxy.commands)) < 8192
    assert sorted(user.messages()) == list(range(2, 2101, 2))


def test_a_thief_meanwhile_gets_no_help(dovecot, tmp_path) -> None:
    """While another client deletes at random, ours alone vanish by us, and none is made up."""
    user = dovecot.new_user()
    raws = dict(enumerate((letter(number, 3000) for number in range(150)), 1))
    user.append_many(list(raws.values()))
    stolen = list(range(3, 150, 4))

    def steal() -> None:
        client = user.connected()
        client.select("INBOX")
        for uid in stolen:
            client.uid("STORE", str(uid), "+FLAGS", r"(\Deleted)")
            client.uid("EXPUNGE", str(uid))
        client.logout()

    thief = threading.Thread(target=steal)
    with open_mailbox(user, tmp_path) as mailbox:
        listing = mailbox.poll()
        thief.start()
        kept = set()
        for window in listing.windows(30):
            for answer in mailbox.fetch(mailbox.announce(window)):
                if isinstance(answer, Fetched):
                    uid = answer.announced.ref.uid
                    assert answer.raw.window(0, 10**6) == raws[uid]
                    kept.add(uid)
        thief.join()
        sizes = {uid: len(raw) for uid, raw in raws.items()}
        mailbox.expunge(proofs_of(listing, sorted(kept), sizes), listing.removal)
        assert kept | set(stolen) == set(raws)
        assert list(mailbox.poll().uids) == []
