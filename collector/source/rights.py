"""Who may do what in a folder, as far as the server tells (RFC 4314, RFC 2086).

Rule: pure reading of answers; no ACL means "cannot be checked", never "safe".
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_TOKEN = re.compile(rb'"((?:[^"\\]|\\.)*)"|([^ "]++)')

NEEDED = {
    "r": "read the messages",
    "t": "flag them as deleted",
    "e": "expunge them",
}
TOO_MUCH = {"a": "change the rights of others", "x": "delete the folder"}
_OLD = {"d": "tex", "c": "k"}
"""Letters of RFC 2086 and what they stand for (RFC 4314, section 2.1.1).

A newer server shows them beside the letters it means; then they say nothing.
"""


@dataclass(frozen=True, slots=True)
class Access:
    """What one identifier may do.

    Attributes:
        who: a user, ``anyone``, ``owner``, or a group; as the server writes it.
    """

    who: str
    rights: frozenset[str]

    @property
    def may_read(self) -> bool:
        """Whether it sees the mail of everybody."""
        return "r" in self.rights

    @property
    def may_delete(self) -> bool:
        """Whether it can make messages vanish before they are collected."""
        return bool(self.rights & {"t", "e", "x"})


def rights_of(letters: str) -> frozenset[str]:
    """Return rights as single letters of RFC 4314."""
    if set(letters) & set("texk"):
        return frozenset(letters) - set(_OLD)
    return frozenset("".join(_OLD.get(each, each) for each in letters))


def read_myrights(line: bytes) -> frozenset[str] | None:
    """Read ``* MYRIGHTS folder rights``; ``None`` when the line is another."""
    words = _words(line)
    if len(words) < 4 or words[1].upper() != "MYRIGHTS":
        return None
    return rights_of(words[3])


def read_acl(line: bytes) -> list[Access] | None:
    """Read ``* ACL folder who rights ...``; ``None`` when the line is another."""
    words = _words(line)
    if len(words) < 3 or words[1].upper() != "ACL":
        return None
    pairs = zip(words[3::2], words[4::2], strict=False)
    return [Access(who, rights_of(letters)) for who, letters in pairs]


def others(acl: list[Access], username: str) -> list[Access]:
    """Return everybody else who gets something; a leading ``-`` takes rights away."""
    return [each for each in acl if each.who != username and not each.who.startswith("-")]


def _words(line: bytes) -> list[str]:
    words = [(quoted or plain) for quoted, plain in _TOKEN.findall(line)]
    return [re.sub(rb"\\(.)", rb"\1", word).decode("utf-8", "replace") for word in words]
