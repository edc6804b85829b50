"""Logging in by token: real OAUTHBEARER and XOAUTH2 on Dovecot, and what a refusal tells."""

from __future__ import annotations

import base64
import json
import logging
from dataclasses import dataclass, field

import pytest
from bearer_tokens import make_token
from fault_proxy import FaultProxy, Reply, Rewrite, Rule
from played_imap import PlayedImap
from source_samples import account_of, letter, open_mailbox
from test_source_login import everything_told

from collector.domain.access import AccessToken
from collector.domain.errors import ConfigError, CycleError, LoginError
from collector.source.bearer import MECHANISMS, complaint_of
from collector.source.imap import ImapMailbox

REFUSED = base64.b64encode(
    json.dumps({"status": "400", "schemes": "Bearer", "scope": "https://mail.example/"}).encode()
)


@dataclass
class Issuer:
    """Hands out what it was given, and remembers how it was asked."""

    texts: list[str]
    valid_s: float | None = None
    asked: list[bool] = field(default_factory=list)

    def __call__(self, *, fresh: bool) -> AccessToken:
        self.asked.append(fresh)
        return AccessToken(self.texts[min(len(self.asked), len(self.texts)) - 1], self.valid_s)


@pytest.fixture
def server(dovecot_with):
    """Return a Dovecot that takes tokens."""
    return dovecot_with(tokens=True)


def hiding(*capabilities: str) -> Rule:
    """Return a rule that takes words out of what the server offers."""
    hidden = Rewrite(f"({'|'.join(capabilities)}) ?", "")
    return Rule("GREETING|CAPABILITY", hidden, times=0)


@pytest.mark.dovecot
@pytest.mark.parametrize("hidden", [[], ["AUTH=OAUTHBEARER"]], ids=["oauthbearer", "xoauth2"])
@pytest.mark.parametrize("at_once", [True, False], ids=["sasl-ir", "no-sasl-ir"])
def test_a_valid_token_logs_in(server, tmp_path, hidden, at_once) -> None:
    """The standard's mechanism is preferred; with and without an initial response."""
    user = server.new_user()
    user.append(letter(1))
    words = [*hidden, *([] if at_once else ["SASL-IR"])]
    with FaultProxy(server, hiding(*(words or ["NOTHING"]))) as proxy:
        issuer = Issuer([make_token(user.name)])
        with open_mailbox(proxy.user(user), tmp_path, token=issuer) as mailbox:
            assert len(mailbox.poll().uids) == 1
        (login,) = [each for each in proxy.commands if each.startswith("AUTHENTICATE")]
    assert login.split()[1] == ("XOAUTH2" if hidden else "OAUTHBEARER")
    assert len(login.split()) == (3 if at_once else 2)
    assert issuer.asked == [False]


@pytest.mark.dovecot
@pytest.mark.parametrize("hidden", ["NOTHING", "AUTH=OAUTHBEARER"], ids=["oauthbearer", "xoauth2"])
@pytest.mark.parametrize(
    "changes", [{"valid_s": -60.0}, {"issuer": "another"}], ids=["expired", "wrong issuer"]
)
def test_a_token_that_is_not_good_is_refused(server, tmp_path, hidden, changes, caplog) -> None:
    """Asked for once more, fresh; then a LoginError that tells neither token."""
    caplog.set_level(logging.DEBUG)
    user = server.new_user()
    issuer = Issuer([make_token(user.name, **changes), make_token(user.name, **changes)])
    with (
        FaultProxy(server, hiding(hidden)) as proxy,
        open_mailbox(proxy.user(user), tmp_path, token=issuer) as mailbox,
        pytest.raises(LoginError) as caught,
    ):
        mailbox.poll()
    assert issuer.asked == [False, True]
    said = "status 401" if hidden != "NOTHING" else "status invalid_token"
    assert f"the server says: {said}" in str(caught.value)
    assert "scope" in caught.value.hint
    told = everything_told(caught.value) + caplog.text
    assert not [each for each in issuer.texts if each in told or each.split(".")[2] in told]


@pytest.mark.dovecot
def test_a_fresh_token_is_asked_for_once(server, tmp_path) -> None:
    """A token that was withdrawn before its end does not stop the mailbox."""
    user = server.new_user()
    issuer = Issuer([make_token(user.name, -60.0), make_token(user.name)])
    with open_mailbox(user, tmp_path, token=issuer) as mailbox:
        assert list(mailbox.poll().uids) == []
    assert issuer.asked == [False, True]


@pytest.mark.dovecot
def test_every_connection_has_a_token_of_its_own(server, tmp_path) -> None:
    """A session does not outlive its token: it is ended politely before, and made anew."""
    user = server.new_user()
    issuer = Issuer([make_token(user.name)], valid_s=61.0)
    with FaultProxy(server) as proxy:
        with open_mailbox(proxy.user(user), tmp_path, token=issuer) as mailbox:
            mailbox.poll()
            mailbox.poll()
            assert issuer.asked == [False]
            mailbox._connection.current.client.valid_until_s -= 2.0
            mailbox.poll()
        assert issuer.asked == [False, False]
        assert proxy.commands.count("LOGOUT") == 2


@pytest.mark.dovecot
def test_a_session_whose_token_ended_is_made_anew_at_once(server, tmp_path) -> None:
    """Exchange says BYE; the next poll asks for a token and goes on."""
    user = server.new_user()
    issuer = Issuer([make_token(user.name)])
    bye = Reply(("* BYE Session invalidated - AccessTokenExpired",), then_close=True)
    with (
        FaultProxy(server, Rule("SELECT", bye, nth=2)) as proxy,
        open_mailbox(proxy.user(user), tmp_path, token=issuer) as mailbox,
    ):
        mailbox.poll()
        assert list(mailbox.poll().uids) == []
    assert len(proxy.fired) == 1
    assert issuer.asked == [False, False]


@pytest.mark.parametrize("mechanism", ["OAUTHBEARER", "XOAUTH2"])
def test_what_the_server_says_of_a_token_is_told(tmp_path, mechanism) -> None:
    """The JSON of the challenge, decoded; a token that is repeated in it is hidden."""
    secret = "the-token-itself"
    answers = {
        f"AUTHENTICATE {mechanism}": lambda _: [b"+ " + REFUSED + b"\r\n"],
        "^$": lambda _: [],
    }
    capability = f"IMAP4rev1 SASL-IR AUTH={mechanism}"
    with PlayedImap(answers, capability=capability) as played:
        played.continued = b"NO [AUTHENTICATIONFAILED] bad " + secret.encode()
        account = account_of(played.user(), tmp_path, token=Issuer([secret]))
        with pytest.raises(LoginError) as caught:
            ImapMailbox(account, "INBOX").poll()
    assert "status 400, schemes Bearer, scope https://mail.example/" in str(caught.value)
    assert secret not in everything_told(caught.value)


@pytest.mark.parametrize(
    "text", ["[UNAVAILABLE] later", "Suggested Backoff Time: 90000 milliseconds"]
)
def test_a_passing_trouble_at_login_costs_no_second_token(tmp_path, text) -> None:
    """Only what is about the credentials is tried again."""
    answers = {"AUTHENTICATE": lambda _: [b"{tag} NO %s\r\n" % text.encode()]}
    issuer = Issuer(["of-nobody"])
    with PlayedImap(answers, capability="IMAP4rev1 SASL-IR AUTH=XOAUTH2") as played:
        account = account_of(played.user(), tmp_path, token=issuer)
        with pytest.raises(CycleError) as caught:
            ImapMailbox(account, "INBOX").poll()
    assert not isinstance(caught.value, LoginError)
    assert issuer.asked == [False]


def test_a_server_that_takes_no_token_is_said(tmp_path) -> None:
    """A matter of configuration; the token is not sent."""
    with PlayedImap(capability="IMAP4rev1 AUTH=PLAIN") as played:
        account = account_of(played.user(), tmp_path, token=Issuer(["of-nobody"]))
        with pytest.raises(ConfigError, match="takes no token"):
            ImapMailbox(account, "INBOX").poll()
    assert not [each for each in played.commands if "AUTHENTICATE" in each]


def test_a_login_that_never_ends_is_left(tmp_path) -> None:
    """One challenge is answered, and no second one."""
    answers = {"AUTHENTICATE": lambda _: [b"+ a\r\n+ b\r\n+ c\r\n+ d\r\n"]}
    with PlayedImap(answers, capability="IMAP4rev1 SASL-IR AUTH=XOAUTH2") as played:
        account = account_of(played.user(), tmp_path, token=Issuer(["of-nobody"]))
        with pytest.raises(CycleError, match="does not end"):
            ImapMailbox(account, "INBOX").poll()


def test_the_standard_s_message_has_its_form(tmp_path) -> None:
    """The example of RFC 7628, section 4.1, and a name that must be escaped."""
    with PlayedImap() as played:
        account = account_of(
            played.user(), tmp_path, username="a=b,c@example.com", host="server.example.com"
        )
    bearer, xoauth2 = (
        base64.b64decode(each.response(account, "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg=="))
        for each in MECHANISMS
    )
    assert bearer == (
        b"n,a=a=3Db=2Cc@example.com,\1host=server.example.com\1port=%d\1"
        b"auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\1\1" % account.port
    )
    assert xoauth2 == (
        b"user=a=b,c@example.com\1auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\1\1"
    )


@pytest.mark.parametrize(
    "challenge", [b"", b"%%%", b"W10=", b"bm8=", base64.b64encode(b"{}"), b"A" * 40_000]
)
def test_a_challenge_that_says_nothing_is_no_trouble(challenge) -> None:
    """Whatever the server sends there, it is read without an error."""
    assert complaint_of(challenge) == ""
