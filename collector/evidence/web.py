"""One HTTP request, bounded in time, in size and in where it may lead.

Rule: nothing the other side does keeps us longer than asked: not a slow byte,
not a long answer, not a redirection.  Nothing of an address but its host goes
into an error text, because webhooks carry their secret in the path.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib import request
from urllib.error import HTTPError
from urllib.parse import urlsplit

from collector.domain.errors import ConfigError, CycleError
from collector.domain.hosts import is_loopback


@dataclass(frozen=True, slots=True)
class Address:
    """Where a request goes and how.

    Attributes:
        url: http or https, without user and password.
        authorization: content of the Authorization header, empty for none.
        ca_file: certificate authorities to trust instead of the system's.

    Raises:
        ConfigError: the URL cannot be used.
    """

    url: str = field(repr=False)
    authorization: str = field(default="", repr=False)
    ca_file: Path | None = None

    def __post_init__(self) -> None:
        try:
            parts = urlsplit(self.url)
            usable = parts.hostname and parts.port != 0 and not parts.username
        except ValueError:
            usable = False
        if not usable or parts.scheme not in {"http", "https"} or not self.url.isprintable():
            raise ConfigError(
                "a web address cannot be used",
                hint="write http(s)://host/path; credentials belong into `authorization`",
            )

    @property
    def host(self) -> str:
        """The host's name, for error texts."""
        return urlsplit(self.url).hostname or ""

    @property
    def is_private(self) -> bool:
        """Nobody on the way can read or change the request."""
        return urlsplit(self.url).scheme == "https" or is_loopback(self.host)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a request may take.

    Attributes:
        timeout_s: seconds for all of it, connecting included.
        answer_bytes_max: bytes of the answer's body.
    """

    timeout_s: float = 30.0
    answer_bytes_max: int = 256 * 1024


class Deadline:
    """Cuts watched connections when the time is over, however busy they are.

    A time-out of the socket alone would begin anew with every byte received.
    """

    def __init__(self, timeout_s: float) -> None:
        self.expired = False
        self._watched: list[socket.socket] = []
        self._timer = threading.Timer(timeout_s, self._cut)

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._timer.cancel()
        self._timer.join()
        for twin in self._watched:
            twin.close()

    def watch(self, connection: socket.socket) -> socket.socket:
        """Return ``connection``, which is cut in time even when TLS takes it over.

        Its own time-out is taken off: what comes over it ends in one way, ours.
        """
        connection.settimeout(None)
        twin = connection.dup()
        self._watched.append(twin)
        if self.expired:
            _shut(twin)
        return connection

    def _cut(self) -> None:
        self.expired = True
        for twin in tuple(self._watched):
            _shut(twin)


def post(address: Address, body: bytes, content_type: str, limits: Limits) -> bytes:
    """Send ``body`` and return the body of the answer.

    Raises:
        CycleError: not reached, refused, redirected, too slow or too long.
    """
    return _answer(address, body, {"Content-Type": content_type}, limits)


def get(address: Address, limits: Limits) -> bytes:
    """Ask for ``address`` and return the body of the answer.

    Raises:
        CycleError: as ``post``.
    """
    return _answer(address, None, {}, limits)


def _answer(address: Address, body: bytes | None, headers: dict[str, str], limits: Limits) -> bytes:
    headers = {**headers, "User-Agent": "journal-collector"}
    if address.authorization:
        headers["Authorization"] = address.authorization
    asked = request.Request(address.url, data=body, headers=headers)  # noqa: S310 - http(s) only
    with Deadline(limits.timeout_s) as deadline:
        try:
            with _opener(address, deadline).open(asked, timeout=limits.timeout_s) as answer:
                return _body(answer, address, limits, deadline)
        except HTTPError as error:
            error.close()
            raise _failed(address, f"it answered {error.code}") from error
        except (OSError, http.client.HTTPException) as error:
            slow = f"not done within {limits.timeout_s:g} s"
            why = slow if deadline.expired else _reason(error)
            raise _failed(address, why) from error


def tls_context(ca_file: Path | None) -> ssl.SSLContext:
    """Return a context that checks certificate and name.

    Raises:
        ConfigError: ``ca_file`` cannot be read.
    """
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise ConfigError("certificates cannot be read", subject=str(ca_file)) from error


def _opener(address: Address, deadline: Deadline) -> request.OpenerDirector:
    """Return an opener that follows no redirection and knows no scheme but two."""

    def connect(
        where: tuple[str, int], timeout_s: float, source: tuple[str, int] | None
    ) -> socket.socket:
        return deadline.watch(socket.create_connection(where, timeout_s, source))

    def watched(connection: http.client.HTTPConnection) -> http.client.HTTPConnection:
        connection._create_connection = connect  # type: ignore[attr-defined]  # noqa: SLF001
        return connection

    class Plain(request.HTTPHandler):
        def http_open(self, req: request.Request) -> http.client.HTTPResponse:
            return self.do_open(
                lambda host, **how: watched(http.client.HTTPConnection(host, **how)), req
            )

    class Secure(request.HTTPSHandler):
        def https_open(self, req: request.Request) -> http.client.HTTPResponse:
            context = tls_context(address.ca_file)
            return self.do_open(
                lambda host, **how: watched(
                    http.client.HTTPSConnection(host, context=context, **how)
                ),
                req,
            )

    opener = request.OpenerDirector()
    handlers = (request.ProxyHandler(), Plain(), Secure(), request.HTTPErrorProcessor())
    for handler in (*handlers, request.HTTPDefaultErrorHandler()):
        opener.add_handler(handler)
    return opener


def _body(
    answer: http.client.HTTPResponse, address: Address, limits: Limits, deadline: Deadline
) -> bytes:
    body = answer.read(limits.answer_bytes_max + 1)
    if deadline.expired:
        raise TimeoutError
    if len(body) > limits.answer_bytes_max:
        raise _failed(address, "its answer is too long")
    if answer.length:
        raise _failed(address, "its answer is cut off")
    return body


def _reason(error: Exception) -> str:
    """Say what went wrong, in no words of the other side."""
    reason = getattr(error, "reason", error)
    if isinstance(reason, TimeoutError):
        return "it does not answer"
    if isinstance(reason, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {reason.verify_message}"
    if isinstance(reason, OSError):
        return reason.strerror or type(reason).__name__
    return f"it does not speak HTTP as expected ({type(error).__name__})"


def _failed(address: Address, why: str) -> CycleError:
    return CycleError(f"a request failed: {why}", subject=address.host)


def _shut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):  # the other side may have gone first
        connection.shutdown(socket.SHUT_RDWR)
