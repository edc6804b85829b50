"""IMAPClient with the cures of the imap reference, sections 0 and 1.

Rule: debug output is off before anything is sent, so no byte of mail or password is
ever formatted for a log; answers are read line by line and never collected.

IMAPClient connects, authenticates and encodes names; what touches messages goes
through ``run``, because its own calls keep every body of a batch in memory, and what
a failed command left behind comes back in the next answer (1.6).
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Collection, Iterator, Sequence

from imapclient import IMAPClient, SocketTimeout
from imapclient.imap_utf7 import encode as encode_utf7

from collector.domain.access import AccessToken
from collector.domain.errors import ConfigError
from collector.domain.foreign import clean
from collector.domain.hosts import is_loopback
from collector.domain.uids import encode_uids, ranges_of
from collector.source.account import Account
from collector.source.bearer import Mechanism, choose_mechanism, complaint_of
from collector.source.lines import searched
from collector.source.refusal import Ended, LoginRefused, Refused, TokenRefused
from collector.source.tls import tls_context
from collector.source.wire import LITERAL, Wire

UIDS_MAX = 1000
"""UIDs in one command: 8 kB, which every server must take (RFC 7162, section 4)."""


TOKEN_SPARE_S = 60.0
"""A session is ended so long before its token."""

SHORT_LINES_MAX = 10_000
SEARCHED_MAX = 200_000
"""More than a window of the listing can hold, and little enough to be kept in memory."""


def _ignored(_line: bytes, _answered: bool) -> None:  # noqa: FBT001 - a callback
    return None


class Client(IMAPClient):  # type: ignore[misc]
    """A connection to the server of ``account``, not logged in.

    Attributes:
        concluded: the tagged status of the last finished ``run``, without its tag.
        resyncs: QRESYNC is enabled (RFC 7162): VANISHED stands for EXPUNGE.
        valid_until_s: when the access token of this session ends (``time.monotonic``).

    Raises:
        ConfigError: the CA file cannot be used, or plain text was asked for beyond
            loopback.
        OSError, imaplib.IMAP4.error: no connection.
    """

    def __init__(self, account: Account) -> None:
        self._account = account
        self.concluded = b""
        self.resyncs = False
        self.valid_until_s = math.inf
        self._context = None if account.security == "plain" else tls_context(account)
        if account.security == "plain" and not is_loopback(account.host):
            raise ConfigError(
                "a password is not sent without TLS to another machine",
                subject=account.host,
                hint='use security = "tls" or "starttls"',
            )
        limits = account.limits
        super().__init__(
            account.host,
            account.port,
            ssl=account.security == "tls",
            ssl_context=self._context,
            timeout=SocketTimeout(limits.connect_s, limits.silence_s),
        )
        self._imap.debug = 0
        if account.security == "starttls":
            try:
                self.starttls(self._context)
            except BaseException:
                self.wire.shutdown()
                raise

    def _create_IMAP4(self) -> Wire:  # noqa: N802 - IMAPClient's seam
        account = self._account
        context = self._context if account.security == "tls" else None
        return Wire(account.host, account.port, context, account.limits, account.progress)

    @property
    def wire(self) -> Wire:
        """The connection below."""
        wire: Wire = self._imap
        return wire

    def log_in(self, *, fresh: bool = False) -> None:
        """Authenticate: by token; or SASL PLAIN in UTF-8, or LOGIN where that is not offered.

        Args:
            fresh: the last token was refused; ask for another.

        Raises:
            ConfigError, CycleError: the secret cannot be told, or the server takes none.
            imaplib.IMAP4.error: refused; the text holds no secret.
        """
        if self.wire.state != "NONAUTH":
            return  # the server's greeting was PREAUTH
        if self._account.token is not None:
            self._log_in_by_token(self._account.token(fresh=fresh))
            return
        username, secret = self._account.username, self._account.password()
        offered = self.capabilities()
        if b"AUTH=PLAIN" in offered:
            self._hiding(self.plain_login, username, secret)
        elif b"LOGINDISABLED" in offered:
            raise ConfigError(
                "the server takes no password on this connection",
                subject=str(self._account),
                hint='use security = "tls", or a token ([mailbox.oauth])',
            )
        else:
            self._hiding(self._log_in_by_literals, username, secret)
            self._logged_in()

    def _log_in_by_token(self, token: AccessToken) -> None:
        """Authenticate with a bearer token (RFC 7628); the server's complaint is told."""
        mechanism = choose_mechanism(self.capabilities(), str(self._account))
        response = mechanism.response(self._account, token.text)
        try:
            challenges = self._exchange(mechanism, response)
        except self.AbortError as error:
            raise Ended(clean(str(error).replace(token.text, "***"))) from None
        if self.concluded.upper().startswith(b"OK"):
            if token.valid_s is not None:
                self.valid_until_s = time.monotonic() + token.valid_s - TOKEN_SPARE_S
            self._logged_in()
            return
        why = clean(self.concluded.replace(token.text.encode(), b"***"))
        raise TokenRefused("; ".join([why, *map(complaint_of, challenges)]).rstrip("; "))

    def _exchange(self, mechanism: Mechanism, response: bytes) -> list[bytes]:
        """Run AUTHENTICATE (RFC 9051, section 6.2.2) to its end; return the challenges."""
        at_once = self.has_capability("SASL-IR")
        command = b"AUTHENTICATE " + mechanism.name
        tag = self.wire.begin(command + b" " + response if at_once else command)
        answers = [mechanism.farewell] if at_once else [response, mechanism.farewell]
        challenges: list[bytes] = []
        while not (line := self.wire.line()).startswith(tag):
            if line.startswith(b"+") and answers:
                challenges.append(line[1:].strip())
                self.wire.send(answers.pop(0) + b"\r\n")
            elif line.startswith(b"+"):
                raise self.AbortError("the login does not end")
            else:
                self._heed(line[2:])
        self.concluded = line[len(tag) :]
        return challenges

    def _logged_in(self) -> None:
        """Go on as somebody: capabilities may be others now."""
        self.wire.state = "AUTH"
        self._cached_capabilities = self._do_capabilites()

    def _hiding(self, log_in: Callable[[str, str], object], username: str, secret: str) -> None:
        """Log in so that no exception carries the secret, not even as its cause."""
        try:
            log_in(username, secret)
        except UnicodeError:
            raise LoginRefused("the user name or password cannot be encoded") from None
        except self.AbortError as error:
            raise Ended(clean(str(error).replace(secret, "***"))) from None
        except self.Error as error:
            raise LoginRefused(clean(_unquoted(str(error)).replace(secret, "***"))) from None

    def _log_in_by_literals(self, username: str, password: str) -> None:
        """LOGIN with literals: any user name, any password (RFC 9051, section 6.2.3)."""
        wire = self.wire
        pieces = [username.encode(), password.encode()]
        tag = wire.begin(b"LOGIN {%d}" % len(pieces[0]))
        for piece, end in ((pieces[0], b" {%d}" % len(pieces[1])), (pieces[1], b"")):
            while not (line := wire.line()).startswith(b"+"):
                if line.startswith(tag):
                    self.conclude(line[len(tag) :])
                    return
            wire.send(piece + end + b"\r\n")
        for _ in self._lines_until(tag, literals=False):
            pass

    def run(self, command: bytes, *, literals: bool = False) -> Iterator[bytes]:
        """Send a command; yield the untagged lines of its answer as they arrive.

        Args:
            command: without tag and line end; sent at once.
            literals: the caller reads the literal a line announces from ``wire``
                before it asks for the next line.

        Raises:
            Refused: the answer was NO or BAD.
            Ended: the server said BYE.
            imaplib.IMAP4.abort, OSError: the connection is lost, or a limit was passed.
        """
        tag = self.wire.begin(command)
        return self._lines_until(tag, literals=literals)

    def do(self, command: bytes) -> None:
        """Run a command whose answer tells nothing but whether it worked."""
        for _ in self.run(command):
            pass

    def ask(self, command: bytes) -> list[bytes]:
        """Run a command whose answer is short; return its untagged lines."""
        lines = list(itertools.islice(self.run(command), SHORT_LINES_MAX + 1))
        if len(lines) > SHORT_LINES_MAX:
            raise self.AbortError("the answer does not end")
        return lines

    def search(self, keys: bytes, news: Callable[[bytes, bool], None] = _ignored) -> set[int]:
        """Return the UIDs that ``UID SEARCH`` finds.

        Args:
            keys: what to search for; at most ``SEARCHED_MAX`` messages may match.
            news: called with every other line, and whether the answer had come before it.

        Raises:
            ValueError: one of them is no UID, or there are too many.
        """
        found: set[int] = set()
        answered = False
        for line in self.run(b"UID SEARCH " + keys):
            uids = searched(line)
            if uids is None:
                news(line, answered)
                continue
            answered = True
            found |= uids
            if len(found) > SEARCHED_MAX:
                raise ValueError("more messages are found than there can be")
        return found

    def _lines_until(self, tag: bytes, *, literals: bool) -> Iterator[bytes]:
        while True:
            concluded, line = self.next_line((tag,))
            if concluded:
                self.conclude(line)
                return
            if not literals and line.endswith(b"}") and LITERAL.search(line):
                raise self.AbortError("unexpected literal")
            yield line

    def next_line(self, tags: Collection[bytes]) -> tuple[bytes, bytes]:
        """Return the next line, and which command it concludes.

        Args:
            tags: of the commands that are under way, as ``Wire.begin`` returned them.

        Returns:
            The tag and what follows it; ``b""`` and the whole line when it is untagged.

        Raises:
            Ended: the server said BYE.
            imaplib.IMAP4.abort, OSError: the connection is lost, a limit was passed,
                or the line belongs to none of the commands.
        """
        line = self.wire.line()
        if not line.startswith(b"* "):
            tag = line[: line.find(b" ") + 1]
            if tag not in tags:
                raise self.AbortError("unexpected line")
            return tag, line[len(tag) :]
        if line.startswith((b"* BYE", b"* OK [ALERT]", b"* NO", b"* BAD")):
            self._heed(line[2:])
        return b"", line

    def conclude(self, status: bytes) -> None:
        """Keep the tagged status; OK may stand without a text.

        Raises:
            Refused: it is NO or BAD.
        """
        self.concluded = status
        if b"[ALERT]" in status:
            self._account.alert(clean(status))
        if not status.upper().startswith(b"OK"):
            raise Refused(clean(status))

    def _heed(self, status: bytes) -> None:
        """Pass on an alert; end when the server ends."""
        if b"[ALERT]" in status:
            self._account.alert(clean(status))
        if status.startswith(b"BYE"):
            raise Ended(clean(status))


def _unquoted(text: str) -> str:
    """Take off the repr() that imaplib puts around a server's text (``b'NO ...'``)."""
    return text[2:-1] if text.startswith(("b'", 'b"')) else text


def quoted(folder: str) -> bytes:
    """Return a folder's name as it is sent (modified UTF-7, RFC 9051, appendix A.1)."""
    name: bytes = encode_utf7(folder)
    return b'"' + name.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def uid_set(uids: Sequence[int]) -> bytes:
    """Return a sequence set of exactly these ascending UIDs, neighbours as ranges.

    >>> uid_set([1, 2, 3, 7])
    b'1:3,7'
    """
    return encode_uids(ranges_of(uids)).encode()


def portions(uids: Sequence[int]) -> Iterator[Sequence[int]]:
    """Yield ``uids`` in ascending order, as many at a time as fit into one command."""
    uids = sorted(set(uids))
    for start in range(0, len(uids), UIDS_MAX):
        yield uids[start : start + UIDS_MAX]
