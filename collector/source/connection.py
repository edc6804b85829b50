"""One folder of one account, over a connection that is kept, dropped and made anew.

Rule: after any exception the connection is shut down without a word; what it held is
forgotten, because what is left unread on it would be taken for the next answer (imap
reference, 1.6).
"""

from __future__ import annotations

import contextlib
import imaplib
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass

from collector.domain.errors import CollectorError, CycleError
from collector.source.account import Account
from collector.source.client import Client, quoted
from collector.source.fitting import fitted, provider_of
from collector.source.lines import exists_of
from collector.source.providers import GENERIC
from collector.source.refusal import (
    SERVER_FAULTS,
    Complaints,
    TokenRefused,
    asks_to_wait,
    blames_credentials,
)

_CODE = re.compile(rb"\* OK \[(UIDVALIDITY|UIDNEXT) (\d{1,10})\]", re.IGNORECASE)
_PERMANENT = re.compile(rb"\* OK \[PERMANENTFLAGS \(([^)]*)\)\]", re.IGNORECASE)

DELETED = rb"\Deleted"
LOGOUT_S = 2.0
"""Politeness does not hold up the end of the service."""


@dataclass(frozen=True, slots=True)
class Selected:
    """What the server said of the folder when it was selected (RFC 9051, section 6.3.2).

    Attributes:
        uidnext: 0 when it did not say.
        writable: the folder was opened READ-WRITE.
        permanent_flags: ``None`` when it did not say: then all flags can be changed.
    """

    uidvalidity: int
    uidnext: int
    exists: int
    writable: bool
    permanent_flags: tuple[bytes, ...] | None

    @property
    def deletable(self) -> bool:
        r"""Whether \Deleted can be set for good; a missing right ``t`` shows here."""
        flags = self.permanent_flags
        return flags is None or DELETED.lower() in [flag.lower() for flag in flags]


@dataclass(slots=True)
class Session:
    """A client that is logged in and has the folder selected."""

    client: Client
    selected: Selected


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

    def session(self, uidvalidity: int | None = None) -> Session:
        """Return the open session, or a new one.

        Args:
            uidvalidity: what the caller's UIDs belong to.

        Raises:
            CycleError: the folder has another UIDVALIDITY now.
        """
        if self._session is None:
            self._session = self._opened()
        if uidvalidity not in {None, self._session.selected.uidvalidity}:
            raise CycleError(
                "the folder was renumbered meanwhile",
                subject=self.subject,
                hint="the next cycle collects it under its new UIDVALIDITY",
            )
        return self._session

    def _opened(self) -> Session:
        client = connect(self._configured)
        try:
            self._introduce(client)
            return Session(client, select(client, self.folder))
        except BaseException:
            client.wire.shutdown()
            raise

    def _introduce(self, client: Client) -> None:
        """Learn what the server is; not by a question whose answer could not be read."""
        asks, self._introduces = self._introduces, False
        self.provider = provider_of(client, self._configured.provider, ask=asks)
        self.account = fitted(self._configured, self.provider, client, ask=asks)
        self._introduces = asks

    def reselect(self) -> Session:
        """Return a session with the folder selected just now.

        A kept connection may have been ended meanwhile (idle for long, token expired):
        that is no failure, and a new one is opened at once.  One whose token is about to
        end is ended by us: servers cut it off in the middle of something else.
        """
        if self._session is not None and self._session.client.valid_until_s < time.monotonic():
            self.log_out()
        if self._session is not None:
            try:
                self._session.selected = select(self._session.client, self.folder)
            except (imaplib.IMAP4.abort, OSError) as error:
                if asks_to_wait(error):
                    raise
                self.drop()
        return self.session()

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


def select(client: Client, folder: str) -> Selected:
    """Select ``folder`` for writing, whatever was selected before (RFC 9051, section 6.3.2).

    Raises:
        CycleError: it has no UIDVALIDITY, so its UIDs mean nothing.
        OSError, imaplib.IMAP4.error: it cannot be selected.
    """
    exists = 0
    codes: dict[bytes, int] = {}
    flags: tuple[bytes, ...] | None = None
    for line in client.run(b"SELECT " + quoted(folder)):
        if (count := exists_of(line)) is not None:
            exists = count
        elif found := _CODE.match(line):
            codes[found[1].upper()] = int(found[2])
        elif found := _PERMANENT.match(line):
            flags = tuple(found[1].split())
    writable = b"[READ-WRITE]" in client.concluded.upper()
    client.wire.state = "SELECTED"
    if not codes.get(b"UIDVALIDITY"):
        raise CycleError("the server does not number its messages for good", subject=folder)
    return Selected(codes[b"UIDVALIDITY"], codes.get(b"UIDNEXT", 0), exists, writable, flags)
