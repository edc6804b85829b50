"""What a server tells of changes since the last poll, and that nothing hangs on it."""

from __future__ import annotations

import pytest
from fault_proxy import FaultProxy
from played_imap import PlayedImap
from source_samples import letter, open_mailbox

from collector.domain.errors import CycleError
from collector.domain.mailbox import Flagged, Horizon, ServerKind

CAPABILITY = "IMAP4rev1 UIDPLUS ENABLE CONDSTORE QRESYNC"


def horizon_of(listing) -> Horizon:
    """Return what the ledger would keep of a listing."""
    return Horizon(listing.uidvalidity, listing.modseq)


def expunge(user, *uids: int) -> None:
    """Let another client delete."""
    shown = ",".join(map(str, uids))
    user.command("UID", "STORE", shown, "+FLAGS.SILENT", r"(\Deleted)")
    user.command("UID", "EXPUNGE", shown)


@pytest.fixture
def filled(dovecot):
    """Return a user with three messages."""
    user = dovecot.new_user()
    user.append_many([letter(number) for number in range(3)])
    return user


@pytest.mark.dovecot
def test_what_went_and_what_was_flagged_since_is_told(filled, tmp_path) -> None:
    """Even a message that no listing ever showed; over a new connection, as after a restart."""
    with open_mailbox(filled, tmp_path) as mailbox:
        first = mailbox.poll()
    assert (first.vanished, first.flagged, first.server) == (None, (), ServerKind.DOVECOT)
    filled.append_many([letter(number) for number in (4, 5, 6)])
    expunge(filled, 1, 4, 5)
    filled.command("UID", "STORE", "3", "+FLAGS", r"(\Seen $Junk)")
    with open_mailbox(filled, tmp_path) as mailbox:
        second = mailbox.poll(horizon=horizon_of(first))
        third = mailbox.poll(horizon=horizon_of(second))
    assert list(second.uids) == [2, 3, 6]
    assert second.vanished == ((1, 1), (4, 5))
    assert second.flagged == (Flagged(3, ("seen",)),)
    assert (third.vanished, third.flagged) == ((), ())


@pytest.mark.dovecot
def test_to_be_told_costs_no_round_trip(dovecot, filled, tmp_path) -> None:
    """SELECT asks and SEARCH lists, as without; an empty folder costs one."""
    with FaultProxy(dovecot) as proxy, open_mailbox(proxy.user(filled), tmp_path) as mailbox:
        horizon = horizon_of(mailbox.poll())
        before = len(proxy.commands)
        mailbox.poll(horizon=horizon)
        asked = f'SELECT "INBOX" (QRESYNC ({horizon.uidvalidity} {horizon.modseq}))'
        assert proxy.commands[before:] == [asked, "UID SEARCH ALL"]
        expunge(filled, 1, 2, 3)
        before = len(proxy.commands)
        assert mailbox.poll(horizon=horizon).vanished == ((1, 3),)
        assert proxy.commands[before:] == [asked]


@pytest.mark.dovecot
def test_another_epoch_tells_nothing(dovecot, filled, tmp_path) -> None:
    """UIDs of an old UIDVALIDITY are not the same messages."""
    with open_mailbox(filled, tmp_path) as mailbox:
        horizon = horizon_of(mailbox.poll())
        dovecot.renumber(filled)
    with open_mailbox(filled, tmp_path) as mailbox:
        assert mailbox.poll(horizon=horizon).vanished is None


@pytest.mark.dovecot
def test_a_server_without_qresync_is_asked_as_before(dovecot_with, tmp_path) -> None:
    """Nothing is told, nothing is claimed."""
    server = dovecot_with(hidden=("QRESYNC", "CONDSTORE", "ENABLE"))
    user = server.new_user()
    user.append_many([letter(1)])
    with FaultProxy(server) as proxy, open_mailbox(proxy.user(user), tmp_path) as mailbox:
        listing = mailbox.poll(horizon=Horizon(1, 1))
        assert 'SELECT "INBOX"' in proxy.commands
    assert (listing.modseq, listing.vanished) == (0, None)


@pytest.mark.dovecot
def test_a_deletion_told_while_idle_is_counted(filled, tmp_path) -> None:
    """VANISHED stands for EXPUNGE: a new message beside it is still noticed."""
    with open_mailbox(filled, tmp_path) as mailbox:
        mailbox.poll()
        expunge(filled, 1, 2)
        filled.append_many([letter(8)])
        assert mailbox.wait_for_arrival(20.0, lambda: False)


def resyncing(*lines: bytes, search: bytes = b"* SEARCH 5\r\n") -> dict:
    """Return the answers of a server that tells these lines when asked what changed."""
    selected = (b"* 1 EXISTS\r\n", b"* OK [UIDVALIDITY 7] .\r\n", b"* OK [UIDNEXT 6] .\r\n")
    modseq = b"* OK [HIGHESTMODSEQ 90] .\r\n"
    done = b"{tag} OK [READ-WRITE] selected\r\n"
    return {
        "ENABLE": lambda _: [b"* ENABLED QRESYNC\r\n"],
        r"SELECT .*QRESYNC": lambda _: [*selected, modseq, *lines, done],
        "SELECT": lambda _: [*selected, modseq, done],
        "UID SEARCH": lambda _: [search],
    }


def told(answers: dict, tmp_path, polls: int = 1):
    """Return the last of some polls of a played server."""
    server = PlayedImap(answers, capability=CAPABILITY)
    with server, open_mailbox(server.user(), tmp_path) as mailbox:
        for _ in range(polls - 1):
            with pytest.raises(CycleError):
                mailbox.poll(horizon=Horizon(7, 3))
        return mailbox.poll(horizon=Horizon(7, 3))


def test_a_server_that_calls_every_number_vanished_costs_one_range(tmp_path) -> None:
    """RFC 7162 lets a server without history do so."""
    answers = resyncing(b"* VANISHED (EARLIER) 4294967295:6,1:4\r\n")
    assert told(answers, tmp_path).vanished == ((1, 4), (6, 4294967295))


def test_a_deletion_told_within_the_listing_is_not_forgotten(tmp_path) -> None:
    """Its UID is in no listing, before or after."""
    answers = resyncing(search=b"* VANISHED 4\r\n* SEARCH \r\n")
    listing = told(answers, tmp_path)
    assert (listing.vanished, list(listing.uids), listing.complete) == (((4, 4),), [], True)


def test_more_than_can_be_kept_counts_as_not_told(tmp_path) -> None:
    """A hundred thousand scattered numbers are no evidence, and no failure."""
    scattered = b",".join(b"%d" % uid for uid in range(1, 200_000, 2))
    listing = told(resyncing(b"* VANISHED (EARLIER) " + scattered + b"\r\n"), tmp_path)
    assert (listing.vanished, listing.modseq) == (None, 90)


def test_an_answer_that_cannot_be_read_does_not_hold_up_collecting(tmp_path) -> None:
    """After two polls that broke, one is made without asking."""
    answers = resyncing(b"* VANISHED (EARLIER) " + b"1," * 2_000_000 + b"1\r\n")
    listing = told(answers, tmp_path, polls=3)
    assert (listing.vanished, list(listing.uids)) == (None, [5])


@pytest.mark.parametrize(
    ("greeting", "named", "kind"),
    [
        (b"Dovecot (Debian) ready.", b"", ServerKind.DOVECOT),
        (b"mail Cyrus IMAP 3.6.1 server ready", b"", ServerKind.CYRUS),
        (b"Courier-IMAP ready.", b"", ServerKind.COURIER),
        (b"The Microsoft Exchange IMAP4 service is ready.", b"", ServerKind.EXCHANGE),
        (b"Gimap ready for requests from 192.0.2.1", b"", ServerKind.GMAIL),
        (b"ready", b'* ID ("name" "Dovecot")\r\n', ServerKind.DOVECOT),
        (b"ready", b"* ID NIL\r\n", ServerKind.OTHER),
    ],
)
def test_a_server_is_known_by_what_it_says(tmp_path, greeting, named, kind) -> None:
    """The greeting tells; a server that hides its name there is asked once."""
    answers = {"^ID ": lambda _: [named]}
    server = PlayedImap(answers, capability="IMAP4rev1 ID", greeting=b"* OK %s\r\n" % greeting)
    with server, open_mailbox(server.user(), tmp_path) as mailbox:
        assert mailbox.poll().server is kind
        assert ("ID NIL" in server.commands) is bool(named)


def test_an_answer_to_id_that_cannot_be_read_is_not_asked_for_again(tmp_path) -> None:
    """It breaks one poll, not every one."""
    answers = {"^ID ": lambda _: [b'* ID ("name" {4}\r\nabcd)\r\n']}
    server = PlayedImap(answers, capability="IMAP4rev1 ID", uids=range(1, 2))
    with server, open_mailbox(server.user(), tmp_path) as mailbox:
        with pytest.raises(CycleError):
            mailbox.poll()
        assert list(mailbox.poll().uids) == [1]
