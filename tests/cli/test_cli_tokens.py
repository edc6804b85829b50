"""A mailbox that takes tokens only, from the configuration to the emptied folder."""

from __future__ import annotations

import pytest
from bearer_tokens import make_token
from sample_mail import plain
from token_issuer import SECRET, TENANT, TokenIssuer, key_pair, service_account_key

from collector.service.exit_code import ExitCode

pytestmark = pytest.mark.dovecot


def oauth_table(issuer: TokenIssuer, ca, more: str) -> str:
    """Return ``[mailbox.oauth]`` for the issuer."""
    return (
        f'\n[mailbox.oauth]\nprovider = "microsoft"\ntenant = "{TENANT}"\nclient_id = "app"\n'
        f'authority = "{issuer.authority}"\nca_file = "{ca.ca}"\n{more}\n'
    )


def without_password(table: str) -> str:
    """Return a mailbox's table without its password."""
    return "\n".join(line for line in table.splitlines() if not line.startswith("password"))


def test_an_application_empties_a_mailbox(collector, dovecot_with) -> None:
    """Client credentials: token from the issuer, login with it, everything collected."""
    server = dovecot_with(tokens=True)
    user = server.new_user()
    user.append(plain(1))
    secret = collector.home / "client-secret"
    secret.touch(mode=0o600)
    secret.write_text(SECRET)
    with TokenIssuer(server.ca, user.name) as issuer:
        table = oauth_table(issuer, server.ca, 'client_secret_file = "client-secret"')
        collector.configure(without_password(collector.mailbox(user)) + table)
        ran = collector.run("collect", "--json")
    assert (ran.code, ran.json()["collected"]) == (ExitCode.DONE, 1)
    assert user.messages() == {}
    assert SECRET not in ran.err
    assert "eyJ" not in ran.err  # how every token of this issuer begins


def test_a_service_account_empties_a_mailbox(collector, dovecot_with) -> None:
    """Delegation: a signed assertion for the mailbox, the token, the login with it."""
    server = dovecot_with(tokens=True)
    user = server.new_user()
    user.append(plain(1))
    pem, public_key = key_pair(collector.home)
    with TokenIssuer(server.ca, user.name, public_key) as issuer:
        key = collector.home / "service-account.json"
        key.touch(mode=0o600)
        key.write_text(service_account_key(pem, issuer), encoding="ascii")
        collector.configure(
            without_password(collector.mailbox(user))
            + f'\n[mailbox.oauth]\nprovider = "google"\nca_file = "{server.ca.ca}"\n'
            'service_account_file = "service-account.json"\n'
        )
        ran = collector.run("collect", "--json")
    assert (ran.code, ran.json()["collected"]) == (ExitCode.DONE, 1), ran.err
    assert "eyJ" not in ran.err


def test_a_command_s_token_empties_a_mailbox(collector, dovecot_with) -> None:
    """Whatever prints a token will do; a wrong one is refused in the server's words."""
    server = dovecot_with(tokens=True)
    user = server.new_user()
    user.append(plain(1))
    token = collector.home / "token"
    collector.configure(
        without_password(collector.mailbox(user)) + f'\ntoken_command = ["cat", "{token}"]\n'
    )
    token.write_text(make_token(user.name, -60))
    ran = collector.run("collect")
    assert ran.code == ExitCode.LATER
    assert "the server says: status invalid_token" in ran.err
    token.write_text(make_token(user.name))
    assert collector.run("collect", "--json").json()["collected"] == 1


def test_a_person_logs_in_and_the_service_goes_on(collector, dovecot_with) -> None:
    """Device code: refused before, with the command to run; it works after."""
    server = dovecot_with(tokens=True)
    user = server.new_user()
    user.append(plain(1))
    with TokenIssuer(server.ca, user.name) as issuer:
        table = oauth_table(issuer, server.ca, "device_code = true")
        collector.configure(without_password(collector.mailbox(user)) + table)
        ran = collector.run("collect")
        assert ran.code == ExitCode.LATER
        assert "collector login" in ran.err
        ran = collector.run("login", "journal")
        assert ran.code == ExitCode.DONE, ran.err
        assert "enter ABCD-EFGH" in ran.text
        assert str(collector.archive / "tokens" / "journal.json") in ran.text
        assert collector.run("collect", "--json").json()["collected"] == 1
    assert collector.run("verify").code == ExitCode.DONE


def test_a_token_for_somebody_else_is_refused_by_the_server(collector, dovecot_with) -> None:
    """The server's own words are told, and nothing of the token."""
    server = dovecot_with(tokens=True)
    user = server.new_user()
    secret = collector.home / "client-secret"
    secret.touch(mode=0o600)
    secret.write_text(SECRET)
    with TokenIssuer(server.ca, "somebody-else") as issuer:
        table = oauth_table(issuer, server.ca, 'client_secret_file = "client-secret"')
        collector.configure(without_password(collector.mailbox(user)) + table)
        ran = collector.run("collect")
        assert len(issuer.requests) == 2
    assert ran.code == ExitCode.LATER
    assert "AUTHENTICATIONFAILED" in ran.err
    assert "eyJ" not in ran.err
