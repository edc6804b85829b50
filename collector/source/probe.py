"""Looks at a mailbox before it is collected: `collector check`.

Rule: changes nothing, and goes on after a failure as long as the connection stands.
What no client can check (administrators, master users, delegates) is said.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from collector.domain.errors import CollectorError
from collector.domain.finding import Finding, Grade
from collector.source.account import Account
from collector.source.client import Client
from collector.source.fitting import fitted, is_attribute, provider_of
from collector.source.probe_folder import STEPS, Look
from collector.source.providers import AUTO, Provider
from collector.source.refusal import SERVER_FAULTS, Complaints, LoginRefused, Refused

CERTIFICATE_WARNING = timedelta(days=21)
ADDRESSES_MAX = 4
_HINT = "run `collector check` again; if it stays, look at the server's log"
_HINTS = {
    "uidplus": "see the finding on deletion",
    "idle": "the mailbox is polled; new mail is collected at the next poll",
}
_SUPPORT = {
    b"UIDPLUS": "messages are removed one by one (UID EXPUNGE)",
    b"MOVE": "messages can be moved away",
    b"IDLE": "new mail is told of at once",
}

Step = Callable[[], Iterator[Finding]]


def probe(
    account: Account,
    folder: str,
    now: Callable[[], datetime],
    arrivals_bytes_day: float | None = None,
) -> Iterator[Finding]:
    """Yield one finding after the other for a folder of ``account``.

    Args:
        now: the present instant in UTC.
        arrivals_bytes_day: what arrives in a day, ``None`` when not known.
    """
    probed = _Probe(Look(account, folder, now, arrivals_bytes_day))
    try:
        for name, step in probed.steps():
            yield from probed.looked(name, step)
    finally:
        probed.close()


class _Probe:
    """One look at one folder over one connection."""

    def __init__(self, look: Look) -> None:
        self._look = look
        self._account = look.account
        self._client: Client | None = None
        self._lost = False

    def steps(self) -> Iterator[tuple[str, Step]]:
        """Yield what is looked at, in order, with its name."""
        yield "dns", self.names
        yield "connection", self.connection
        yield "certificate", self.certificate
        yield "token", self.token
        yield "login", self.login
        yield "provider", self.provider
        yield "capabilities", self.capabilities
        for name, step in STEPS:
            yield name, lambda step=step: step(self._look, self._connected)  # type: ignore[misc]

    def looked(self, name: str, step: Step) -> Iterator[Finding]:
        """Yield what a step finds; a failure is a finding too."""
        if self._lost:
            return
        try:
            yield from step()
        except (CollectorError, *SERVER_FAULTS) as error:
            self._lost = not isinstance(error, Refused) or isinstance(error, LoginRefused)
            subject = f"{self._look.folder} of {self._account}"
            told = Complaints().translated(error, "this cannot be checked", subject)
            detail = told.what if told.subject in {"", subject} else told.problem
            yield self._look.finding(name, Grade.FAILED, detail, told.hint or _HINT)

    def close(self) -> None:
        """End the connection."""
        if self._client is not None:
            self._client.wire.shutdown()

    @property
    def _connected(self) -> Client:
        assert self._client is not None, "an earlier step connects"  # noqa: S101
        return self._client

    def names(self) -> Iterator[Finding]:
        """Ask the name service for the host."""
        found = socket.getaddrinfo(self._account.host, self._account.port, type=socket.SOCK_STREAM)
        addresses = list(dict.fromkeys(str(each[4][0]) for each in found))
        detail = f"{self._account.host} is {', '.join(addresses[:ADDRESSES_MAX])}"
        yield self._look.finding("dns", Grade.OK, detail)

    def connection(self) -> Iterator[Finding]:
        """Connect; look at TLS."""
        self._client = Client(self._account)
        version = getattr(self._client.wire.sock, "version", lambda: None)()
        detail = f"{version}, certificate verified" if version else "plain, on loopback"
        yield self._look.finding("connection", Grade.OK, detail)

    def certificate(self) -> Iterator[Finding]:
        """Look at whom the server's certificate is for, by whom, and until when."""
        sock = self._connected.wire.sock
        shown: Any = sock.getpeercert() if isinstance(sock, ssl.SSLSocket) else None
        if not shown:
            return
        names = [str(value) for _kind, value in shown.get("subjectAltName", ())]
        expires_at = datetime.fromtimestamp(ssl.cert_time_to_seconds(shown["notAfter"]), UTC)
        left = expires_at - self._look.now()
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        issuer = _name_of(shown.get("issuer", ()))
        detail = f"for {', '.join(names[:3])}{more}; by {issuer}; {left.days} days left"
        if left < CERTIFICATE_WARNING:
            hint = "have it renewed on the server: nothing is collected after its last day"
            yield self._look.finding("certificate", Grade.WARNING, detail, hint)
        else:
            yield self._look.finding("certificate", Grade.OK, detail)

    def token(self) -> Iterator[Finding]:
        """Have an access token handed out, where one is used."""
        if self._account.token is None:
            return
        token = self._account.token(fresh=False)
        good = "" if token.valid_s is None else f", good for {token.valid_s / 60:.0f} minutes"
        yield self._look.finding("token", Grade.OK, f"handed out{good}")

    def login(self) -> Iterator[Finding]:
        """Log in."""
        self._connected.log_in()
        yield self._look.finding("login", Grade.OK, "accepted")

    def provider(self) -> Iterator[Finding]:
        """Tell which kind of server it is, and what follows from it."""
        provider = provider_of(self._connected, self._account.provider)
        self._look.server = provider.kind
        self._look.account = fitted(self._account, provider, self._connected)
        how = "by what it shows" if self._account.provider == AUTO else "as configured"
        told = [f"{provider.name}, {how}", *_limits(self._look.account)]
        yield self._look.finding("provider", Grade.OK, "; ".join(told))
        yield from self._remarks(provider)

    def _remarks(self, provider: Provider) -> Iterator[Finding]:
        for each in provider.remarks:
            grade = Grade.WARNING if each.must_act else Grade.OK
            yield self._look.finding(provider.name, grade, each.detail, each.hint)

    def capabilities(self) -> Iterator[Finding]:
        """Look at what the server offers."""
        for capability, meaning in _SUPPORT.items():
            name = capability.decode().lower()
            if self._connected.has_capability(capability):
                yield self._look.finding(name, Grade.OK, meaning)
            elif capability != b"MOVE":
                missing = "not offered by the server"
                yield self._look.finding(name, Grade.WARNING, missing, _HINTS[name])


def _name_of(issuer: Any) -> str:  # noqa: ANN401 - tuples of tuples of tuples
    """Return the name of an issuer: its common name, else its organisation."""
    pairs = {key: value for part in issuer for key, value in part}
    return str(pairs.get("commonName") or pairs.get("organizationName") or "an unnamed authority")


def _limits(account: Account) -> Iterator[str]:
    """Yield what the account is held to there."""
    target = account.deleted_folder
    if target is not None and not is_attribute(target):
        yield f"deleted messages go to {target}"
    if account.size_is_hint:
        yield "sizes are hints"
    if account.daily_bytes_max is not None:
        yield f"{account.daily_bytes_max // 1_000_000} MB in 24 hours"
    if account.connections_max is not None:
        yield f"{account.connections_max} connections at a time"
