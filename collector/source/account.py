"""How one mailbox on a server is reached, and the limits it is held to.

Rule: no secret is kept in here; ``password`` or ``token`` tells it afresh for every
connection.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from collector.domain.access import TokenSource
from collector.domain.errors import ConfigError

Security = Literal["tls", "starttls", "plain"]

MESSAGE_BYTES_MAX = 2 * 1024**3


def _nothing() -> None:
    return None


def _no_password() -> str:
    raise ConfigError("there is no password", hint="the account logs in with a token")


def _nobody_reads(_text: str) -> None:
    return None


@dataclass(frozen=True, slots=True)
class Limits:
    """What a server may cost us; the defaults are for real servers, tests shorten them.

    Attributes:
        connect_s: for TCP, TLS and the greeting, each, and for the end of an IDLE.
        silence_s: without a single byte from the server.
        grace_s: an answer may take this long whatever its size ...
        rate_min: ... and then one more second for every so many bytes.
        line_bytes_max: one line of an answer; 80,000 UIDs of ten digits fit.
        answer_bytes_max: all lines of one answer, without the bodies; 1,000,000
            EXPUNGE lines fit.
        memory_bytes_max: bodies of one FETCH beyond this are spooled to files.  One FETCH
            asks for no more (``handover.COMMAND_BYTES_MAX``), unless for one large message.
        breaks_max: connections lost in one fetch without a message in between.
        idle_s: IDLE is renewed after this (RFC 2177 asks for less than 29 minutes): shorter
            than routers keep a silent connection, and a dead one is noticed then.
    """

    connect_s: float = 30.0
    silence_s: float = 120.0
    grace_s: float = 300.0
    rate_min: int = 16 * 1024
    line_bytes_max: int = 1024**2
    answer_bytes_max: int = 32 * 1024**2
    memory_bytes_max: int = 4 * 1024**2
    breaks_max: int = 4
    idle_s: float = 240.0


@dataclass(frozen=True, slots=True)
class Account:
    r"""One configured mailbox, as the source needs it.

    Attributes:
        name: the mailbox's name in the configuration.
        security: ``plain`` is refused for anything but loopback.
        password: returns the password; may raise ``ConfigError`` or ``CycleError``.
        token: returns an access token, which is then used instead of the password.
        ca_file: the only certificate authority to trust; ``None``: the system's.
        spool_dir: for large messages on their way; nothing stays there.
        message_bytes_max: a larger message is not fetched.
        provider: kind of server; ``auto``: as it shows itself.
        configured: names of the fields below that an administrator set: a preset of the
            provider leaves them alone.
        deleted_folder: where messages are moved on a server without UIDPLUS; a name, or
            a special-use attribute (``\Trash``, RFC 6154).
        moves: expunging does not delete on this server, moving does.
        exclusive: no other client changes this mailbox: plain EXPUNGE is allowed.
        size_is_hint: RFC822.SIZE may differ from what is handed over (Exchange).
        daily_bytes_max: so much may be downloaded in 24 hours, ``None``: any amount.
        connections_max: the server allows so many at a time, ``None``: not known.
        progress: called while bytes arrive, at most once a second.
        alert: called with an ``[ALERT]`` of the server, which a person must read
            (RFC 9051, section 7.1).
    """

    name: str
    host: str
    port: int
    security: Security
    username: str = field(repr=False)
    spool_dir: Path
    password: Callable[[], str] = field(default=_no_password, repr=False)
    token: TokenSource | None = field(default=None, repr=False)
    ca_file: Path | None = None
    message_bytes_max: int = MESSAGE_BYTES_MAX
    provider: str = "auto"
    configured: frozenset[str] = frozenset()
    deleted_folder: str | None = None
    moves: bool = False
    exclusive: bool = False
    size_is_hint: bool = False
    daily_bytes_max: int | None = None
    connections_max: int | None = None
    progress: Callable[[], None] = field(default=_nothing, repr=False)
    alert: Callable[[str], None] = field(default=_nobody_reads, repr=False)
    limits: Limits = field(default_factory=Limits)

    def __str__(self) -> str:
        return f"{self.name} at {self.host}:{self.port}"
