"""Which kind of server it is, and what that means for the mailbox behind it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fault_proxy import FaultProxy, Reply, Rule
from played_imap import PlayedImap
from source_samples import account_of, letter, open_mailbox, proofs_of

from collector.domain.errors import CycleError
from collector.domain.mailbox import Fetched, Removal
from collector.source.connection import Connection
from collector.source.imap import ImapMailbox
from collector.source.providers import NAMES, PROVIDERS

GMAIL = "IMAP4rev1 UIDPLUS MOVE X-GM-EXT-1 SPECIAL-USE"
FOLDERS = {
    "^LIST": lambda _: [
        b'* LIST (\\HasNoChildren) "/" "INBOX"\r\n',
        b'* LIST (\\HasChildren \\Noselect) "/" "[Gmail]"\r\n',
        b'* LIST (\\HasNoChildren \\Trash) "/" "[Gmail]/Papelera &- &AOk-"\r\n',
        b'* LIST (\\HasNoChildren \\All) "/" All\r\n',
    ]
}


def fitted_to(user, tmp_path, **changes) -> Connection:
    """Return a connection that had a session, and so knows its server."""
    connection = Connection(account_of(user, tmp_path, **changes), "INBOX")
    connection.session()
    connection.drop()
    return connection


@pytest.mark.dovecot
def test_dovecot_says_who_it_is(dovecot, tmp_path) -> None:
    """By its greeting; and by its answer to ID when the greeting is another."""
    user = dovecot.new_user()
    assert fitted_to(user, tmp_path).provider.name == "dovecot"
    with FaultProxy(dovecot, Rule("GREETING", Reply(("* OK ready",)))) as proxy:
        assert fitted_to(proxy.user(user), tmp_path).provider.name == "dovecot"
        assert "ID NIL" in proxy.commands


@pytest.mark.parametrize(
    ("greeting", "capability", "name"),
    [
        (b"* OK The Microsoft Exchange IMAP4 service is ready.\r\n", "IMAP4rev1", "exchange"),
        (b"* OK Gimap ready for requests from 127.0.0.1 x1\r\n", "IMAP4rev1", "gmail"),
        (b"* OK ready\r\n", GMAIL, "gmail"),
        (b"* OK [CAPABILITY IMAP4rev1] Courier-IMAP ready.\r\n", "IMAP4rev1", "courier"),
        (b"* OK mail Cyrus IMAP 3.6.1 server ready\r\n", "IMAP4rev1", "cyrus"),
        (b"* OK hello\r\n", "IMAP4rev1", "generic"),
        (b"* OK hello\r\n", "IMAP4rev1 ID", "generic"),
    ],
)
def test_a_server_is_told_by_what_it_shows(tmp_path, greeting, capability, name) -> None:
    """Greeting, capability, ID; whatever is not known is generic."""
    with PlayedImap(FOLDERS, greeting=greeting, capability=capability) as server:
        assert fitted_to(server.user(), tmp_path).provider.name == name


def test_an_id_that_is_refused_is_no_trouble(tmp_path) -> None:
    """The server is a generic one then."""
    answers = {"^ID": lambda _: [b"{tag} BAD no\r\n"]}
    with PlayedImap(answers, capability="IMAP4rev1 ID") as server:
        assert fitted_to(server.user(), tmp_path).provider.name == "generic"


@pytest.mark.parametrize("question", ["ID", "LIST"])
def test_a_question_whose_answer_cannot_be_read_is_asked_once(tmp_path, question) -> None:
    """The next connection does without it: collecting does not hang on it."""
    answers = {f"^{question}": lambda _: [b'* LIST (\\Trash) "/" {5}\r\nTrash\r\n']}
    capability = GMAIL if question == "LIST" else "IMAP4rev1 UIDPLUS ID"
    with (
        PlayedImap(answers, capability=capability) as server,
        open_mailbox(server.user(), tmp_path) as mailbox,
    ):
        with pytest.raises(CycleError):
            mailbox.poll()
        assert list(mailbox.poll().uids) == []
        assert len([each for each in server.commands if each.startswith(question)]) == 1


def test_gmail_moves_to_the_folder_with_the_attribute(tmp_path) -> None:
    """Whatever it is called in the language of the account."""
    with PlayedImap(FOLDERS, capability=GMAIL, uids=range(1, 2)) as server:
        with open_mailbox(server.user(), tmp_path) as mailbox:
            listing = mailbox.poll()
            assert listing.removal is Removal.MOVE
            mailbox.expunge(proofs_of(listing, [1], {1: 100}), listing.removal)
        assert 'UID MOVE 1 "[Gmail]/Papelera &- &AOk-"' in server.commands
        assert not [each for each in server.commands if "EXPUNGE" in each]


def test_a_trash_that_is_not_shown_is_a_reason_not_to_delete(tmp_path) -> None:
    """An expunge would only take labels off."""
    with PlayedImap(capability=GMAIL) as server, open_mailbox(server.user(), tmp_path) as mailbox:
        listing = mailbox.poll()
    assert listing.removal is Removal.REFUSED
    assert r"\Trash" in listing.removal_refused_because


@pytest.mark.dovecot
def test_a_folder_by_its_attribute_on_a_real_server(dovecot, tmp_path) -> None:
    r"""Dovecot's folder with \Trash is found, and messages are moved there whole."""
    user = dovecot.new_user()
    user.append(letter(1), letter(2))
    with open_mailbox(user, tmp_path, provider="gmail") as mailbox:
        listing = mailbox.poll()
        assert listing.removal is Removal.MOVE
        mailbox.expunge(proofs_of(listing, [1]), listing.removal)
        assert list(mailbox.poll().uids) == [2]
    assert list(user.messages("Trash").values()) == [letter(1)]


@pytest.mark.dovecot
def test_the_folder_of_the_deleted_is_not_emptied_into_itself(dovecot, tmp_path) -> None:
    """Collecting it would move its messages for ever."""
    user = dovecot.new_user()
    with open_mailbox(user, tmp_path, folder="Trash", provider="gmail") as mailbox:
        listing = mailbox.poll()
    assert listing.removal is Removal.REFUSED
    assert "themselves" in listing.removal_refused_because


def test_what_is_configured_comes_before_the_preset(tmp_path) -> None:
    """Each setting by itself; the generic provider has no preset at all."""
    with PlayedImap(FOLDERS, capability=GMAIL) as server:
        account = fitted_to(server.user(), tmp_path).account
        assert account.deleted_folder == "[Gmail]/Papelera & \xe9"
        assert (account.daily_bytes_max, account.connections_max) == (2_250_000_000, 15)
        changes = {"deleted_folder": "Old", "daily_bytes_max": None, "size_is_hint": True}
        account = fitted_to(server.user(), tmp_path, **changes).account
        assert (account.deleted_folder, account.daily_bytes_max) == ("Old", None)
        assert (account.size_is_hint, account.connections_max) == (True, 15)
        account = fitted_to(server.user(), tmp_path, provider="generic").account
        assert (account.deleted_folder, account.daily_bytes_max, account.moves) == (
            None,
            None,
            False,
        )


def test_sizes_of_exchange_are_hints(tmp_path) -> None:
    """A message of another length is taken once it came twice alike."""

    def fetched(_command):
        yield b"* 1 FETCH (UID 1 RFC822.SIZE 100 BODY[] {90}\r\n" + b"x" * 90 + b")\r\n"

    greeting = b"* OK The Microsoft Exchange IMAP4 service is ready.\r\n"
    answers = {"UID FETCH .*BODY": fetched}
    with (
        PlayedImap(answers, uids=range(1, 2), greeting=greeting) as server,
        open_mailbox(server.user(), tmp_path) as mailbox,
    ):
        (answer,) = mailbox.fetch(mailbox.announce(mailbox.poll().refs(0, 1)))
    assert isinstance(answer, Fetched)
    assert answer.flags == ("size-mismatch",)


class Counting:
    """A ration that only counts."""

    def __init__(self, left_bytes: int) -> None:
        self.left = left_bytes

    def left_bytes(self, daily_bytes_max: int) -> int:
        assert daily_bytes_max == 1000
        return self.left

    def took(self, size_bytes: int) -> None:
        self.left -= size_bytes


@pytest.mark.parametrize(("left_bytes", "expected"), [(250, 2), (300, 3), (10, 1), (1000, 4)])
def test_no_more_is_handed_over_than_is_left(tmp_path, left_bytes, expected) -> None:
    """As many messages as fit, at least one; what came is counted."""
    ration = Counting(left_bytes)
    with PlayedImap(uids=range(1, 5)) as server:
        mailbox = ImapMailbox(account_of(server.user(), tmp_path, daily_bytes_max=1000), "INBOX")
        mailbox.ration = ration
        answers = list(mailbox.fetch(mailbox.announce(mailbox.poll().refs(0, 4))))
        mailbox.close()
    assert len(answers) == expected
    assert ration.left == left_bytes - 100 * expected


def test_every_provider_has_a_name_and_hints() -> None:
    """The table is whole: names are its keys, remarks say what to do."""
    assert ("auto", *PROVIDERS) == NAMES
    for name, provider in PROVIDERS.items():
        assert replace(provider, name=name) == provider
        assert all(each.detail and each.hint for each in provider.remarks)
