"""Where a mailbox's access tokens come from, as it is configured; `collector login`.

Rule: what must survive a restart is kept beside the archive, readable for its owner only.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from collector.config import MailboxSettings, OauthSettings, Settings
from collector.config.password import PasswordCommand
from collector.custody.watch import utc_now
from collector.domain.access import AccessToken, TokenSource
from collector.domain.errors import ConfigError
from collector.store import durable
from collector.tokens.google import SCOPES, TOKEN_URI, RefreshTokens, ServiceAccountTokens
from collector.tokens.keeping import KeptFile
from collector.tokens.microsoft import (
    APPLICATION_SCOPES,
    AUTHORITY,
    PERSON_SCOPES,
    ApplicationTokens,
    PersonTokens,
    Registration,
)

TOKENS = "tokens"


def token_source(settings: Settings, mailbox: MailboxSettings) -> TokenSource | None:
    """Return who hands out the mailbox's tokens; ``None`` when it has a password."""
    if mailbox.token_command is not None:
        return _from_command(PasswordCommand(mailbox.token_command, "token"))
    oauth = mailbox.oauth
    if oauth is None:
        return None
    if oauth.provider == "google":
        return _of_google(oauth, mailbox, settings)
    if oauth.device_code:
        return _of_person(oauth, mailbox, settings)
    registration = _registration(oauth, APPLICATION_SCOPES)
    if oauth.certificate_file is not None:
        file = oauth.secret_file("certificate_file")
        return ApplicationTokens(registration, lambda: _certificate(file(), str(file.place()[0])))
    return ApplicationTokens(registration, oauth.secret("client_secret_file"))


def log_in(
    settings: Settings, name: str, show: Callable[[str], None], stop: Callable[[], bool]
) -> Path:
    """Have a person log in for a mailbox by device code; return where the tokens are kept.

    Raises:
        ConfigError: there is no such mailbox, or it gets its tokens without a person.
        CycleError: the login was refused, or not done in time.
    """
    mailbox = next((each for each in settings.mailboxes if each.name == name), None)
    if mailbox is None or mailbox.oauth is None or not mailbox.oauth.device_code:
        able = [each.name for each in settings.mailboxes if each.oauth and each.oauth.device_code]
        raise ConfigError(
            "no person can log in for this mailbox",
            subject=name,
            hint=f"with device_code = true in [mailbox.oauth]: {', '.join(able) or 'none'}",
        )
    tokens = _of_person(mailbox.oauth, mailbox, settings)
    tokens.log_in(show, stop)
    return tokens.kept.path


def kept_tokens(settings: Settings, mailbox: MailboxSettings) -> Path | None:
    """Return where tokens of the mailbox are kept over a restart, if any are."""
    oauth = mailbox.oauth
    if oauth is None or not (oauth.device_code or oauth.refresh_token_file):
        return None
    return oauth.kept_tokens_file or settings.archive.path / TOKENS / f"{mailbox.name}.json"


def _from_command(command: PasswordCommand) -> TokenSource:
    def token(*, fresh: bool) -> AccessToken:  # noqa: ARG001 - it is run every time
        return AccessToken(command())

    return token


def _of_person(oauth: OauthSettings, mailbox: MailboxSettings, settings: Settings) -> PersonTokens:
    registration = _registration(oauth, PERSON_SCOPES)
    return PersonTokens(registration, _kept(settings, mailbox), utc_now)


def _of_google(oauth: OauthSettings, mailbox: MailboxSettings, settings: Settings) -> TokenSource:
    scopes = oauth.scopes or SCOPES
    if oauth.service_account_file is not None:
        key = oauth.secret_file("service_account_file")
        return ServiceAccountTokens(key, mailbox.username, utc_now, scopes, oauth.ca_file)
    return RefreshTokens(
        client_id=oauth.client_id or "",
        secret=oauth.secret("client_secret_file"),
        given=oauth.secret("refresh_token_file"),
        kept=_kept(settings, mailbox),
        now=utc_now,
        scopes=scopes,
        token_uri=oauth.token_uri or TOKEN_URI,
        ca_file=oauth.ca_file,
    )


def _registration(oauth: OauthSettings, scopes: tuple[str, ...]) -> Registration:
    return Registration(
        tenant=oauth.tenant or "",
        client_id=oauth.client_id or "",
        scopes=oauth.scopes or scopes,
        authority=oauth.authority or AUTHORITY,
        ca_file=oauth.ca_file,
    )


def _certificate(pem: bytes, path: str) -> dict[str, Any]:
    """Return msal's form of a certificate and its key; the thumbprint is msal's to make."""
    text = pem.decode("ascii", "replace")
    if "PRIVATE KEY-----" not in text or "BEGIN CERTIFICATE-----" not in text:
        raise ConfigError(
            "this file does not hold a certificate and its key",
            subject=path,
            hint="write both into it in PEM form: openssl pkcs12 -in file.pfx -out file.pem -nodes",
        )
    key = _part(text, "PRIVATE KEY")
    if "ENCRYPTED" in key:
        raise ConfigError(
            "the key of this certificate is locked with a password",
            subject=path,
            hint="write it without one, and close the file: openssl pkey -in file.pem -out key.pem",
        )
    return {"private_key": key, "public_certificate": text}


def _part(text: str, name: str) -> str:
    """Return the first PEM block whose label ends with ``name``."""
    begin = text.rindex("-----BEGIN", 0, text.index(f"{name}-----"))
    end = text.index("-----END", begin)
    return text[begin : text.index("-----", end + 8) + 5] + "\n"


def _kept(settings: Settings, mailbox: MailboxSettings) -> KeptFile:
    path = kept_tokens(settings, mailbox)
    assert path is not None, "only asked for tokens that are kept"  # noqa: S101
    return KeptFile(path, _publish)


def _publish(path: Path, content: bytes) -> None:
    """Put a file into place, durably; its directory is made when it is missing."""
    try:
        durable.make_directory(path.parent)
        durable.publish(path, content)
    except OSError as error:
        raise durable.write_error(error, path) from error
