"""Broken connections and broken answers: every row of the imap reference, 1.6 and 2.2.

Each fault is made by the proxy in front of a real Dovecot.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from fault_proxy import (
    Announce,
    Close,
    Cut,
    DropTagged,
    FaultProxy,
    Flip,
    Hold,
    Inject,
    LeaveOut,
    Nil,
    Reply,
    Rewrite,
    Rule,
    Shorten,
    Slow,
    Stall,
    Substitute,
)
from source_samples import letter, open_mailbox

from collector.domain.blob import Digest, RawBytes
from collector.domain.errors import CycleError
from collector.domain.mailbox import Fetched, Unfetched
from collector.source.account import Limits

pytestmark = pytest.mark.dovecot

BODY = r"UID FETCH .*BODY"
SHORT = Limits(connect_s=2.0, silence_s=1.0, grace_s=2.0)


@pytest.fixture
def filled(dovecot):
    """Return a user with five messages, and their bytes by UID."""
    user = dovecot.new_user()
    raws = [letter(number, size_bytes=3000) for number in range(5)]
    user.append_many(raws)
    return user, dict(enumerate(raws, 1))


def hand_over(dovecot, filled, tmp_path, *rules, **changes):
    """Fetch all five through a proxy; return the answers by UID, and the proxy."""
    user, _ = filled
    with FaultProxy(dovecot, *rules) as proxy:
        with open_mailbox(proxy.user(user), tmp_path, **changes) as mailbox:
            announced = mailbox.announce(mailbox.poll().refs(0, 5))
            answers = list(mailbox.fetch(announced))
        assert len(answers) == 5
        return {each.announced.ref.uid: each for each in answers}, proxy


def check_whole(answers, filled) -> None:
    """Check that what was handed over is what the server holds."""
    for uid, answer in answers.items():
        if isinstance(answer, Fetched):
            assert answer.raw.window(0, 10**6) == filled[1][uid]


@pytest.mark.parametrize(
    "action",
    [
        Cut(which=3, at=100),
        Cut(which=1, at=0),
        Stall(which=3, at=100, seconds=5.0),
        Shorten(which=3, by=7),
        Nil(which=3),
        Substitute(which=3),
        Announce(which=3),
        DropTagged(),
        LeaveOut(r"FETCH \(UID 3 "),
        Rewrite(r"UID 3 ", ""),
        Rewrite(r"UID 3 RFC822\.SIZE \d+", "UID 3 RFC822.SIZE 0"),
        Rewrite(r"UID 3 RFC822\.SIZE \d+", "UID 3 RFC822.SIZE 99999999999999999999999"),
        Rewrite(r"\* 3 FETCH \(", "* 3 FETCH (("),
        Reply(("{tag} NO [SERVERBUG] Internal error",)),
        Reply(("* 9 EXISTS", "* BYE internal error"), then_close=True),
        Reply(("{tag} BAD what?",)),
        Reply(("garbage without a star",)),
        Reply(("{tag} OK done",)),
        Rewrite(r"^(\w+) OK Fetch.*", r"\1 NO [SERVERBUG] not quite\r"),
        Rewrite(r"^(\w+) OK Fetch.*", r"\1 OK\r"),
        Inject(("* 3 FETCH (FLAGS (\\Seen))", "* 3 FETCH (UID 3 FLAGS (\\Seen))", "* 9 RECENT")),
        Close(),
    ],
    ids=repr,
)
def test_a_fault_that_passes_costs_nothing(dovecot, filled, tmp_path, action) -> None:
    """What fails once is asked for again on a new connection: all five are handed over."""
    answers, proxy = hand_over(dovecot, filled, tmp_path, Rule(BODY, action), limits=SHORT)
    assert [type(answers[uid]) for uid in range(1, 6)] == [Fetched] * 5
    check_whole(answers, filled)
    assert len(proxy.fired) == 1


@pytest.mark.parametrize(
    ("action", "why"),
    [
        (Cut(at=100), "the connection was closed within a message"),
        (Stall(at=100, seconds=5.0), "the read operation timed out"),
        (Shorten(by=7), "bytes"),
        (Nil(), "handed over as NIL"),
        (Substitute(), "listed with"),
        (Announce(), "announces 10737418240 bytes"),
        (Rewrite(r"UID 3 RFC822\.SIZE \d+", "UID 3 RFC822.SIZE 7"), "handed over with 7"),
        (LeaveOut(r"FETCH \(UID 3 "), "left out of two answers"),
        (Reply(("{tag} NO [CORRUPTION] broken index",)), "CORRUPTION"),
        (Reply(("{tag} NO [LIMIT] too large",)), "LIMIT"),
        (Reply(("{tag} NO [SERVERBUG] Internal error",)), "SERVERBUG"),
        (Reply(("* BYE Internal error occurred",), then_close=True), "Internal error"),
        (Reply(("{tag} BAD what?",)), "BAD what?"),
    ],
    ids=repr,
)
def test_a_message_that_stays_broken_is_set_aside(dovecot, filled, tmp_path, action, why) -> None:
    """One message that always fails is not handed over; the other four are."""
    of_batch = replace(action, which=3) if hasattr(action, "which") else action
    whole = Rule(r"UID FETCH 1:5 .*BODY", of_batch, times=0)
    rest = Rule(r"UID FETCH 4:5 .*BODY", Hold(0.0), times=0)
    alone = Rule(r"UID FETCH 3 .*BODY", action, times=0)
    answers, _ = hand_over(dovecot, filled, tmp_path, whole, rest, alone, limits=SHORT)
    assert [uid for uid in range(1, 6) if isinstance(answers[uid], Unfetched)] == [3]
    assert why.lower() in answers[3].error.what.lower()
    assert "UID 3" in answers[3].error.subject
    check_whole(answers, filled)


def test_a_server_that_always_breaks_ends_the_cycle(dovecot, filled, tmp_path) -> None:
    """Without a single message in between, a few lost connections are enough."""
    with FaultProxy(dovecot, Rule(BODY, Cut(at=5), times=0)) as proxy:
        with open_mailbox(proxy.user(filled[0]), tmp_path) as mailbox:
            answers = mailbox.fetch(mailbox.announce(mailbox.poll().refs(0, 5)))
            with pytest.raises(CycleError, match="closed within a message"):
                list(answers)
        assert len(proxy.fired) == Limits().breaks_max


def test_two_broken_messages_do_not_hold_up_the_rest(dovecot, filled, tmp_path) -> None:
    """Each is asked for twice; the others are handed over."""
    rules = [
        Rule("UID FETCH 1:5 .*BODY", Cut(which=2, at=9)),
        Rule("UID FETCH 3:5 .*BODY", Cut(which=2, at=9)),
        Rule("UID FETCH [24] .*BODY", Cut(at=9), times=0),
    ]
    answers, _ = hand_over(dovecot, filled, tmp_path, *rules)
    unfetched = [uid for uid, each in sorted(answers.items()) if isinstance(each, Unfetched)]
    assert unfetched == [2, 4]


@pytest.mark.parametrize("command", ["SELECT", "UID SEARCH", "UID FETCH .*INTERNALDATE"])
@pytest.mark.parametrize(
    "action",
    [Close(), DropTagged(), Reply(("{tag} NO [INUSE] later",)), Reply(("* garbage", "nonsense"))],
    ids=repr,
)
def test_a_lost_answer_ends_the_cycle_and_the_next_one_works(
    dovecot, filled, tmp_path, command, action
) -> None:
    """The error is a CycleError, whatever was lost; nothing is remembered of it."""
    with FaultProxy(dovecot, Rule(command, action)) as proxy:
        with open_mailbox(proxy.user(filled[0]), tmp_path, limits=SHORT) as mailbox:
            with pytest.raises(CycleError, match=r"cannot be (listed|asked for): ") as caught:
                mailbox.announce(mailbox.poll().refs(0, 5))
            assert caught.value.retry_after_s is None
            assert len(mailbox.announce(mailbox.poll().refs(0, 5))) == 5
        assert proxy.connections_count == 2


@pytest.mark.parametrize(
    ("action", "why"),
    [
        (Reply(("* BYE overloaded",), then_close=True), "BYE overloaded"),
        (Close(), "closed"),
        (Hold(5.0), "timed out"),
        (Reply(("SSH-2.0-OpenSSH_9.2",), then_close=True), "not IMAP"),
        (Reply(("* OK" + " x" * 600_000,), then_close=True), "does not end"),
    ],
    ids=repr,
)
def test_a_greeting_that_is_none_ends_the_cycle(dovecot, filled, tmp_path, action, why) -> None:
    """A server that does not greet is not there now."""
    with (
        FaultProxy(dovecot, Rule("GREETING", action)) as proxy,
        open_mailbox(proxy.user(filled[0]), tmp_path, limits=SHORT) as mailbox,
    ):
        with pytest.raises(CycleError) as caught:
            mailbox.poll()
        assert why in str(caught.value)
        assert len(mailbox.poll().uids) == 5


def test_a_changed_byte_is_seen_by_nothing_in_imap(dovecot, filled, tmp_path) -> None:
    """Sizes agree, so it is handed over; TLS is what protects the bytes on their way."""
    answers, _ = hand_over(dovecot, filled, tmp_path, Rule(BODY, Flip(which=3, at=500)))
    raw = answers[3].raw.window(0, 10**6)
    assert len(raw) == len(filled[1][3])
    assert raw != filled[1][3]
    assert answers[3].raw.digest == Digest.of(raw)


def test_leaving_early_leaves_nothing_unread(dovecot, filled, tmp_path) -> None:
    """After a batch that was left early the next answers are right."""
    with open_mailbox(filled[0], tmp_path) as mailbox:
        announced = mailbox.announce(mailbox.poll().refs(0, 5))
        answers = mailbox.fetch(announced)
        assert isinstance(next(answers), Fetched)
        answers.close()
        assert list(mailbox.poll().uids) == [1, 2, 3, 4, 5]
        rest = list(mailbox.fetch(announced[1:]))
        check_whole({each.announced.ref.uid: each for each in rest}, filled)
        assert len(rest) == 4


def test_a_size_may_be_a_hint_when_the_bytes_come_twice(dovecot, filled, tmp_path) -> None:
    """With ``size_is_hint`` a literal of another length is accepted once it came twice."""
    wrong = Rewrite(r"RFC822\.SIZE \d+", "RFC822.SIZE 4000")
    rules = [Rule("UID FETCH", wrong, times=0)]
    answers, _ = hand_over(dovecot, filled, tmp_path, *rules, size_is_hint=True)
    assert [each.flags for each in answers.values()] == [("size-mismatch",)] * 5
    check_whole(answers, filled)
    rules.append(Rule("UID FETCH 1:5 .*BODY", Shorten(which=3, by=3), nth=2))
    answers, proxy = hand_over(dovecot, filled, tmp_path, *rules, size_is_hint=True)
    assert isinstance(answers[3], Fetched)  # the first and the third time
    assert proxy.connections_count == 2
    rules.append(Rule("UID FETCH 3 .*BODY", Shorten(by=5), times=0))
    answers, _ = hand_over(dovecot, filled, tmp_path, *rules, size_is_hint=True)
    assert isinstance(answers[3], Unfetched)
    check_whole(answers, filled)
    answers, _ = hand_over(dovecot, filled, tmp_path, rules[0])
    assert all(isinstance(each, Unfetched) for each in answers.values())


def test_a_kept_connection_that_ended_is_opened_again(dovecot, filled, tmp_path) -> None:
    """Servers end idle connections and expired tokens: the next poll is no failure."""
    for action in (
        Close(),
        DropTagged(),
        Reply(("* BYE Session invalidated - AccessTokenExpired",), then_close=True),
        Reply(("* BYE Disconnected for inactivity.",), then_close=True),
    ):
        with FaultProxy(dovecot, Rule("SELECT", action, nth=2)) as proxy:
            with open_mailbox(proxy.user(filled[0]), tmp_path) as mailbox:
                mailbox.poll()
                assert len(mailbox.poll().uids) == 5
            assert proxy.connections_count == 2
    throttled = Reply(("* BYE Suggested Backoff Time: 5000 milliseconds",), then_close=True)
    with FaultProxy(dovecot, Rule("SELECT", throttled, nth=2)) as proxy:
        with open_mailbox(proxy.user(filled[0]), tmp_path) as mailbox:
            mailbox.poll()
            with pytest.raises(CycleError) as caught:
                mailbox.poll()
        assert proxy.connections_count == 1
    assert caught.value.retry_after_s == 5.0


def test_a_batch_never_fills_the_memory(dovecot, filled, tmp_path) -> None:
    """Where no sizes were told, what exceeds the room for a batch is spooled."""
    rule = Rule("INTERNALDATE", Rewrite(r"RFC822\.SIZE \d+ ", ""), nth=1)
    limits = Limits(memory_bytes_max=7000)
    answers, _ = hand_over(dovecot, filled, tmp_path, rule, limits=limits)
    assert sum(isinstance(each.raw, RawBytes) for each in answers.values()) == 2
    check_whole(answers, filled)


def test_a_slow_link_is_no_fault(dovecot, filled, tmp_path) -> None:
    """A rate above the least one is waited for."""
    limits = Limits(grace_s=0.5, rate_min=4000)
    rule = Rule(BODY, Slow(bytes_per_s=12_000))
    answers, _ = hand_over(dovecot, filled, tmp_path, rule, limits=limits)
    assert all(isinstance(each, Fetched) for each in answers.values())


def test_a_message_over_the_limit_is_not_asked_for(dovecot, filled, tmp_path) -> None:
    """It is set aside without a fetch."""
    answers, proxy = hand_over(dovecot, filled, tmp_path, message_bytes_max=2000)
    assert all("message_size_max" in each.error.what for each in answers.values())
    assert not [each for each in proxy.commands if "BODY" in each]


def test_a_size_that_comes_late_is_held_against_the_limit(dovecot, filled, tmp_path) -> None:
    """Left out of the first answer, told in the second: still too large."""
    rule = Rule("INTERNALDATE", Rewrite(r"RFC822\.SIZE \d+ ", ""))
    answers, proxy = hand_over(dovecot, filled, tmp_path, rule, message_bytes_max=2000)
    assert all("message_size_max" in each.error.what for each in answers.values())
    assert not [each for each in proxy.commands if "BODY" in each]


def test_a_message_that_is_gone_is_not_handed_over(dovecot, filled, tmp_path) -> None:
    """Another client deletes it after the announcement: SIZE 0 and NIL are no message."""
    user = filled[0]
    with open_mailbox(user, tmp_path) as mailbox:
        announced = mailbox.announce(mailbox.poll().refs(0, 5))
        user.command("UID", "STORE", "3", "+FLAGS", r"(\Deleted)")
        user.command("UID", "EXPUNGE", "3")
        answers = {each.announced.ref.uid: each for each in mailbox.fetch(announced)}
    assert isinstance(answers[3], Unfetched)
    assert sum(isinstance(each, Fetched) for each in answers.values()) == 4


def test_a_spool_that_cannot_be_written_ends_the_cycle(dovecot, tmp_path) -> None:
    """A missing spool directory is said, with its path; the message is not blamed."""
    user = dovecot.new_user()
    user.append(letter(1, size_bytes=50_000))
    elsewhere = tmp_path / "nowhere"
    limits = Limits(memory_bytes_max=10_000)
    with open_mailbox(user, tmp_path, spool_dir=elsewhere, limits=limits) as mailbox:
        announced = mailbox.announce(mailbox.poll().refs(0, 1))
        with pytest.raises(CycleError, match="cannot be held on its way") as caught:
            list(mailbox.fetch(announced))
    assert caught.value.subject == str(elsewhere)
