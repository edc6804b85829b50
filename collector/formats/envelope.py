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

from collector.domain.journal import Envelope, Recipient, RecipientKind, Redirection
from collector.formats import flags
from collector.formats.limits import (
    ENVELOPE_LINES_MAX,
    LINE_CHARS_MAX,
    RECIPIENTS_MAX,
    REDIRECTIONS_MAX,
)
from collector.formats.text import decode

_RECIPIENT_KEYS = "to|cc|bcc|recipient"
_OTHER_KEYS = "sender|subject|message-id|on-behalf-of"
_LINE = re.compile(
    rf"^[ \t]*+(?:({_RECIPIENT_KEYS})|({_OTHER_KEYS}))[ \t]*+:[ \t]*+(.*)$",
    re.IGNORECASE | re.MULTILINE,
)
_UNKNOWN_LINE = re.compile(
    rf"^[ \t]*+(?!(?:{_RECIPIENT_KEYS}|{_OTHER_KEYS})[ \t]*+:)[^ \t\n]",
    re.IGNORECASE | re.MULTILINE,
)
_LIST = re.compile(r"^recipients[ \t]*+:(.*)$((?:\n[ \t]++.*)*)", re.IGNORECASE | re.MULTILINE)
_IN_BRACKETS = re.compile(r"(?:^|.*[ \t])<([^<>]*)>")
_REDIRECTION = re.compile(
    r"(?<![ \t])(?:[ \t]*+,[ \t]*+|[ \t]++)(expanded|forwarded)[ \t]*+:[ \t]*+", re.IGNORECASE
)
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*+"')


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
    body = body.replace(b"\r\n", b"\n")
    if b"\n" not in body:
        body = body.replace(b"\r", b"\n")
    if body.count(b"\n") > ENVELOPE_LINES_MAX:
        remarks.add(flags.LINES_TRUNCATED)
        body = b"\n".join(body.split(b"\n", ENVELOPE_LINES_MAX)[:-1])
    text, fell_back = decode(body, charset)
    if fell_back:
        remarks.add(flags.CHARSET_FALLBACK)
    listed, text = _take_list(text)
    found = _LINE.findall(text)
    if _UNKNOWN_LINE.search(text):
        remarks.add(flags.UNKNOWN_LINE)
    fields = _fields(found, remarks)
    lines = [(kind, value) for kind, _, value in found if kind] + listed
    return Envelope(
        sender=_bare(fields.get("sender", "")),
        on_behalf_of=_bare(fields.get("on-behalf-of", "")),
        subject=fields.get("subject", ""),
        message_id=fields.get("message-id", ""),
        recipients=_recipients(lines, level, named, remarks),
        raw_lines=tuple(body.decode("latin-1").rstrip("\n").split("\n")),
        level=level,
    ), remarks


def _take_list(text: str) -> tuple[list[tuple[str, str]], str]:
    """Return the recipients below ``Recipients:`` (2000/2003), and the text without them."""
    found = _LIST.search(text)
    if found is None:
        return [], text
    lines = [found[1], *found[2].split("\n")]
    listed = [("recipient", line.strip(" \t")) for line in lines if line.strip(" \t")]
    return listed, text[: found.start()] + text[found.end() :]


def _fields(found: list[tuple[str, str, str]], remarks: set[str]) -> dict[str, str]:
    """Return the lines that stand once; of a repeated one the first counts."""
    fields: dict[str, str] = {}
    for _, key, value in found:
        if key.lower() in fields:
            remarks.add(flags.REPEATED_LINE)
        elif key:
            fields[key.lower()] = value.rstrip(" \t")
    return fields


def _recipients(
    lines: list[tuple[str, str]], level: int, named: AbstractSet[str], remarks: set[str]
) -> tuple[Recipient, ...]:
    if len(lines) > RECIPIENTS_MAX:
        remarks.add(flags.RECIPIENTS_TRUNCATED)
    recipients = tuple(_each_recipient(lines[:RECIPIENTS_MAX], level, named, remarks))
    if any(each.undisclosed for each in recipients):
        remarks.add(flags.UNDISCLOSED_RECIPIENTS)
    return recipients


def _each_recipient(
    lines: list[tuple[str, str]], level: int, named: AbstractSet[str], remarks: set[str]
) -> Iterator[Recipient]:
    kinds = {key: RecipientKind(key.lower()) for key in {key for key, _ in lines}}
    via: tuple[Redirection, ...]
    for key, value in lines:
        kind, address, via = kinds[key], value, ()
        if " " in value or "," in value or "\t" in value or "<" in value:
            address, via = _split(value, remarks)
        if not address:
            remarks.add(flags.EMPTY_RECIPIENT)
            continue
        undisclosed = (
            kind is RecipientKind.RECIPIENT
            and address.lower() not in named
            and not any(step.address.lower() in named for step in via)
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
    found = _IN_BRACKETS.fullmatch(address)
    return found[1] if found and found[1] else address
