"""Access tokens of Google: of a service account with delegation, or of a person.

Rule: the key is read afresh for every token; google-auth's exceptions end here.

The narrower scopes of the Gmail API do not work for IMAP (imap reference, 3).
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from collector.domain.access import AccessToken
from collector.domain.errors import ConfigError
from collector.tokens.keeping import KeptFile
from collector.tokens.patience import WAIT_S, within
from collector.tokens.refused import missing_library, refused, unreachable
from collector.tokens.web import open_session

SCOPES = ("https://mail.google.com/",)
TOKEN_URI = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address
SPARE_S = 300.0
"""A token that is good for less is not handed out."""

_DELEGATION = (
    "delegate https://mail.google.com/ to the service account's client id (Admin console, "
    "Security, API controls), and name an existing user as username"
)
_PERSON = "the refresh token was withdrawn or has expired: make a new one"


class _Kept:
    """The last token of a source, as long as nothing it came from has changed."""

    def __init__(self, issuer: str, now: Callable[[], datetime]) -> None:
        self._issuer = issuer
        self._now = now
        self._lock = threading.Lock()
        self._origin = b""
        self._credentials: Any = None

    def token(
        self,
        origin: bytes,
        make: Callable[[], Any],
        ca_file: Path | None,
        hint: str,
        *,
        fresh: bool,
    ) -> AccessToken:
        """Return a token of the credentials that ``make`` makes of ``origin``."""
        with self._lock:
            if fresh or origin != self._origin or self._left_s() < SPARE_S:
                credentials = make()
                within(WAIT_S, lambda: self._refresh(credentials, ca_file, hint), self._issuer)
                self._origin, self._credentials = origin, credentials
            return AccessToken(self._credentials.token, self._left_s())

    @property
    def credentials(self) -> Any:  # noqa: ANN401 - the library's
        """What the last token came from."""
        return self._credentials

    def _left_s(self) -> float:
        if self._credentials is None or self._credentials.expiry is None:
            return 0.0
        expiry = self._credentials.expiry.replace(tzinfo=UTC)  # google-auth's are naive
        return float((expiry - self._now()).total_seconds())

    def _refresh(self, credentials: Any, ca_file: Path | None, hint: str) -> None:  # noqa: ANN401
        auth = _google()
        with open_session(ca_file) as session:
            try:
                credentials.refresh(auth.Request(session))
            except auth.RefreshError as error:
                raise _error_of(error, self._issuer, hint) from None
            except (auth.GoogleAuthError, OSError, ValueError) as error:
                raise unreachable(self._issuer, error) from None


class ServiceAccountTokens:
    """A service account that may act for the mailbox (domain-wide delegation).

    Args:
        key: returns the JSON of the account's key.
        subject: the mailbox it acts for.
        now: the present instant in UTC.
    """

    def __init__(
        self,
        key: Callable[[], bytes],
        subject: str,
        now: Callable[[], datetime],
        scopes: Sequence[str] = SCOPES,
        ca_file: Path | None = None,
    ) -> None:
        self._key = key
        self._subject = subject
        self._scopes = list(scopes)
        self._ca_file = ca_file
        self._kept = _Kept("the service account's token_uri", now)

    def __call__(self, *, fresh: bool) -> AccessToken:
        """Return a token; see ``TokenSource``."""
        key = self._key()
        return self._kept.token(
            key, lambda: self._credentials(key), self._ca_file, _DELEGATION, fresh=fresh
        )

    def _credentials(self, key: bytes) -> Any:  # noqa: ANN401 - the library's
        try:
            return _google().service_account.Credentials.from_service_account_info(
                json.loads(key), scopes=self._scopes, subject=self._subject
            )
        except (ValueError, LookupError, TypeError, AttributeError):
            raise ConfigError(
                "this is not the key of a service account",
                subject="service_account_file",
                hint="make a key of type JSON in the Google Cloud console, and take that file",
            ) from None


@dataclass(slots=True)
class RefreshTokens:
    """A person's refresh token (RFC 6749, section 6).

    Attributes:
        given: returns the refresh token that was configured.
        kept: where one that the issuer gave instead of it is kept.
    """

    client_id: str
    secret: Callable[[], str] = field(repr=False)
    given: Callable[[], str] = field(repr=False)
    kept: KeptFile
    now: Callable[[], datetime] = field(repr=False)
    scopes: Sequence[str] = SCOPES
    token_uri: str = TOKEN_URI
    ca_file: Path | None = None
    _last: _Kept | None = None

    def __call__(self, *, fresh: bool) -> AccessToken:
        """Return a token; see ``TokenSource``."""
        self._last = self._last or _Kept(self.token_uri, self.now)
        given, secret = self.given(), self.secret()
        used = self._present(given)
        token = self._last.token(
            f"{used}\0{secret}".encode(),
            lambda: self._credentials(used, secret),
            self.ca_file,
            _PERSON,
            fresh=fresh,
        )
        newest = self._last.credentials.refresh_token
        if newest and newest != used:
            self.kept.write(json.dumps({"instead_of": _digest(given), "refresh_token": newest}))
        return token

    def _present(self, given: str) -> str:
        """Return the refresh token in force: the one given, or its successor."""
        try:
            kept = json.loads(self.kept.read() or "{}")
            return str(kept["refresh_token"]) if kept["instead_of"] == _digest(given) else given
        except (ValueError, LookupError, TypeError):
            return given

    def _credentials(self, refresh_token: str, secret: str) -> Any:  # noqa: ANN401 - the library's
        return _google().credentials.Credentials(
            token=None,
            refresh_token=refresh_token,
            token_uri=self.token_uri,
            client_id=self.client_id,
            client_secret=secret,
            scopes=list(self.scopes),
        )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _error_of(error: Any, issuer: str, hint: str) -> Exception:  # noqa: ANN401 - the library's
    said = error.args[1] if len(error.args) > 1 and isinstance(error.args[1], dict) else {}
    code, text = str(said.get("error", "")), str(said.get("error_description", ""))
    return refused(code, text or ("" if code else str(error)), issuer, hint)


@dataclass(frozen=True, slots=True)
class _Google:
    """What is used of the library."""

    service_account: Any
    credentials: Any
    Request: Any
    RefreshError: type[Exception]
    GoogleAuthError: type[Exception]


def _google() -> _Google:
    try:
        from google.auth.exceptions import GoogleAuthError, RefreshError  # noqa: PLC0415 - an extra
        from google.auth.transport.requests import Request  # noqa: PLC0415
        from google.oauth2 import credentials, service_account  # noqa: PLC0415
    except ImportError:
        raise missing_library("google-auth") from None
    return _Google(service_account, credentials, Request, RefreshError, GoogleAuthError)
