"""Access tokens of Microsoft Entra: of an application, or of a person by device code.

Rule: one msal application for one mailbox, because its cache lies in it; what msal
returns as a dictionary leaves here as a token or as an error.

Microsoft's documentation of IMAP by OAuth: imap reference, source 13.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from collector.domain.access import AccessToken
from collector.domain.errors import CycleError, LoginError
from collector.tokens.keeping import KeptFile
from collector.tokens.patience import WAIT_S, within
from collector.tokens.refused import missing_library, refused, unreachable
from collector.tokens.web import open_session

AUTHORITY = "https://login.microsoftonline.com"
APPLICATION_SCOPES = ("https://outlook.office365.com/.default",)
PERSON_SCOPES = ("https://outlook.office.com/IMAP.AccessAsUser.All",)

_HINT = (
    "check tenant, client_id and secret or certificate (has it expired?), and that an "
    "administrator consented to IMAP.AccessAsApp"
)
_LOG_IN = "run `collector login` with the mailbox's name"


@dataclass(frozen=True, slots=True)
class Registration:
    """An application as it is registered in a tenant.

    Attributes:
        authority: of national clouds, and of whoever has his own.
        ca_file: certificate authorities to trust instead of the usual ones.
    """

    tenant: str
    client_id: str
    scopes: Sequence[str]
    authority: str = AUTHORITY
    ca_file: Path | None = None

    @property
    def issuer(self) -> str:
        """Who is asked, for error texts."""
        return f"{self.authority}/{self.tenant}"

    def settings(self) -> dict[str, Any]:
        """Return what every kind of msal application is made with."""
        own = self.authority != AUTHORITY
        return {
            "authority": self.issuer,
            "instance_discovery": False if own else None,
            "http_client": open_session(self.ca_file),
        }


class ApplicationTokens:
    """Client credentials (RFC 6749, section 4.4): the application logs in by itself.

    Args:
        credential: returns the secret, or msal's dictionary of a certificate, read
            afresh; a changed one is used at once.
    """

    def __init__(self, registration: Registration, credential: Callable[[], Any]) -> None:
        self._registration = registration
        self._credential = credential
        self._lock = threading.Lock()
        self._used: Any = None
        self._application: Any = None

    def __call__(self, *, fresh: bool) -> AccessToken:
        """Return a token; see ``TokenSource``."""
        return within(WAIT_S, lambda: self._token(fresh=fresh), self._registration.issuer)

    def _token(self, *, fresh: bool) -> AccessToken:
        with self._lock, _Translated(self._registration.issuer):
            credential = self._credential()
            if self._application is None or credential != self._used:
                self._application = _msal().ConfidentialClientApplication(
                    self._registration.client_id,
                    client_credential=credential,
                    **self._registration.settings(),
                )
                self._used = credential
            if fresh:
                self._application.remove_tokens_for_client()
            scopes = list(self._registration.scopes)
            answer = self._application.acquire_token_for_client(scopes)
        return _token_of(answer, self._registration.issuer, _HINT)


@dataclass(slots=True)
class PersonTokens:
    """Device code (RFC 8628): a person logged in once; the refresh token is kept.

    Attributes:
        kept: msal's cache, read anew for every token: `collector login` may have
            written it meanwhile.
        now: the present instant in UTC.
    """

    registration: Registration
    kept: KeptFile
    now: Callable[[], datetime] = field(repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, *, fresh: bool) -> AccessToken:
        """Return a token; see ``TokenSource``."""
        return within(WAIT_S, lambda: self._token(fresh=fresh), self.registration.issuer)

    def _token(self, *, fresh: bool) -> AccessToken:
        with self._lock, _Translated(self.registration.issuer):
            application, cache = self._opened(self.kept.read())
            accounts = application.get_accounts()
            if not accounts:
                raise LoginError("nobody logged in", subject=self.registration.issuer, hint=_LOG_IN)
            answer = application.acquire_token_silent_with_error(
                list(self.registration.scopes), account=accounts[0], force_refresh=fresh
            )
            self._keep(cache)
        return _token_of(answer or {}, self.registration.issuer, _LOG_IN)

    def log_in(self, show: Callable[[str], None], stop: Callable[[], bool]) -> None:
        """Have a person log in with a browser; keep what it gave.

        Args:
            show: told what the person must do: address and code.
            stop: ends the waiting.

        Raises:
            CycleError: refused, or nobody did it in time (15 minutes, as a rule).
        """
        with self._lock, _Translated(self.registration.issuer):
            application, cache = self._opened("")
            flow = application.initiate_device_flow(list(self.registration.scopes))
            if "user_code" not in flow:
                raise _error_of(flow, self.registration.issuer, _HINT)
            show(str(flow.get("message") or f"{flow['verification_uri']}: {flow['user_code']}"))
            answer = application.acquire_token_by_device_flow(
                flow,
                exit_condition=lambda each: (
                    stop() or each.get("expires_at", 0) < self.now().timestamp()
                ),
            )
            _token_of(answer, self.registration.issuer, _LOG_IN)
            self._keep(cache)

    def _opened(self, kept: str) -> tuple[Any, Any]:
        msal = _msal()
        cache = msal.SerializableTokenCache()
        if kept:
            cache.deserialize(kept)
        application = msal.PublicClientApplication(
            self.registration.client_id, token_cache=cache, **self.registration.settings()
        )
        return application, cache

    def _keep(self, cache: Any) -> None:  # noqa: ANN401 - the library has no types
        if cache.has_state_changed:
            self.kept.write(cache.serialize())


class _Translated:
    """Lets no exception of msal, requests or a parser leave the room."""

    def __init__(self, issuer: str) -> None:
        self._issuer = issuer

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError | ValueError | LookupError | TypeError | RuntimeError):
            raise unreachable(self._issuer, error) from None


def _token_of(answer: dict[str, Any], issuer: str, hint: str) -> AccessToken:
    text = answer.get("access_token")
    if not isinstance(text, str) or not text:
        raise _error_of(answer, issuer, hint)
    expires_in = answer.get("expires_in")
    return AccessToken(text, float(expires_in) if expires_in is not None else None)


def _error_of(answer: dict[str, Any], issuer: str, hint: str) -> CycleError:
    text = str(answer.get("error_description", "")).partition("Trace ID")[0]
    return refused(str(answer.get("error", "")), text, issuer, hint)


def _msal() -> Any:  # noqa: ANN401 - the library has no types
    try:
        import msal  # noqa: PLC0415 - an extra, and slow to load
    except ImportError:
        raise missing_library("msal") from None
    return msal
