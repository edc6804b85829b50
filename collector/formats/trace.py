"""The lines our own servers wrote on top of a message, and what they tell.

Rule: what stands below the last Received line of our own servers was written
by strangers, whatever it is called; the same names occur there.

Sources: RFC 5321, section 4.4; RFC 8601; the Received lines of Postfix, Exim,
Sendmail, Exchange and qmail as they are seen in mail.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from ipaddress import ip_address, ip_network
from itertools import islice

from collector.formats.header import Field, Header, unfold
from collector.formats.text import decode

_VALUE_BYTES_MAX = 4 * 1024
"""A longer Received line or result is not looked at; real ones have 1 KB."""

_FROM = re.compile(rb"from\s+(\S+)\s+\(([^()]*)", re.IGNORECASE)
_ADDRESS = re.compile(r"\[(?:ipv6:)?([0-9a-f.:]+)\]|(?:^|\s)([0-9a-f.:]{4,})(?:$|[\s)])")
_FOR = re.compile(rb"\sfor\s+<?([^\s<>;()]+@[^\s<>;()]+)>?", re.IGNORECASE)
_COMMENT = re.compile(rb"\([^()]*\)")
_RESULT = re.compile(rb"\s*([A-Za-z0-9-]+)(?:\s*/\s*\d+)?\s*=\s*([A-Za-z]+)")
_PROPERTY = re.compile(
    rb"\b(smtp\.mailfrom|header\.d|header\.i)\s*=\s*\"?([^\s\";]+)", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Connection:
    """Who handed the message to our own server, as that server saw it.

    Attributes:
        host: name found by address, lower case; empty when there is none.
        address: IP address as text, empty when there is none.
    """

    host: str
    address: str

    def matches(self, patterns: Iterable[str]) -> bool:
        """Whether one of the patterns names the host, or one of the networks holds it."""
        return any(
            (bool(self.host) and fnmatchcase(self.host, each.lower())) or self._lies_in(each)
            for each in patterns
        )

    def _lies_in(self, network: str) -> bool:
        try:
            return ip_address(self.address) in ip_network(network, strict=False)
        except ValueError:
            return False


def own_fields(header: Header, received_count: int) -> list[Field]:
    """Return the fields down to our own servers' last Received line.

    Without any Received line nothing is known to be ours.
    """
    fields = header.fields
    places = [place for place, (name, _) in enumerate(fields) if name == b"received"]
    last = places[:received_count][-1:]
    return fields[: last[0] + 1] if last else []


def results_below(header: Header, own: list[Field]) -> list[Field]:
    """Return what stands between our own last Received line and the next one."""
    below = header.fields[len(own) :]
    return below[
        : next((at for at, each in enumerate(below) if each[0] == b"received"), len(below))
    ]


def values(fields: Iterable[Field], name: bytes) -> list[bytes]:
    """Return the unfolded values of the fields of that name (lower case)."""
    return [unfold(value) for each, value in fields if each == name]


def return_path(fields: list[Field]) -> bytes:
    """Return the envelope sender, which the last server writes on top of everything."""
    return unfold(fields[0][1]) if fields and fields[0][0] == b"return-path" else b""


def connection(own: list[Field], server: str) -> Connection:
    """Read who connected out of our own servers' first Received line.

    The name after ``from`` is what the client called itself; only Exim puts the
    name it found by address there.
    """
    received = values(own, b"received")
    found = _FROM.match(received[-1][:_VALUE_BYTES_MAX]) if received else None
    if found is None:
        return Connection("", "")
    said, seen = (decode(each, "utf-8")[0].lower() for each in found.groups())
    address = _ADDRESS.search(seen)
    first = seen.split()[0].rstrip(".") if seen.split() else ""
    host = first if "." in first and not first.startswith(("[", "helo=")) else ""
    if host and address and host == (address[1] or address[2]):
        host = ""
    if server == "exim" and not said.startswith("["):
        host = said
    return Connection(host, (address[1] or address[2]) if address else "")


def received_for(own: list[Field]) -> str:
    """Return the one recipient that our own topmost Received line names, or nothing."""
    received = values(own, b"received")
    found = _FOR.search(received[0][:_VALUE_BYTES_MAX]) if received else None
    return decode(found[1], "utf-8")[0] if found else ""


def confirmations(fields: Iterable[Field], authserv_id: str) -> Iterator[tuple[str, str, str]]:
    """Yield (method, result, domain) of SPF and DKIM results of that server (RFC 8601)."""
    for value in values(fields, b"authentication-results"):
        server, *results = _COMMENT.sub(b"", value[:_VALUE_BYTES_MAX]).split(b";")
        words = decode(server, "utf-8")[0].split()
        if not words or words[0].lower() != authserv_id.lower():
            continue
        for each in results:
            result = _RESULT.match(each)
            if result and result[1].lower() in {b"spf", b"dkim"}:
                method, verdict = result[1].decode().lower(), result[2].decode().lower()
                for _, told in islice(_PROPERTY.findall(each), 4):
                    yield method, verdict, decode(told, "utf-8")[0].rpartition("@")[2].lower()
