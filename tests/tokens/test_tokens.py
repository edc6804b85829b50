"""Tokens from issuers over HTTPS: applications, service accounts, persons, commands."""

from __future__ import annotations

import io
import logging
import stat
import subprocess
import sys
from pathlib import Path

import jwt
import pytest
from throwaway_ca import make_ca
from token_issuer import SECRET, TENANT, RefusalError, TokenIssuer, key_pair, service_account_key

from collector.config import Settings, load
from collector.domain.access import AccessToken
from collector.domain.errors import ConfigError, CycleError, LoginError
from collector.service.access import log_in, token_source
from collector.telemetry import configure
from collector.tokens import google, microsoft, patience

MAILBOX = """\
[archive]
path = "archive"

[[mailbox]]
name = "journal"
host = "imap.example.net"
username = "journal"
"""


@pytest.fixture(scope="module")
def ca(tmp_path_factory):
    """Return certificates for loopback."""
    return make_ca(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """Return a certificate with its key, and the public key."""
    return key_pair(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def issuer(ca, keys):
    """Return a running issuer."""
    with TokenIssuer(ca, public_key=keys[1]) as running:
        yield running


def secret(folder: Path, name: str, content: str) -> None:
    """Write a file that only we read."""
    (folder / name).touch(mode=0o600)
    (folder / name).write_text(content, encoding="utf-8")


def settings_of(folder: Path, lines: str) -> Settings:
    """Load a configuration whose mailbox ends with ``lines``."""
    path = folder / "collector.toml"
    path.write_text(MAILBOX + lines, encoding="utf-8")
    return load(path)


def source_of(folder: Path, lines: str):
    """Return where that mailbox's tokens come from."""
    settings = settings_of(folder, lines)
    return token_source(settings, settings.mailboxes[0])


def microsoft_lines(issuer: TokenIssuer, ca, more: str) -> str:
    """Return ``[mailbox.oauth]`` for the issuer."""
    return (
        f'[mailbox.oauth]\nprovider = "microsoft"\ntenant = "{TENANT}"\nclient_id = "app"\n'
        f'authority = "{issuer.authority}"\nca_file = "{ca.ca}"\n{more}\n'
    )


def test_an_application_logs_in_with_its_secret(tmp_path, ca, issuer) -> None:
    """One request for many connections; a fresh token, or another secret, is asked for anew."""
    secret(tmp_path, "client-secret", SECRET)
    tokens = source_of(
        tmp_path, microsoft_lines(issuer, ca, 'client_secret_file = "client-secret"')
    )
    first = tokens(fresh=False)
    assert jwt.decode(first.text, options={"verify_signature": False})["sub"] == "journal"
    assert 3500 < first.valid_s <= 3600
    assert tokens(fresh=False).text == first.text
    assert [each["scope"] for each in issuer.requests] == ["https://outlook.office365.com/.default"]
    tokens(fresh=True)
    assert len(issuer.requests) == 2
    secret(tmp_path, "client-secret", "another")
    with pytest.raises(LoginError, match="AADSTS7000215") as caught:
        tokens(fresh=False)
    assert "expired" in caught.value.hint
    assert "Trace" not in str(caught.value)


def test_a_token_is_replaced_before_its_end(tmp_path, ca, issuer) -> None:
    """One that ends within minutes is not handed out a second time."""
    issuer.valid_s = 240
    secret(tmp_path, "client-secret", SECRET)
    tokens = source_of(
        tmp_path, microsoft_lines(issuer, ca, 'client_secret_file = "client-secret"')
    )
    tokens(fresh=False)
    tokens(fresh=False)
    assert len(issuer.requests) == 2


def test_an_application_logs_in_with_its_certificate(tmp_path, ca, keys, issuer) -> None:
    """A signed assertion is sent, and no secret; the issuer checks the signature."""
    tokens = source_of(tmp_path, microsoft_lines(issuer, ca, f'certificate_file = "{keys[0]}"'))
    assert tokens(fresh=False).text
    (request,) = issuer.requests
    assert "client_secret" not in request
    assert request["client_assertion_type"].endswith("jwt-bearer")


def test_a_file_without_a_key_is_no_certificate(tmp_path, ca, issuer) -> None:
    """A matter of configuration, with the command that makes a right one."""
    secret(tmp_path, "app.pem", "nothing")
    tokens = source_of(tmp_path, microsoft_lines(issuer, ca, 'certificate_file = "app.pem"'))
    with pytest.raises(ConfigError, match="certificate and its key") as caught:
        tokens(fresh=False)
    assert "openssl pkcs12" in caught.value.hint


def test_a_locked_key_is_told(tmp_path, ca, keys, issuer) -> None:
    """There is nobody to type its password."""
    command = ["openssl", "pkey", "-in", keys[0], "-aes256", "-passout", "pass:x"]
    locked = subprocess.run(command, check=True, capture_output=True).stdout.decode()
    pem = keys[0].read_text(encoding="ascii")
    secret(tmp_path, "app.pem", locked + pem[pem.index("-----BEGIN CERTIFICATE") :])
    tokens = source_of(tmp_path, microsoft_lines(issuer, ca, 'certificate_file = "app.pem"'))
    with pytest.raises(ConfigError, match="locked with a password"):
        tokens(fresh=False)


def test_a_secret_that_others_can_read_is_refused(tmp_path, ca, issuer) -> None:
    """Before anything is sent."""
    secret(tmp_path, "client-secret", SECRET)
    (tmp_path / "client-secret").chmod(0o644)
    tokens = source_of(
        tmp_path, microsoft_lines(issuer, ca, 'client_secret_file = "client-secret"')
    )
    with pytest.raises(ConfigError, match="client secret file is open to every user"):
        tokens(fresh=False)
    assert issuer.requests == []


def test_a_person_logs_in_once(tmp_path, ca, issuer) -> None:
    """Address and code are shown; what was given is kept, whole and for its owner only."""
    settings = settings_of(tmp_path, microsoft_lines(issuer, ca, "device_code = true"))
    tokens = token_source(settings, settings.mailboxes[0])
    with pytest.raises(LoginError, match="nobody logged in") as caught:
        tokens(fresh=False)
    assert "collector login" in caught.value.hint
    shown = []
    kept = log_in(settings, "journal", shown.append, lambda: False)
    assert shown == [f"Open {issuer.authority}/devicelogin and enter ABCD-EFGH."]
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700
    asked_count = len(issuer.requests)
    assert tokens(fresh=False).text
    assert len(issuer.requests) == asked_count
    issuer.rotate = True
    tokens(fresh=True)
    assert "refresh-0" not in kept.read_text(encoding="utf-8")
    again = token_source(settings, settings.mailboxes[0])
    assert again(fresh=True).text
    assert issuer.requests[-1]["refresh_token"] != "refresh-0"


def test_a_withdrawn_login_asks_for_a_person(tmp_path, ca, issuer) -> None:
    """The issuer's reason is told, and what to do."""
    settings = settings_of(tmp_path, microsoft_lines(issuer, ca, "device_code = true"))
    log_in(settings, "journal", lambda _: None, lambda: False)
    issuer.refresh_tokens = {"others"}
    with pytest.raises(LoginError, match="expired or revoked") as caught:
        token_source(settings, settings.mailboxes[0])(fresh=True)
    assert "collector login" in caught.value.hint


def test_the_waiting_for_a_person_can_be_ended(tmp_path, ca, issuer) -> None:
    """A stop sign ends it; nothing is kept."""
    settings = settings_of(tmp_path, microsoft_lines(issuer, ca, "device_code = true"))
    with pytest.raises(CycleError):
        log_in(settings, "journal", lambda _: None, lambda: True)
    assert not (tmp_path / "archive" / "tokens" / "journal.json").exists()


def test_kept_tokens_that_others_can_read_are_refused(tmp_path, ca, issuer) -> None:
    """They are as good as a password."""
    settings = settings_of(tmp_path, microsoft_lines(issuer, ca, "device_code = true"))
    log_in(settings, "journal", lambda _: None, lambda: False).chmod(0o640)
    with pytest.raises(ConfigError, match="open to others"):
        token_source(settings, settings.mailboxes[0])(fresh=False)


def test_no_person_can_log_in_for_an_application(tmp_path, ca, issuer) -> None:
    """The mailboxes where one can are named."""
    secret(tmp_path, "client-secret", SECRET)
    settings = settings_of(
        tmp_path, microsoft_lines(issuer, ca, 'client_secret_file = "client-secret"')
    )
    with pytest.raises(ConfigError, match="no person can log in"):
        log_in(settings, "journal", lambda _: None, lambda: False)


def service_account(folder: Path, issuer: TokenIssuer, keys) -> str:
    """Write the key of a service account; return its lines."""
    secret(folder, "service-account.json", service_account_key(keys[0], issuer))
    return 'service_account_file = "service-account.json"\n'


def google_lines(ca, more: str) -> str:
    """Return ``[mailbox.oauth]`` for Google."""
    return f'[mailbox.oauth]\nprovider = "google"\nca_file = "{ca.ca}"\n{more}'


def test_a_service_account_acts_for_the_mailbox(tmp_path, ca, keys, issuer) -> None:
    """A signed assertion with the mailbox as its subject and the scope of IMAP."""
    tokens = source_of(tmp_path, google_lines(ca, service_account(tmp_path, issuer, keys)))
    first = tokens(fresh=False)
    assert 3000 < first.valid_s <= 3600
    assert tokens(fresh=False).text == first.text
    (request,) = issuer.requests
    claims = jwt.decode(request["assertion"], options={"verify_signature": False})
    assert (claims["sub"], claims["scope"]) == ("journal", "https://mail.google.com/")
    tokens(fresh=True)
    assert len(issuer.requests) == 2


def test_a_mailbox_that_is_not_delegated_is_told(tmp_path, ca, keys, issuer) -> None:
    """With what to do in the Admin console."""
    issuer.refuse = RefusalError("unauthorized_client", "Client is unauthorized to retrieve tokens")
    tokens = source_of(tmp_path, google_lines(ca, service_account(tmp_path, issuer, keys)))
    with pytest.raises(LoginError, match="unauthorized_client: Client is unauthorized") as caught:
        tokens(fresh=False)
    assert "Admin console" in caught.value.hint


def test_a_file_that_is_no_service_account_is_told(tmp_path, ca) -> None:
    """A matter of configuration."""
    secret(tmp_path, "key.json", '{"installed": {}}')
    tokens = source_of(tmp_path, google_lines(ca, 'service_account_file = "key.json"'))
    with pytest.raises(ConfigError, match="not the key of a service account"):
        tokens(fresh=False)


def test_a_refresh_token_that_is_replaced_is_kept(tmp_path, ca, issuer) -> None:
    """The successor is used after a restart; a newly configured one comes before it."""
    secret(tmp_path, "client-secret", SECRET)
    secret(tmp_path, "refresh-token", "refresh-0")
    lines = google_lines(
        ca,
        'client_id = "app"\nclient_secret_file = "client-secret"\n'
        f'refresh_token_file = "refresh-token"\ntoken_uri = "{issuer.token_uri}"\n',
    )
    issuer.rotate = True
    source_of(tmp_path, lines)(fresh=False)
    source_of(tmp_path, lines)(fresh=False)
    assert [each["refresh_token"] for each in issuer.requests] == ["refresh-0", "refresh-1"]
    kept = tmp_path / "archive" / "tokens" / "journal.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    issuer.rotate, issuer.refresh_tokens = False, {"refresh-new"}
    secret(tmp_path, "refresh-token", "refresh-new")
    source_of(tmp_path, lines)(fresh=False)
    assert issuer.requests[-1]["refresh_token"] == "refresh-new"
    issuer.refresh_tokens = {"others"}
    with pytest.raises(LoginError, match="revoked"):
        source_of(tmp_path, lines)(fresh=False)


@pytest.mark.parametrize("provider", ["microsoft", "google"])
def test_an_issuer_that_is_not_trusted_gets_nothing(tmp_path, ca, keys, issuer, provider) -> None:
    """TLS is verified before any secret is sent."""
    secret(tmp_path, "client-secret", SECRET)
    lines = microsoft_lines(issuer, ca, 'client_secret_file = "client-secret"')
    if provider == "google":
        lines = google_lines(ca, service_account(tmp_path, issuer, keys))
    tokens = source_of(tmp_path, lines.replace(str(ca.ca), str(ca.other_ca)))
    with pytest.raises(CycleError, match="no access token could be fetched"):
        tokens(fresh=False)
    assert issuer.requests == []


@pytest.mark.parametrize("provider", ["microsoft", "google"])
def test_an_issuer_that_does_not_answer_is_left(
    tmp_path, ca, keys, issuer, provider, monkeypatch
) -> None:
    """Nothing it does holds a mailbox up for longer."""
    for module in (microsoft, google):
        monkeypatch.setattr(module, "WAIT_S", 0.5)
    secret(tmp_path, "client-secret", SECRET)
    lines = microsoft_lines(issuer, ca, 'client_secret_file = "client-secret"')
    if provider == "google":
        lines = google_lines(ca, service_account(tmp_path, issuer, keys))
    issuer.hang = True
    with pytest.raises(CycleError, match="no access token within"):
        source_of(tmp_path, lines)(fresh=False)


def test_a_passing_trouble_is_no_login_error(tmp_path, ca, issuer) -> None:
    """The mailbox is tried again soon, and nobody is called."""
    issuer.refuse = RefusalError("temporarily_unavailable", "AADSTS90033")
    secret(tmp_path, "client-secret", SECRET)
    tokens = source_of(
        tmp_path, microsoft_lines(issuer, ca, 'client_secret_file = "client-secret"')
    )
    with pytest.raises(CycleError) as caught:
        tokens(fresh=False)
    assert not isinstance(caught.value, LoginError)


def test_a_command_hands_out_a_token_each_time(tmp_path) -> None:
    """Its one line is the token; what goes wrong is told without it."""
    script = "import os; print('t-' + str(os.getpid()))"
    tokens = source_of(tmp_path, f'token_command = ["{sys.executable}", "-c", "{script}"]\n')
    assert tokens(fresh=False).text != tokens(fresh=False).text
    failing = source_of(tmp_path, 'token_command = ["false"]\n')
    with pytest.raises(CycleError, match="token command failed with exit code 1"):
        failing(fresh=False)


@pytest.mark.parametrize("library", ["msal", "google"])
def test_a_missing_extra_is_told(tmp_path, ca, keys, issuer, library, monkeypatch) -> None:
    """With the command that installs it."""
    monkeypatch.setitem(
        sys.modules, "msal" if library == "msal" else "google.auth.exceptions", None
    )
    secret(tmp_path, "client-secret", SECRET)
    lines = microsoft_lines(issuer, ca, 'client_secret_file = "client-secret"')
    if library == "google":
        lines = google_lines(ca, service_account(tmp_path, issuer, keys))
    with pytest.raises(ConfigError, match=library) as caught:
        source_of(tmp_path, lines)(fresh=False)
    assert caught.value.hint == "pip install 'journal-collector[oauth]'"


def test_neither_library_is_loaded_before_a_token_is_asked_for() -> None:
    """The program starts as fast, and stays as small, as without them."""
    code = (
        "import collector.cli.main, sys; "
        "print([each for each in ('msal', 'google.auth', 'requests') if each in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    assert done.stdout == b"[]\n"


def test_nothing_secret_is_logged(tmp_path, ca, issuer) -> None:
    """Neither a secret nor a token, with the log at its most talkative; libraries included."""
    stream = io.StringIO()
    configure("debug", "json", stream)
    logging.getLogger("urllib3").warning("a library speaks")
    secret(tmp_path, "client-secret", SECRET)
    tokens = source_of(
        tmp_path, microsoft_lines(issuer, ca, 'client_secret_file = "client-secret"')
    )
    text = tokens(fresh=False).text
    issuer.refuse = RefusalError("invalid_client", "no")
    with pytest.raises(LoginError) as caught:
        tokens(fresh=True)
    logging.getLogger("collector").error("x", exc_info=caught.value)
    told = stream.getvalue()
    assert "a library speaks" in told
    assert "invalid_client" in told
    for each in (SECRET, text, text.split(".")[2]):
        assert each not in told + str(caught.value)
    assert text not in repr(AccessToken(text))


def test_waiting_has_an_end_and_errors_pass_through() -> None:
    """What a call raises is raised to whoever waits."""
    assert patience.within(5.0, lambda: 3, "x") == 3
    with pytest.raises(KeyError):
        patience.within(5.0, lambda: {}["missing"], "x")
