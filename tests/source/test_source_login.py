"""Connecting and logging in: TLS is verified, secrets stay secret."""

from __future__ import annotations

import logging
import traceback
from dataclasses import replace

import psutil
import pytest
from fault_proxy import FaultProxy, Rewrite, Rule
from played_imap import PlayedImap
from source_samples import account_of, letter, open_mailbox

from collector.domain.errors import ConfigError, CycleError, LoginError
from collector.domain.mailbox import Fetched
from collector.source.account import Limits
from collector.source.imap import ImapMailbox

SECRETS = ["secret", "gehëim-ß-日本", 'with "quotes" and \\', " spaces "]


def everything_told(error: BaseException) -> str:
    """Return all an exception could tell: texts, arguments, causes, attributes."""
    told = []
    while error is not None:
        told += [repr(error), str(error), repr(vars(error)), *map(repr, error.args)]
        told += traceback.format_exception(error)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "".join(told)


@pytest.mark.dovecot
@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_a_trusted_certificate_is_accepted(dovecot, tmp_path, security) -> None:
    """TLS from the start or by STARTTLS, verified against the own CA."""
    user = dovecot.new_user()
    user.append(letter(1))
    port = dovecot.imaps_port if security == "tls" else dovecot.imap_port
    with open_mailbox(user, tmp_path, security=security, port=port) as mailbox:
        (fetched,) = mailbox.fetch(mailbox.announce(mailbox.poll().refs(0, 1)))
        assert isinstance(fetched, Fetched)
        assert mailbox._connection.current.client.wire.sock.version() in {"TLSv1.2", "TLSv1.3"}


@pytest.mark.dovecot
@pytest.mark.parametrize("security", ["tls", "starttls"])
@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"ca_file": "other"}, "not trusted"),
        ({"ca_file": None}, "not trusted"),
    ],
    ids=["another CA", "the system's CAs"],
)
def test_a_foreign_certificate_is_refused(dovecot, tmp_path, security, changes, why) -> None:
    """Before any credential is sent, with a hint at ca_file."""
    port = dovecot.imaps_port if security == "tls" else dovecot.imap_port
    told = []
    if changes["ca_file"] == "other":
        changes = {"ca_file": dovecot.ca.other_ca}
    account = account_of(
        dovecot.new_user(),
        tmp_path,
        security=security,
        port=port,
        password=lambda: told.append(1) or "secret",
        **changes,
    )
    with pytest.raises(CycleError, match=why) as caught:
        ImapMailbox(account, "INBOX").poll()
    assert "ca_file" in caught.value.hint
    assert told == []


@pytest.mark.dovecot
def test_a_certificate_for_another_host_is_refused(dovecot, tmp_path) -> None:
    """The name is checked, not the chain alone."""
    elsewhere = replace(dovecot.ca, server=dovecot.ca.elsewhere, key=dovecot.ca.elsewhere_key)
    with FaultProxy(dovecot, certificate=elsewhere) as proxy:
        user = proxy.user(dovecot.new_user())
        with (
            open_mailbox(user, tmp_path) as mailbox,
            pytest.raises(CycleError, match="not trusted"),
        ):
            mailbox.poll()
    assert proxy.commands == []


@pytest.mark.parametrize("content", ["", "not a certificate", None])
def test_an_unusable_ca_file_is_a_matter_of_configuration(tmp_path, content) -> None:
    """Missing or empty: a person must correct it."""
    ca_file = tmp_path / "ca.pem"
    if content is not None:
        ca_file.write_text(content, encoding="ascii")
    with PlayedImap() as server:
        account = account_of(server.user(), tmp_path, security="tls", ca_file=ca_file)
        with pytest.raises(ConfigError) as caught:
            ImapMailbox(account, "INBOX").poll()
    assert caught.value.subject == str(ca_file)
    assert server.connections_count == 0


@pytest.mark.parametrize("host", ["192.0.2.1", "imap.example.net", "2001:db8::1", "10.0.0.1"])
def test_plain_text_is_for_loopback_only(tmp_path, host) -> None:
    """A password never leaves the machine in clear; nothing is connected to."""
    with PlayedImap() as server:
        account = account_of(server.user(), tmp_path, host=host)
        with pytest.raises(ConfigError, match="not sent without TLS"):
            ImapMailbox(account, "INBOX").poll()


@pytest.mark.parametrize("security", ["starttls"])
def test_starttls_that_is_not_offered_is_refused(tmp_path, security) -> None:
    """A third party that takes STARTTLS out of the offer gets no password."""
    with PlayedImap(capability="IMAP4rev1") as server:
        account = account_of(server.user(), tmp_path, security=security)
        with pytest.raises(ConfigError, match="STARTTLS"):
            ImapMailbox(account, "INBOX").poll()
    assert not [each for each in server.commands if "LOGIN" in each]


def test_a_greeting_in_clear_that_is_logged_in_already_is_refused(tmp_path) -> None:
    """PREAUTH before STARTTLS would keep the session in clear."""
    greeting = b"* PREAUTH welcome\r\n"
    with PlayedImap(capability="IMAP4rev1 STARTTLS", greeting=greeting) as server:
        account = account_of(server.user(), tmp_path, security="starttls")
        with pytest.raises(CycleError, match="STARTTLS"):
            ImapMailbox(account, "INBOX").poll()


@pytest.mark.dovecot
def test_what_was_slipped_in_before_tls_is_dropped(dovecot, tmp_path) -> None:
    """Answers that a third party put behind the one to STARTTLS are never read."""

    def starttls(_command):
        yield b"{tag} OK begin\r\n* CAPABILITY IMAP4rev1 X-SLIPPED\r\n* BYE gone\r\n"

    answers = {"STARTTLS": starttls}
    with PlayedImap(answers, capability="IMAP4rev1 STARTTLS", ca=dovecot.ca) as server:
        changes = {"host": "localhost", "security": "starttls", "ca_file": dovecot.ca.ca}
        with open_mailbox(server.user(), tmp_path, **changes) as mailbox:
            assert list(mailbox.poll().uids) == []
            assert b"X-SLIPPED" not in mailbox._connection.current.client.capabilities()


@pytest.mark.parametrize(("security", "greeting"), [("tls", b""), ("starttls", b"* OK ready\r\n")])
def test_a_peer_that_never_finishes_the_handshake_is_left(tmp_path, security, greeting) -> None:
    """TLS is waited for no longer than a connection, and nothing stays open."""

    def starttls(_command):
        server.deaf = True
        yield b"{tag} OK begin\r\n"

    answers = {"STARTTLS": starttls}
    with PlayedImap(answers, capability="IMAP4rev1 STARTTLS", greeting=greeting) as server:
        server.deaf = security == "tls"
        limits = Limits(connect_s=0.5)
        account = account_of(server.user(), tmp_path, security=security, limits=limits)
        with pytest.raises(CycleError, match="timed out"):
            ImapMailbox(account, "INBOX").poll()
        assert connections_to(server) == []


def connections_to(server: PlayedImap) -> list:
    """Return what this process still has open towards a server."""
    ours = [each for each in psutil.Process().net_connections() if each.raddr]
    return [each for each in ours if each.raddr.port == server.port]


def test_a_server_that_takes_no_password_is_said(tmp_path) -> None:
    """LOGINDISABLED without AUTH=PLAIN: a matter of configuration."""
    with (
        PlayedImap(capability="IMAP4rev1 LOGINDISABLED AUTH=GSSAPI") as server,
        pytest.raises(ConfigError, match="takes no password"),
    ):
        ImapMailbox(account_of(server.user(), tmp_path), "INBOX").poll()
    assert not [each for each in server.commands if "LOGIN" in each]


@pytest.mark.dovecot
@pytest.mark.parametrize("secret", SECRETS)
def test_any_password_logs_in(dovecot_with, tmp_path, secret) -> None:
    """UTF-8, quotes, spaces: by SASL PLAIN and, where that is not offered, by LOGIN."""
    server = dovecot_with(password=secret)
    user = replace(server.new_user(), password=secret)
    with open_mailbox(user, tmp_path) as mailbox:
        assert list(mailbox.poll().uids) == []
    hidden = Rewrite(r"(AUTH=\S+|SASL-IR) ?", "")
    with FaultProxy(server, Rule("GREETING|CAPABILITY", hidden, times=0)) as proxy:
        with open_mailbox(proxy.user(user), tmp_path) as mailbox:
            assert list(mailbox.poll().uids) == []
        assert [each for each in proxy.commands if each.startswith("LOGIN ")]


@pytest.mark.dovecot
@pytest.mark.parametrize("secret", [*SECRETS[1:], "tr0ub4dor&3"])
@pytest.mark.parametrize("by", ["AUTHENTICATE", "LOGIN"])
def test_a_wrong_password_is_never_told(dovecot, tmp_path, secret, by, caplog) -> None:
    """LoginError; no exception, cause or log at any level holds the password."""
    caplog.set_level(logging.DEBUG)
    hidden = Rewrite(r"(AUTH=\S+|SASL-IR) ?", "") if by == "LOGIN" else Rewrite("x^", "")
    with FaultProxy(dovecot, Rule("GREETING|CAPABILITY", hidden, times=0)) as proxy:
        user = replace(proxy.user(dovecot.new_user()), password=secret)
        with open_mailbox(user, tmp_path) as mailbox, pytest.raises(LoginError) as caught:
            mailbox.poll()
    assert [each for each in proxy.commands if each.startswith(by)]
    told = everything_told(caught.value) + caplog.text + repr(account_of(user, tmp_path))
    for form in (secret, repr(secret), repr(secret.encode())[2:-1], secret.encode().hex()):
        assert form not in told


def test_a_password_that_the_server_repeats_is_hidden(tmp_path) -> None:
    """A server's text may hold what was sent to it."""
    answers = {"LOGIN": lambda _: [b"{tag} NO [AUTHENTICATIONFAILED] hunter2 is wrong\r\n"]}
    with PlayedImap(answers) as server:
        account = account_of(server.user(), tmp_path, password=lambda: "hunter2")
        with pytest.raises(LoginError) as caught:
            ImapMailbox(account, "INBOX").poll()
    assert "hunter2" not in everything_told(caught.value)
    assert "*** is wrong" in str(caught.value)


def test_the_password_is_read_afresh_for_every_connection(tmp_path) -> None:
    """A changed password needs no restart; an error of its source is passed on."""
    asked = []
    with PlayedImap() as server:
        account = account_of(server.user(), tmp_path, password=lambda: asked.append(1) or "x")
        mailbox = ImapMailbox(account, "INBOX")
        mailbox.poll()
        mailbox.poll()
        assert len(asked) == 1
        mailbox.close()
        mailbox.poll()
        assert len(asked) == 2
        mailbox.close()

        def gone() -> str:
            raise ConfigError("the password file cannot be read", subject="x")

        account = account_of(server.user(), tmp_path, password=gone)
        with pytest.raises(ConfigError, match="password file"):
            ImapMailbox(account, "INBOX").poll()


@pytest.mark.parametrize(
    ("changes", "why"),
    [({"host": "nowhere.invalid", "security": "tls"}, "not known"), ({"port": 1}, "refused")],
)
def test_a_host_that_is_not_there_is_said(tmp_path, changes, why) -> None:
    """An unknown name, a closed port: later again, with a hint."""
    with PlayedImap() as server:
        account = account_of(server.user(), tmp_path, **changes)
        with pytest.raises(CycleError, match=why) as caught:
            ImapMailbox(account, "INBOX").poll()
    assert "host" in caught.value.hint
    assert account.host in str(caught.value)


def test_tls_to_a_plain_port_is_said(tmp_path) -> None:
    """The usual mistake: the port for STARTTLS with security tls."""
    with PlayedImap() as server:
        account = account_of(server.user(), tmp_path, security="tls")
        with pytest.raises(CycleError, match="TLS failed") as caught:
            ImapMailbox(account, "INBOX").poll()
    assert "port and security" in caught.value.hint


def test_whatever_fails_leaves_no_socket_open(tmp_path) -> None:
    """A refused login, a folder that is missing, a broken greeting: the connection is closed."""
    refusals = [
        {"LOGIN": lambda _: [b"{tag} NO no\r\n"]},
        {"SELECT": lambda _: [b"{tag} NO no\r\n"]},
        {"SEARCH": lambda _: [b"nonsense\r\n"]},
        {"CAPABILITY": lambda _: [b"nonsense\r\n"]},
    ]
    for answers in refusals:
        with PlayedImap(answers, uids=range(1, 3)) as server:
            mailbox = ImapMailbox(account_of(server.user(), tmp_path), "INBOX")
            for _ in range(3):
                with pytest.raises(CycleError):
                    mailbox.poll()
            assert connections_to(server) == []
