"""How a mailbox lets us in without a password: an access token for one connection.

Rule: a token is a secret; no ``repr`` shows it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A bearer token (RFC 6750).

    Attributes:
        valid_s: seconds it is good for from now on, ``None`` when nobody told.
    """

    text: str = field(repr=False)
    valid_s: float | None = None


class TokenSource(Protocol):
    """Whoever hands out access tokens for one mailbox."""

    def __call__(self, *, fresh: bool) -> AccessToken:
        """Return a token that is good for some time yet.

        Args:
            fresh: the last one was refused; do not hand it out again.

        Raises:
            ConfigError: a person must change something.
            CycleError: the issuer cannot be reached, or does not hand one out now.
        """
