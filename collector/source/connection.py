"""One folder of one account, over a connection that is kept, dropped and made anew.

Rule: after any exception the connection is shut down without a word; what it held is
forgotten, because what is left unread on it would be taken for the next answer (imap
reference, 1.6).
"""

from __future__ import annotations

import contextlib
import imaplib
import time
from collections.abc import Iterator
from dataclasses import dataclass

from collector.domain.errors import CollectorError, CycleError
from collector.domain.mailbox import Horizon, ServerKind
from collector.source.account import Account
from collector.source.client import Client
from collector.source.fitting import fitted, provider_of
from collector.source.providers import GENERIC
from collector.source.refusal import (
    SERVER_FAULTS,
    Complaints,
    TokenRefused,
    asks_to_wait,
    blames_credentials,
)
from collector.source.selecting import Selected, enable_resync, select

LOGOUT_S = 2.0
"""Politeness does not hold up the end of the service."""


@dataclass(slots=True)
class Session:
    """A client that is logged in and has the folder selected."""

    client: Client
    selected: Selected
    server: ServerKind


class Connection:
    """Opens sessions, guards their use, and translates what goes wrong.

    Attributes:
        account: fitted to the server, once there was a session.
        provider: the kind of server, likewise.
    """

    def __init__(self, account: Account, folder: str) -> None:
        self._configured = account
        self.account = account
        self.provider = GENERIC
        self.folder = folder
        self.complaints = Complaints()
        self._session: Session | None = None
        self._introduces = True

    @property
    def subject(self) -> str:
        """The folder as an error names it."""
        return f"{self.folder} of {self.account}"

    def session(self, uidvalidity: int | None = None, horizon: Horizon | None = None) -> Session:
        """Return the open session, or a new one.

        Args:
            uidvalidity: what the caller's UIDs belong to.
            horizon: a new one is asked what changed since.

        Raises:
            CycleError: the folder has another UIDVALIDITY now.
        """
        if self._session is None:
            self._session = self._opened(horizon)
        if uidvalidity not in {None, self._session.selected.uidvalidity}:
            raise CycleError(
                "the folder was renumbered meanwhile",
                subject=self.subject,
                hint="the next cycle collects it under its new UIDVALIDITY",
            )
        return self._session

    def _opened(self, horizon: Horizon | None) -> Session:
        client = connect(self._configured)
        try:
            self._introduce(client)
            enable_resync(client)
            return Session(client, select(client, self.folder, horizon), self.provider.kind)
        except BaseException:
            client.wire.shutdown()
            raise

    def _introduce(self, client: Client) -> None:
        """Learn what the server is; not by a question whose answer could not be read."""
        asks, self._introduces = self._introduces, False
        self.provider = provider_of(client, self._configured.provider, ask=asks)
        self.account = fitted(self._configured, self.provider, client, ask=asks)
        self._introduces = asks

    def reselect(self, horizon: Horizon | None = None) -> Session:
        """Return a session with the folder selected just now, as ``select`` does it.

        A kept connection may have been ended meanwhile (idle for long, token expired):
        that is no failure, and a new one is opened at once.  One whose token is about to
        end is ended by us: servers cut it off in the middle of something else.
        """
        if self._session is not None and self._session.client.valid_until_s < time.monotonic():
            self.log_out()
        if self._session is not None:
            try:
                client = self._session.client
                self._session.selected = select(client, self.folder, horizon)
            except (imaplib.IMAP4.abort, OSError) as error:
                if asks_to_wait(error):
                    raise
                self.drop()
        return self.session(horizon=horizon)

    @property
    def current(self) -> Session | None:
        """The open session, if there is one."""
        return self._session

    @contextlib.contextmanager
    def guarded(self, what: str) -> Iterator[None]:
        """Drop the connection when the block is left by an exception, and translate it.

        Args:
            what: what then could not be done.

        Raises:
            CycleError, ConfigError: instead of whatever was raised.
        """
        try:
            yield
        except CollectorError as error:
            self.drop()
            error.subject = error.subject or self.subject
            raise
        except SERVER_FAULTS as error:
            self.drop()
            raise self.complaints.translated(error, what, self.subject) from None
        except BaseException:
            self.drop()
            raise

    def drop(self) -> None:
        """Shut the connection down; the next use opens a new one."""
        if self._session is not None:
            self._session.client.wire.shutdown()
            self._session = None

    def log_out(self) -> None:
        """End the session politely, if there is one."""
        if self._session is not None:
            wire = self._session.client.wire
            with contextlib.suppress(*SERVER_FAULTS):
                wire.sock.settimeout(LOGOUT_S)
                self._session.client.do(b"LOGOUT")
            self.drop()


def connect(account: Account) -> Client:
    """Connect and log in.

    Raises:
        ConfigError, CycleError: what a person must change; the password's source.
        OSError, imaplib.IMAP4.error: no connection, or refused.
    """
    try:
        return _logged_in(account, fresh=False)
    except TokenRefused as error:
        if not blames_credentials(error):
            raise
    return _logged_in(account, fresh=True)  # the token may have been withdrawn before its end


def _logged_in(account: Account, *, fresh: bool) -> Client:
    client = Client(account)
    try:
        client.log_in(fresh=fresh)
    except BaseException:
        client.wire.shutdown()
        raise
    return client
