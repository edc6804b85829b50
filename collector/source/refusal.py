"""Turns what a server or the network said into an error of ours, with a waiting time.

Rule: one table; what it does not know is passing, and the service chooses the pause.
Texts of servers are told as ``domain/foreign.py`` cleans them.

Texts and times: imap reference, 2.7; response codes: RFC 5530.
"""

from __future__ import annotations

import imaplib
import re
import socket
import ssl
from dataclasses import dataclass

from imapclient.exceptions import CapabilityError

from collector.domain.errors import (
    CollectorError,
    ConfigError,
    CycleError,
    LoginError,
    ThrottledError,
)
from collector.domain.foreign import clean

MINUTE_S = 60.0
HOUR_S = 3600.0
DAY_S = 86400.0

_BACKOFF = re.compile(r"Suggested Backoff Time: (\d{1,9}) milliseconds", re.IGNORECASE)


SERVER_FAULTS = (imaplib.IMAP4.error, OSError, ValueError, LookupError, RecursionError)
"""What a lost connection, a refusal, or an answer that no parser understands raises."""


class Refused(imaplib.IMAP4.error):
    """The server answered NO or BAD; the text is the server's, cleaned."""


class LoginRefused(Refused):
    """The server did not take the credentials; the text holds no secret."""


class TokenRefused(LoginRefused):
    """The server did not take the access token; the text holds none."""


class Ended(imaplib.IMAP4.abort):
    """The server said BYE; the text is the server's, cleaned."""


@dataclass(frozen=True, slots=True)
class _Known:
    """A text that tells what is wrong.

    Attributes:
        wait_s: pause after the first time; ``None``: the service chooses.
        again_s: pause when it comes again before anything succeeded.
        of_message: in an answer to FETCH it concerns that message alone.
        throttle: what the server limits, when it wants to be left alone.
    """

    text: re.Pattern[str]
    hint: str
    error: type[CycleError] = CycleError
    wait_s: float | None = None
    again_s: float | None = None
    of_message: bool = False
    throttle: str = ""


def _known(text: str, hint: str, **rest: object) -> _Known:
    return _Known(re.compile(text, re.IGNORECASE), hint, **rest)  # type: ignore[arg-type]


_RIGHTS = "give the account its rights on the mailbox; `collector check` shows them"
_LATER = "the server says it is passing"
_CREDENTIALS = "check username and password; asked again in an hour, so that nothing is locked"
_REFUSED_TWICE = (
    "a fresh token was refused, too: check scope, tenant and username, and that the application "
    "may open this mailbox; asked again in an hour"
)

KNOWN = (
    _known(
        r"authenticated but not connected",
        "the account may not open this mailbox, or Microsoft limits new logins",
        wait_s=5 * MINUTE_S,
        again_s=HOUR_S,
        throttle="logins",
    ),
    _known(
        r"\[OVERQUOTA\].*bandwidth|bandwidth limits",
        "the daily limit of the account is used up",
        error=ThrottledError,
        wait_s=HOUR_S,
        again_s=DAY_S,
        throttle="bandwidth",
    ),
    _known(
        r"too many simultaneous connections|maximum number of connections|max_userip_connections",
        "close other connections of this account, or raise the server's limit",
        wait_s=MINUTE_S,
        again_s=MINUTE_S,
    ),
    _known(r"AccessTokenExpired", "a new token is asked for", wait_s=0.0, again_s=30.0),
    _known(
        r"\[AUTHENTICATIONFAILED\]|AUTHENTICATE failed|invalid credentials|LOGIN failed",
        _CREDENTIALS,
        error=LoginError,
    ),
    _known(r"\[(AUTHORIZATIONFAILED|EXPIRED|PRIVACYREQUIRED)\]", _RIGHTS, error=LoginError),
    _known(r"\[(CONTACTADMIN|NOPERM)\]", _RIGHTS, wait_s=HOUR_S, again_s=HOUR_S),
    _known(
        r"\[NONEXISTENT\]|mailbox doesn't exist|\[TRYCREATE\]",
        "make the folder on the server, or correct its name in the configuration",
        wait_s=HOUR_S,
        again_s=HOUR_S,
    ),
    _known(r"\[(CORRUPTION|LIMIT|CANNOT)\]", "look at the server's log", of_message=True),
    _known(r"\[SERVERBUG\]", _LATER, of_message=True),
    _known(r"\[(UNAVAILABLE|INUSE)\]|Server Unavailable", _LATER),
)

_UNKNOWN = _known("", _CREDENTIALS)


def of_message(error: BaseException) -> bool:
    """Say whether a failed FETCH of a single message may be that message's own fault.

    The server wants to wait, or to see other credentials: then it is not.
    """
    text = str(error)
    if _BACKOFF.search(text):
        return False
    known = _find(text)
    return known is None or known.of_message


def blames_credentials(error: BaseException) -> bool:
    """Say whether a refused login is about who we are, and not a passing trouble."""
    text = str(error)
    known = _find(text)
    return not _BACKOFF.search(text) and (known is None or known.error is LoginError)


def asks_to_wait(error: BaseException) -> bool:
    """Say whether a connection that was ended should not be opened again at once."""
    known = _find(str(error))
    return bool(_BACKOFF.search(str(error)) or (known and known.wait_s))


class Complaints:
    """Translates errors of one mailbox; a known complaint that comes again waits longer."""

    def __init__(self) -> None:
        self._last: _Known | None = None

    def resume(self, throttle: str) -> None:
        """Go on where an earlier run was told of this throttle."""
        self._last = next((each for each in KNOWN if each.throttle == throttle != ""), self._last)

    def forget(self) -> None:
        """Note that something succeeded."""
        self._last = None

    def translated(self, error: BaseException, what: str, subject: str) -> CollectorError:
        """Return the error of ours.

        Args:
            error: what was raised.
            what: what could not be done.
            subject: the mailbox.
        """
        if isinstance(error, CollectorError):
            return error
        reason = reason_of(error)
        if backoff := _BACKOFF.search(reason):
            wait_s = min(max(int(backoff[1]) / 1000, 1.0), DAY_S)
            hint = f"the server asks to wait {wait_s:.0f} s"
            text = f"{what}: {reason}"
            return ThrottledError(
                text, subject=subject, hint=hint, retry_after_s=wait_s, throttle="requests"
            )
        if isinstance(error, CapabilityError):
            hint = 'use security = "tls" with the port for it, or let the server offer STARTTLS'
            return ConfigError(f"{what}: {reason}", subject=subject, hint=hint)
        known = _find(reason)
        if isinstance(error, LoginRefused) and (known is None or known.error is LoginError):
            hint = _REFUSED_TWICE if isinstance(error, TokenRefused) else (known or _UNKNOWN).hint
            return LoginError(f"{what}: {reason}", subject=subject, hint=hint)
        if known is None:
            return CycleError(f"{what}: {reason}", subject=subject, hint=_network_hint(error))
        return self._of_known(known, f"{what}: {reason}", subject)

    def _of_known(self, known: _Known, text: str, subject: str) -> CycleError:
        pause_s = known.again_s if known is self._last else known.wait_s
        self._last = known
        if known.throttle and pause_s is not None:
            return ThrottledError(
                text,
                subject=subject,
                hint=known.hint,
                retry_after_s=pause_s,
                throttle=known.throttle,
            )
        return known.error(text, subject=subject, hint=known.hint, retry_after_s=pause_s)


def _find(text: str) -> _Known | None:
    return next((each for each in KNOWN if each.text.search(text)), None)


def reason_of(error: BaseException) -> str:
    """Return in a few words what happened; never a line of an answer that was not understood."""
    match error:
        case imaplib.IMAP4.error() if "unexpected" not in str(error):
            return clean(str(error))
        case TimeoutError():
            return clean(str(error)) or "the server is silent"
        case OSError():
            return _network_reason(error)
        case _:
            return "the answer is not IMAP"


def _network_reason(error: OSError) -> str:
    match error:
        case ssl.SSLCertVerificationError():
            return f"the server's certificate is not trusted: {clean(error.verify_message)}"
        case ssl.SSLError():
            return f"TLS failed: {clean(getattr(error, 'reason', None) or 'no reason told')}"
        case socket.gaierror():
            return "the host name is not known"
        case _:
            return clean(error.strerror or "the connection failed").lower()


def _network_hint(error: BaseException) -> str:
    match error:
        case ssl.SSLCertVerificationError():
            return "name its authority with ca_file, and the host as the certificate does"
        case ssl.SSLError():
            return "check port and security"
        case socket.gaierror() | ConnectionRefusedError() | TimeoutError():
            return "check host, port and the network"
        case _:
            return ""
