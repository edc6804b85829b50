"""Mail addresses out of header fields.

Rule: addresses as written; names, comments and groups around them are passed
over (RFC 5322, section 3.4).  What cannot be an address is not returned.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from collector.formats.header import Header
from collector.formats.text import decode

_TOKENS_MAX = 20_000
"""Addresses and separators of one field; a header of 256 KB has room for few more."""

_COMMON = re.compile(
    rb"""
    (?: (?: [^<>",;:()@]++ | "[^"\\]*+" )* < ([^\s<>",;:()@]++@[^\s<>",;:()@]++) >
      | ([^\s<>",;:()@]++@[^\s<>",;:()@]++)
    )
    """,
    re.VERBOSE,
)
"""One address, alone or in angle brackets behind a name."""

_TOKEN = re.compile(
    rb"""
    (?: \s++                                       # names and comments, passed over
      | [^\s<>",;:()@]++ (?!@)
      | "(?:[^"\\]|\\.)*(?:"(?!@)|\\?\Z)
      | \( (?:[^()\\]|\\.)* \)?
    )*
    (?: (?P<separator> [,;] )
      | < (?:@[^<>:]*+:)? (?P<angle> [^<>]*+ ) >
      | (?P<bare> (?: "(?:[^"\\]|\\.)*" | [^\s<>",;:()@]++ ) @ [^\s<>",;()]++ )
      | [^\s<>",;:()@]*+ .                         # no address; never looked at again
      | \Z
    )
    """,
    re.VERBOSE | re.DOTALL,
)


def addresses(value: bytes) -> Iterator[str]:
    """Yield the addresses of one unfolded field value, in their order."""
    common = _COMMON.fullmatch(value)
    if common:
        yield decode(common[1] or common[2], "utf-8")[0]
        return
    pending = b""
    for token in islice(_TOKEN.finditer(value), _TOKENS_MAX):
        if token["angle"] is not None:  # what stood before it was the name
            pending = token["angle"].strip()
        elif token["bare"] is not None:
            pending = token["bare"]
        elif token["separator"] is not None:
            if pending:
                yield decode(pending, "utf-8")[0]
            pending = b""
    if pending:
        yield decode(pending, "utf-8")[0]


def addresses_in(header: Header, *names: bytes) -> Iterator[str]:
    """Yield the addresses of all fields of these names (lower case)."""
    for name in names:
        for value in header.all(name):
            yield from addresses(value)
