"""The lines of a journal report: sender, recipients, and how each was reached.

Rule: a line that nobody understood is kept and flagged, never dropped.  What
an author chose (subject, addresses) can never pass for another line.

Two grammars, told apart by their keys:

    2007 and later (MS-XJRNL 2.1)            2000/2003, Citadel
    Sender: a@x                              Sender: a@x
    Subject: Bcc: not a recipient            Message-ID: <1@x>
    Message-Id: <1@x>                        Recipients:
    To: b@y, Expanded: list@y                    Name <b@y>
    Recipient: [EX:/o=Org/cn=a, b]               c@z
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from itertools import islice

from collector.domain.journal import Envelope, Recipient, RecipientKind, Redirection
from collector.formats import flags
from collector.formats.limits import (
    ENVELOPE_LINES_MAX,
    LINE_CHARS_MAX,
    RECIPIENTS_MAX,
    REDIRECTIONS_MAX,
)
from collector.formats.text import decode

_KEYS = "to|cc|bcc|recipient|sender|subject|message-id|on-behalf-of"
_KINDS = {kind.value: kind for kind in RecipientKind}
_PLAIN = r'[^\s",<>\[\]]++'
"""An address in which nothing can be mistaken for a separator."""

_LINE = re.compile(
    rf"""
    ^[ \t]*+
    (?: (to|cc|bcc|recipient) [ \t]*+:[ \t]*+
        (?: ({_PLAIN}) (?: ,[ ](expanded|forwarded):[ ] ({_PLAIN}) )? $ | (.*)$ )
      | (sender|subject|message-id|on-behalf-of) [ \t]*+:[ \t]*+ (.*)$
    )
    """,
    re.IGNORECASE | re.MULTILINE | re.VERBOSE,
)
_UNKNOWN_LINE = re.compile(
    rf"^[ \t]*+(?!(?:{_KEYS})[ \t]*+:)[^ \t\n]", re.IGNORECASE | re.MULTILINE
)
_LIST = re.compile(r"^recipients[ \t]*+:(.*)$((?:\n[ \t]++.*)*)", re.IGNORECASE | re.MULTILINE)
_REDIRECTION = re.compile(
    r"(?<![ \t])(?:[ \t]*+,[ \t]*+|[ \t]++)(expanded|forwarded)[ \t]*+:[ \t]*+", re.IGNORECASE
)
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')

_TELLS = re.compile(rb"^(?:sender|message-id|recipients?)[ \t]*+:", re.IGNORECASE | re.MULTILINE)
_TELLS_BYTES = 4 * 1024

_Found = tuple[str, str, str, str, str, str, str]
"""Recipient key, plain address, way, its address, other value; other key, its value."""


def tells_envelope(body: bytes) -> bool:
    """Say whether a text begins as a report's does, after a few lines at most."""
    return _TELLS.search(body[:_TELLS_BYTES]) is not None


def read_envelope(
    body: bytes, charset: str, level: int, named: AbstractSet[str]
) -> tuple[Envelope, set[str]]:
    """Read the text of a report; return the envelope and remarks about the text.

    Args:
        body: the text part, its transfer encoding already undone.
        charset: as declared, empty when it is not.
        level: depth of the report.
        named: addresses in the header of the original, lower case.
    """
    remarks: set[str] = set()
    body = as_lines(body, remarks)
    text, fell_back = decode(body, charset)
    if fell_back:
        remarks.add(flags.CHARSET_FALLBACK)
    listed, text = _take_list(text)
    found: list[_Found] = _LINE.findall(text)
    if len(found) <= text.count("\n") and _UNKNOWN_LINE.search(text):
        remarks.add(flags.UNKNOWN_LINE)
    fields = _fields(found, remarks)
    return Envelope(
        sender=_bare(fields.get("sender", "")),
        on_behalf_of=_bare(fields.get("on-behalf-of", "")),
        subject=fields.get("subject", ""),
        message_id=fields.get("message-id", ""),
        recipients=_recipients(found + listed, level, named, remarks),
        raw_lines=tuple(body.decode("latin-1").split("\n")),
        level=level,
    ), remarks


def as_lines(body: bytes, remarks: set[str]) -> bytes:
    """Return the text with line feeds between its lines, and no more of them than we read."""
    body = body.replace(b"\r\n", b"\n")
    if b"\n" not in body:
        body = body.replace(b"\r", b"\n")
    if body.count(b"\n") > ENVELOPE_LINES_MAX:
        remarks.add(flags.LINES_TRUNCATED)
        body = b"\n".join(body.split(b"\n", ENVELOPE_LINES_MAX)[:-1])
    return body.rstrip(b"\n")


def _take_list(text: str) -> tuple[list[_Found], str]:
    """Return the recipients below ``Recipients:`` (2000/2003), and the text without them."""
    found = _LIST.search(text) if "\n\t" in text or "\n " in text else None
    if found is None:
        return [], text
    lines = [line.strip(" \t") for line in (found[1], *found[2].split("\n"))]
    plain = {line for line in lines if "<" not in line and " " not in line and '"' not in line}
    listed = [
        ("recipient", line, "", "", "", "", "")
        if line in plain
        else ("recipient", "", "", "", line, "", "")
        for line in lines
        if line
    ]
    return listed, text[: found.start()] + text[found.end() :].removeprefix("\n")


def _fields(found: list[_Found], remarks: set[str]) -> dict[str, str]:
    """Return the lines that stand once; of a repeated one the first counts."""
    fields: dict[str, str] = {}
    for key, value in ((each[5].lower(), each[6]) for each in found if each[5]):
        if key in fields:
            remarks.add(flags.REPEATED_LINE)
        fields.setdefault(key, value.rstrip(" \t"))
    return fields


def _recipients(
    found: list[_Found], level: int, named: AbstractSet[str], remarks: set[str]
) -> tuple[Recipient, ...]:
    recipients = tuple(islice(_each_recipient(found, level, named, remarks), RECIPIENTS_MAX + 1))
    if len(recipients) > RECIPIENTS_MAX:
        remarks.add(flags.RECIPIENTS_TRUNCATED)
    if any(each.undisclosed for each in recipients):
        remarks.add(flags.UNDISCLOSED_RECIPIENTS)
    return recipients[:RECIPIENTS_MAX]


def _each_recipient(
    found: list[_Found], level: int, named: AbstractSet[str], remarks: set[str]
) -> Iterator[Recipient]:
    ways: dict[tuple[str, str], tuple[Redirection, ...]] = {("", ""): ()}
    for key, plain, how, target, value, *_ in found:
        if not key:
            continue
        if plain:
            address, via = plain, ways.get((how, target))
            if via is None:  # mostly the same list for all of them
                via = ways[how, target] = (Redirection(how.lower(), target),)
        else:
            address, via = _split(value, remarks)
        if not address:
            remarks.add(flags.EMPTY_RECIPIENT)
            continue
        kind = _KINDS[key.lower()]
        undisclosed = (
            kind is RecipientKind.RECIPIENT
            and address.lower() not in named
            and not (via and any(step.address.lower() in named for step in via))
        )
        yield Recipient(address, kind, via, level=level, undisclosed=undisclosed)


def _split(value: str, remarks: set[str]) -> tuple[str, tuple[Redirection, ...]]:
    """Return the address of a recipient line and its redirections.

    Only a redirection separates; commas stand in quoted local parts and in X.500
    names too (MS-XJRNL 2.1.4.2).
    """
    if len(value) > LINE_CHARS_MAX:
        remarks.add(flags.LINE_TOO_LONG)
        return value, ()
    addresses, ways = [], []
    start = 0
    while found := _REDIRECTION.search(value, _end_of_protected(value, start)):
        addresses.append(value[start : found.start()])
        ways.append(found[1].lower())
        start = found.end()
        if len(ways) == REDIRECTIONS_MAX:
            remarks.add(flags.REDIRECTIONS_TRUNCATED)
            break
    address, *steps = (_bare(each.strip(" \t")) for each in [*addresses, value[start:]])
    return address, tuple(map(Redirection, ways, steps))


def _end_of_protected(value: str, start: int) -> int:
    """Return where a quoted local part or an X.500 name at ``start`` ends."""
    if value.startswith("[", start):
        return max(start, value.find("]", start))
    quoted = _QUOTED.match(value, start)
    return quoted.end() if quoted else start


def _bare(address: str) -> str:
    """Return an address without display name and angle brackets; ``<>`` stays."""
    if not address.endswith(">") or address == "<>":
        return address
    before, bracket, inside = address[:-1].rpartition("<")
    return inside if bracket and (not before or before[-1] in " \t") else address
