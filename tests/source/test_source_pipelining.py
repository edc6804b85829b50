"""The next FETCH is under way while the last is answered: orders, limits, and what goes wrong."""

from __future__ import annotations

import itertools
import re
import threading

import pytest
from fault_proxy import (
    Close,
    Cut,
    DropTagged,
    FaultProxy,
    LeaveOut,
    Nil,
    Reply,
    Rewrite,
    Rule,
    Shorten,
    Stall,
)
from imap_eyes import ImapUser
from played_imap import LATER, PlayedImap, spread
from source_samples import letter, open_mailbox

from collector.domain.errors import CycleError
from collector.domain.mailbox import Fetched, Unfetched
from collector.source import handover
from collector.source.account import Limits

SHORT = Limits(connect_s=2.0, silence_s=1.0, grace_s=2.0)
BODY = "UID FETCH .*BODY"
UIDS = range(1, 8)


@pytest.fixture(autouse=True)
def two_in_a_command(monkeypatch) -> None:
    """Seven messages are asked for with four commands."""
    monkeypatch.setattr(handover, "COMMAND_MESSAGES_MAX", 2)


def body(uid: int) -> bytes:
    """Return the bytes of a played message."""
    return b"%0100d" % uid


def answer_of(uid: int) -> bytes:
    """Return the answer to FETCH for a played message."""
    return b"* %d FETCH (UID %d RFC822.SIZE 100 BODY[] {100}\r\n%b)\r\n" % (uid, uid, body(uid))


class TwoAtOnce:
    """Answers commands two by two, in an order of its own; the last alone.

    Args:
        order: positions in the list of what there is to say: the bodies and the tagged
            line of the first command, then those of the second.
    """

    def __init__(self, order: tuple[int, ...]) -> None:
        self.order = order
        self.server: PlayedImap
        self.held: list[tuple[bytes, list[int]]] = []
        self.under_way_max = 0

    def __call__(self, command: str):
        found = re.search(r"UID FETCH (\S+)", command)
        self.held.append((self.server.tags[-1], list(spread(found[1]))))
        self.under_way_max = max(self.under_way_max, len(self.held))
        last = UIDS[-1] in self.held[-1][1]
        if len(self.held) < 2 and not last:
            return [LATER]
        said = []
        for tag, uids in self.held:
            said += [*map(answer_of, uids), tag + b" OK done\r\n"]
        self.held.clear()
        if len(said) == 6:
            said = [said[place] for place in self.order]
        return [*said, LATER]


ORDERS = {
    "one after the other": (0, 1, 2, 3, 4, 5),
    "the second first": (3, 4, 5, 0, 1, 2),
    "mixed": (3, 0, 4, 1, 5, 2),
    "the tagged lines last": (0, 3, 1, 4, 2, 5),
    "the tagged lines last and the wrong way round": (1, 4, 0, 3, 5, 2),
    "the second ended within the first": (0, 3, 4, 5, 1, 2),
}


def fetch_all(user: ImapUser, tmp_path, **changes) -> dict[int, Fetched | Unfetched]:
    """Fetch all seven; each is handed over once."""
    with open_mailbox(user, tmp_path, **changes) as mailbox:
        answers = list(mailbox.fetch(mailbox.announce(mailbox.poll().refs(0, len(UIDS)))))
    assert sorted(each.announced.ref.uid for each in answers) == list(UIDS)
    return {each.announced.ref.uid: each for each in answers}


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
def test_two_commands_are_under_way_and_their_answers_never_mixed(tmp_path, order) -> None:
    """A server that waits for the second before it answers the first, in whatever order."""
    two = TwoAtOnce(order)
    with PlayedImap({BODY: two}, uids=UIDS) as server:
        two.server = server
        answers = fetch_all(server.user(), tmp_path, limits=SHORT)
        assert server.connections_count == 1
    for uid, answer in answers.items():
        assert isinstance(answer, Fetched)
        assert answer.raw.window(0, 1000) == body(uid)
    assert two.under_way_max == 2


def test_a_third_command_waits_until_one_has_ended(tmp_path) -> None:
    """Two that are not answered are enough: nothing more is sent."""
    with PlayedImap({BODY: lambda _command: [LATER]}, uids=UIDS) as server:
        with (
            open_mailbox(server.user(), tmp_path, limits=SHORT) as mailbox,
            pytest.raises(CycleError, match="timed out"),
        ):
            list(mailbox.fetch(mailbox.announce(mailbox.poll().refs(0, 7))))
        sent = [each for each in server.commands if "BODY" in each]
        connections_count = server.connections_count
    alone = [each for each in sent if ":" not in each]
    assert len(sent) - len(alone) <= 2 * connections_count
    assert [each.split()[2] for each in sent[:2]] == ["1:2", "3:4"]


def test_a_tag_that_comes_twice_ends_the_connection(tmp_path) -> None:
    """What belongs to no command under way is believed by nobody; all is asked for again."""
    seen = itertools.count()

    def answer(command: str):
        found = re.search(r"UID FETCH (\S+)", command)
        yield from map(answer_of, spread(found[1]))
        if next(seen) == 0:
            yield server.tags[-1] + b" OK done\r\n"

    with PlayedImap({BODY: answer}, uids=UIDS) as server:
        answers = fetch_all(server.user(), tmp_path, limits=SHORT)
        assert server.connections_count == 3  # and one for those that are in doubt
    assert all(isinstance(each, Fetched) for each in answers.values())


def test_a_command_that_is_refused_while_another_is_answered(tmp_path) -> None:
    """NO to the second comes before the first is answered: its messages are the suspects."""
    seen = itertools.count()

    def answer(command: str):
        found = re.search(r"UID FETCH (\S+)", command)
        match next(seen):
            case 0:
                return [LATER]
            case 1:
                return [server.tags[-1] + b" NO [SERVERBUG] internal error\r\n", LATER]
            case _:
                return [answer_of(uid) for uid in spread(found[1])]

    with PlayedImap({BODY: answer}, uids=UIDS) as server:
        answers = fetch_all(server.user(), tmp_path, limits=SHORT)
        sent = [each.split()[2] for each in server.commands if "BODY" in each]
    assert sent == ["1:2", "3:4", "1:2", "5:6", "7", "3", "4"]
    assert all(isinstance(each, Fetched) for each in answers.values())


@pytest.fixture
def filled(dovecot):
    """Return a user with seven messages, and their bytes by UID."""
    user = dovecot.new_user()
    raws = [letter(number, size_bytes=3000) for number in range(len(UIDS))]
    user.append_many(raws)
    return user, dict(zip(UIDS, raws, strict=True))


def check_whole(answers, filled) -> None:
    """Check that what was handed over is what the server holds."""
    for uid, answer in answers.items():
        if isinstance(answer, Fetched):
            assert answer.raw.window(0, 10**6) == filled[1][uid]


@pytest.mark.dovecot
def test_a_real_server_answers_several_commands_over_one_connection(
    dovecot, filled, tmp_path
) -> None:
    """Four commands, one connection, nothing asked for twice."""
    with FaultProxy(dovecot) as proxy:
        answers = fetch_all(proxy.user(filled[0]), tmp_path)
        sent = [each.split()[2] for each in proxy.commands if "BODY" in each]
        assert proxy.connections_count == 1
    check_whole(answers, filled)
    assert all(isinstance(each, Fetched) for each in answers.values())
    assert sent == ["1:2", "3:4", "5:6", "7"]


@pytest.mark.dovecot
@pytest.mark.parametrize("command", ["1:2", "3:4", "7"])
@pytest.mark.parametrize(
    "action",
    [
        Cut(at=100),
        Stall(at=100, seconds=5.0),
        Shorten(by=7),
        Nil(),
        Close(),
        DropTagged(),
        LeaveOut(r"FETCH \(UID "),
        Rewrite(r"^(\w+) OK Fetch.*", r"\1 NO [SERVERBUG] not quite\r"),
        Rewrite(r"^(\w+) OK Fetch.*", r"\1 OK\r"),
        Rewrite(r"^(\w+) OK Fetch", r"X OK Fetch"),
        Reply(("{tag} NO [SERVERBUG] Internal error",)),
        Reply(("* BYE internal error",), then_close=True),
        Reply(("{tag} BAD what?",)),
        Reply(("garbage without a star",)),
    ],
    ids=repr,
)
def test_a_fault_in_one_command_does_not_touch_the_others(
    dovecot, filled, tmp_path, action, command
) -> None:
    """The first, the second or the last fails once: all seven are handed over."""
    rule = Rule(f"UID FETCH {command} .*BODY", action)
    with FaultProxy(dovecot, rule) as proxy:
        answers = fetch_all(proxy.user(filled[0]), tmp_path, limits=SHORT)
        assert len(proxy.fired) == 1
    assert all(isinstance(each, Fetched) for each in answers.values())
    check_whole(answers, filled)


@pytest.mark.dovecot
def test_a_message_that_stays_broken_holds_up_no_other_command(dovecot, filled, tmp_path) -> None:
    """It is set aside; those before it and behind it are handed over."""
    rules = [
        Rule("UID FETCH 3:4 .*BODY", Cut(which=2, at=9), times=0),
        Rule("UID FETCH 4 .*BODY", Cut(at=9), times=0),
    ]
    with FaultProxy(dovecot, *rules) as proxy:
        answers = fetch_all(proxy.user(filled[0]), tmp_path)
    assert [uid for uid, each in answers.items() if isinstance(each, Unfetched)] == [4]
    check_whole(answers, filled)


@pytest.mark.dovecot
def test_a_server_that_throttles_meanwhile_is_waited_for(dovecot, filled, tmp_path) -> None:
    """BYE with a waiting time, to the second command: the cycle ends with that time."""
    bye = Reply(("* BYE Suggested Backoff Time: 5000 milliseconds",), then_close=True)
    with (
        FaultProxy(dovecot, Rule("UID FETCH 3:4 .*BODY", bye)) as proxy,
        open_mailbox(proxy.user(filled[0]), tmp_path) as mailbox,
    ):
        announced = mailbox.announce(mailbox.poll().refs(0, 7))
        with pytest.raises(CycleError) as caught:
            list(mailbox.fetch(announced))
        assert len(list(mailbox.fetch(announced))) == 7
    assert caught.value.retry_after_s == 5.0


@pytest.mark.dovecot
@pytest.mark.parametrize("taken_count", [1, 2, 3, 6])
def test_leaving_early_leaves_no_command_unread(dovecot, filled, tmp_path, taken_count) -> None:
    """Wherever it is left, the next answers on that mailbox are right."""
    with open_mailbox(filled[0], tmp_path) as mailbox:
        announced = mailbox.announce(mailbox.poll().refs(0, 7))
        answers = mailbox.fetch(announced)
        taken = list(itertools.islice(answers, taken_count))
        answers.close()
        assert list(mailbox.poll().uids) == list(UIDS)
        taken += mailbox.fetch(announced[taken_count:])
    check_whole({each.announced.ref.uid: each for each in taken}, filled)
    assert len(taken) == 7


@pytest.mark.dovecot
def test_a_size_that_is_a_hint_is_asked_for_again_before_the_rest(
    dovecot, filled, tmp_path
) -> None:
    """Every command is sent twice on one connection; all are accepted, with the remark."""
    wrong = Rule("UID FETCH", Rewrite(r"RFC822\.SIZE \d+", "RFC822.SIZE 4000"), times=0)
    with FaultProxy(dovecot, wrong) as proxy:
        answers = fetch_all(proxy.user(filled[0]), tmp_path, size_is_hint=True)
        sent = [each.split()[2] for each in proxy.commands if "BODY" in each]
        assert proxy.connections_count == 1
    assert [each.flags for each in answers.values()] == [("size-mismatch",)] * 7
    check_whole(answers, filled)
    assert sent == ["1:2", "3:4", "1:2", "3:4", "5:6", "7", "5:6", "7"]


@pytest.mark.dovecot
def test_a_thief_meanwhile_is_survived(dovecot, filled, tmp_path) -> None:
    """Messages that another client deletes under the commands are true or not handed over."""
    user = filled[0]

    def steal() -> None:
        for uid in (2, 4, 6):
            user.command("UID", "STORE", str(uid), "+FLAGS", r"(\Deleted)")
            user.command("UID", "EXPUNGE", str(uid))

    thief = threading.Thread(target=steal)
    with open_mailbox(user, tmp_path) as mailbox:
        announced = mailbox.announce(mailbox.poll().refs(0, 7))
        thief.start()
        answers = {each.announced.ref.uid: each for each in mailbox.fetch(announced)}
        thief.join()
    check_whole(answers, filled)
    assert {uid for uid, each in answers.items() if isinstance(each, Unfetched)} <= {2, 4, 6}


def test_tagged_lines_may_come_for_all_commands_at_the_end(tmp_path) -> None:
    """As from Dovecot: the next command is not kept back until one before it has ended."""

    def answer(command: str):
        found = re.search(r"UID FETCH (\S+)", command)
        yield from map(answer_of, spread(found[1]))
        if found[1] != "7":
            yield LATER
        yield from (tag + b" OK done\r\n" for tag in server.tags[-4:])
        yield LATER

    with PlayedImap({BODY: answer}, uids=UIDS) as server:
        answers = fetch_all(server.user(), tmp_path, limits=SHORT)
        assert server.connections_count == 1
    assert all(isinstance(each, Fetched) for each in answers.values())


def test_tagged_lines_that_never_come_cost_a_wait_and_no_message(tmp_path) -> None:
    """Commands without an end are limited; what was answered was handed over."""
    uids = range(1, 31)

    def answer(command: str):
        found = re.search(r"UID FETCH (\S+)", command)
        yield from map(answer_of, spread(found[1]))
        yield LATER

    with PlayedImap({BODY: answer}, uids=uids) as server:
        with open_mailbox(server.user(), tmp_path, limits=SHORT) as mailbox:
            answers = list(mailbox.fetch(mailbox.announce(mailbox.poll().refs(0, len(uids)))))
        sent = [each.split()[2] for each in server.commands if "BODY" in each]
        assert server.connections_count == 2
    assert [each.announced.ref.uid for each in answers] == list(uids)
    assert all(isinstance(each, Fetched) for each in answers)
    assert len(sent) == 15
