"""The words of a login by token: SASL OAUTHBEARER (RFC 7628) and XOAUTH2.

Rule: pure; what a server says about a refusal is told, and never what was sent to it.

XOAUTH2 is the form Google and Microsoft used before the standard; both mechanisms
answer a refusal with a challenge that holds JSON, which must be answered before the
tagged NO comes.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from collector.domain.errors import ConfigError
from collector.domain.foreign import clean
from collector.source.account import Account

CHALLENGE_BYTES_MAX = 16 * 1024
TOLD = ("status", "schemes", "scope")
"""Members of the server's JSON that a person is shown (RFC 7628, section 3.2.2)."""


@dataclass(frozen=True, slots=True)
class Mechanism:
    """One SASL mechanism for bearer tokens.

    Attributes:
        farewell: what a client says to the challenge of a refusal.
    """

    name: bytes
    farewell: bytes
    _message: Callable[[Account, str], str]

    def response(self, account: Account, token: str) -> bytes:
        """Return the initial client response, in base64."""
        return base64.b64encode(self._message(account, token).encode())


def _oauthbearer(account: Account, token: str) -> str:
    """Return the message of RFC 7628, section 3.1; the name as a saslname (RFC 5801)."""
    name = account.username.replace("=", "=3D").replace(",", "=2C")
    where = f"host={account.host}\1port={account.port}"
    return f"n,a={name},\1{where}\1auth=Bearer {token}\1\1"


def _xoauth2(account: Account, token: str) -> str:
    return f"user={account.username}\1auth=Bearer {token}\1\1"


MECHANISMS = (
    Mechanism(b"OAUTHBEARER", b"AQ==", _oauthbearer),
    Mechanism(b"XOAUTH2", b"", _xoauth2),
)
"""The standard first."""


def choose_mechanism(offered: Iterable[bytes], subject: str) -> Mechanism:
    """Return the best mechanism among the server's capabilities.

    Raises:
        ConfigError: it offers none for tokens.
    """
    names = {each.upper() for each in offered}
    for mechanism in MECHANISMS:
        if b"AUTH=" + mechanism.name in names:
            return mechanism
    raise ConfigError(
        "the server takes no token: it offers neither OAUTHBEARER nor XOAUTH2",
        subject=subject,
        hint='give a password instead; or is security = "tls" missing?',
    )


def complaint_of(challenge: bytes) -> str:
    """Return what a challenge says about the refusal; empty when it says nothing."""
    if not challenge or len(challenge) > CHALLENGE_BYTES_MAX:
        return ""
    try:
        said = json.loads(base64.b64decode(challenge, validate=True))
    except (binascii.Error, ValueError, RecursionError):
        return ""
    if not isinstance(said, dict):
        return ""
    told = [f"{name} {clean(str(said[name]))}" for name in TOLD if said.get(name)]
    return f"the server says: {', '.join(told)}" if told else ""
