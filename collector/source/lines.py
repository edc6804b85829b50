"""Reads the lines of a server's answers (RFC 9051, section 7).

Rule: pure, linear in the length of the line, and never surprised: what is not a FETCH
answer gives ``None``, what is not well formed raises ``ValueError``.

IMAPClient's parser walks such lines byte by byte and needs the whole batch in memory;
this one takes the handful of forms that an answer to our own questions can have.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

from collector.domain.uids import UID_MAX, UidRange, count, union

Facts = dict[bytes, bytes]
"""Attribute names in upper case, and their values as they stand in the line."""

_EXISTS = re.compile(rb"\* (\d{1,10}) EXISTS", re.IGNORECASE)
_VANISHED = re.compile(rb"\* VANISHED (\(EARLIER\) )?([\d:,]+)$", re.IGNORECASE)
_EXPUNGE = re.compile(rb"\* \d{1,10} EXPUNGE", re.IGNORECASE)
_START = re.compile(rb"\* \d{1,10} FETCH \(", re.IGNORECASE)
_STRING = rb"\"(?:[^\"\\]|\\.)*\""
_FACT = re.compile(
    rb" ?([^ ()\"{}\\]++) "
    rb"(?:(\((?:[^()\"]|" + _STRING + rb")*\)|" + _STRING + rb"|[^ ()\"{}]++)|\{(\d{1,19})\}$)"
)
_INTERNALDATE = re.compile(rb'"([ \d]\d)-(\w{3})-(\d{4}) (\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)"')
_MONTHS = {
    b"jan": 1, b"feb": 2, b"mar": 3, b"apr": 4, b"may": 5, b"jun": 6,
    b"jul": 7, b"aug": 8, b"sep": 9, b"oct": 10, b"nov": 11, b"dec": 12,
}  # fmt: skip
FOREIGN_FLAGS = (b"\\seen", b"\\answered", b"\\flagged", b"\\deleted", b"\\draft")
"""Flags that people and their programs set; keywords are set by filters at delivery, too."""
QUOTA = re.compile(rb"\b(STORAGE|MESSAGE) (\d{1,15}) (\d{1,15})", re.IGNORECASE)
"""Resource, usage and limit in a QUOTA line (RFC 9208, section 4.2.1)."""


def exists_of(line: bytes) -> int | None:
    """Return how many messages there are now, ``None`` when the line does not say."""
    found = _EXISTS.match(line)
    return int(found[1]) if found else None


def expunged_count(line: bytes) -> int:
    """Return how many messages are gone by this line: EXPUNGE, or VANISHED just now.

    Raises:
        ValueError: it names what is no UID.
    """
    if _EXPUNGE.match(line):
        return 1
    told = vanished_of(line)
    return count(told[0]) if told and not told[1] else 0


def vanished_of(line: bytes) -> tuple[list[UidRange], bool] | None:
    """Return the UIDs a line tells to be gone, and whether they went before it was asked.

    ``None`` when it does not say (RFC 7162, section 3.2.10).

    Raises:
        ValueError: one of them is no UID.
    """
    found = _VANISHED.match(line)
    if found is None:
        return None
    ranges = []
    for part in found[2].split(b","):
        first, _, last = part.partition(b":")
        one, other = number(first), number(last or first)
        ranges.append((min(one, other), max(one, other)))
    return list(union(sorted(ranges), ())), found[1] is not None


def searched(line: bytes) -> set[int] | None:
    """Return the UIDs of a SEARCH answer, ``None`` when the line is another.

    Raises:
        ValueError: one of them is no UID.
    """
    return set(map(number, line[8:].split())) if line[:8].upper() == b"* SEARCH" else None


def begin_facts(line: bytes, facts: Facts) -> tuple[bytes, int] | None:
    """Read the first line of an answer into ``facts``.

    Returns:
        The name and length of the literal that follows; a name of ``b""`` when the
        answer is complete; ``None`` when the line is no FETCH answer.

    Raises:
        ValueError: it is not well formed.
    """
    start = _START.match(line)
    return continue_facts(line, start.end(), facts) if start else None


def continue_facts(line: bytes, at: int, facts: Facts) -> tuple[bytes, int]:
    """Read on from position ``at``, as ``begin_facts``; also the line behind a literal."""
    while fact := _FACT.match(line, at):
        name, value, literal = fact.groups()
        if literal is not None:
            return name.upper(), int(literal)
        facts[name.upper()] = value
        at = fact.end()
    if line[at:] != b")":
        raise ValueError("a FETCH answer is not well formed")
    return b"", 0


def uid_of(facts: Facts) -> int | None:
    """Return the UID, ``None`` when the answer has none.

    Raises:
        ValueError: it is not one.
    """
    value = facts.get(b"UID")
    return None if value is None else number(value)


def number(value: bytes) -> int:
    """Return a number of at most 32 bits that is not 0.

    Raises:
        ValueError: it is none.
    """
    if len(value) > 10 or not value.isdigit() or not 0 < int(value) <= UID_MAX:
        raise ValueError("not a UID")
    return int(value)


def size_of(facts: Facts) -> int | None:
    """Return RFC822.SIZE in bytes, ``None`` when it is not told or none."""
    value = facts.get(b"RFC822.SIZE", b"")
    return int(value) if value.isdigit() and len(value) < 20 else None


def internal_date_of(facts: Facts) -> datetime | None:
    """Return INTERNALDATE in UTC, ``None`` when it is not told or impossible."""
    found = _INTERNALDATE.fullmatch(facts.get(b"INTERNALDATE", b""))
    month = _MONTHS.get(found[2].lower()) if found else None
    if not found or not month:
        return None
    day, year, hour, minute, second = map(int, found.group(1, 3, 4, 5, 6))
    offset = timedelta(hours=int(found[8]), minutes=int(found[9]))
    try:
        zone = timezone(-offset if found[7] == b"-" else offset)
        return datetime(year, month, day, hour, minute, second, tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def unquoted(value: bytes) -> bytes | None:
    """Return what a string attribute holds, ``None`` for NIL (RFC 9051, section 4.3).

    Raises:
        ValueError: it is neither.
    """
    if value.upper() == b"NIL":
        return None
    if not value.startswith(b'"'):
        raise ValueError("a FETCH answer is not well formed")
    return re.sub(rb"\\(.)", rb"\1", value[1:-1])


def flags_of(facts: Facts) -> list[bytes]:
    """Return the flags in lower case; empty when they are not told."""
    return facts.get(b"FLAGS", b"()")[1:-1].lower().split()


def foreign_flags(facts: Facts) -> tuple[str, ...]:
    """Return the flags that somebody set, in lower case, without the backslash."""
    told = facts.get(b"FLAGS", b"()")
    if len(told) <= 2:
        return ()
    flags = set(flags_of(facts))
    return tuple(each[1:].decode() for each in FOREIGN_FLAGS if each in flags)
