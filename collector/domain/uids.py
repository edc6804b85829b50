"""Sets of UIDs as ascending ranges, in the form of an IMAP sequence set (``1:3,7``).

Rule: pure, lazy, and linear in the number of ranges; a million neighbours are one range.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from heapq import merge

UID_MAX = 2**32 - 1
"""RFC 9051, section 9, ``nz-number``."""

UidRange = tuple[int, int]
"""First and last UID, both included.  Several of them are ascending and do not touch."""


def ranges_of(uids: Iterable[int]) -> Iterator[UidRange]:
    """Yield the ranges of ascending UIDs.

    >>> list(ranges_of([1, 2, 3, 7]))
    [(1, 3), (7, 7)]
    """
    first = last = 0
    for uid in uids:
        if uid == last + 1 and last:
            last = uid
        else:
            if last:
                yield first, last
            first = last = uid
    if last:
        yield first, last


def union(one: Iterable[UidRange], other: Iterable[UidRange]) -> Iterator[UidRange]:
    """Yield what is in either.

    >>> list(union([(1, 3), (9, 9)], [(2, 4), (5, 5)]))
    [(1, 5), (9, 9)]
    """
    ours: UidRange | None = None
    for first, last in merge(one, other):
        if ours is None:
            ours = first, last
        elif first > ours[1] + 1:
            yield ours
            ours = first, last
        else:
            ours = ours[0], max(ours[1], last)
    if ours is not None:
        yield ours


def subtract(ranges: Iterable[UidRange], minus: Iterable[UidRange]) -> Iterator[UidRange]:
    """Yield what is in ``ranges`` and not in ``minus``.

    >>> list(subtract([(1, 9)], [(3, 4), (9, 12)]))
    [(1, 2), (5, 8)]
    """
    away = iter(minus)
    hole = next(away, None)
    for first, last in ranges:
        start = first
        while hole is not None and hole[0] <= last:
            if hole[0] > start:
                yield start, hole[0] - 1
            start = max(start, hole[1] + 1)
            if hole[1] > last:
                break
            hole = next(away, None)
        if start <= last:
            yield start, last


def intersect(one: Iterable[UidRange], other: Iterable[UidRange]) -> Iterator[UidRange]:
    """Yield what is in both.

    >>> list(intersect([(1, 5), (8, 9)], [(4, 8)]))
    [(4, 5), (8, 8)]
    """
    ours = list(one)
    return subtract(ours, subtract(ours, other))


def count(ranges: Iterable[UidRange]) -> int:
    """Return the number of UIDs."""
    return sum(last - first + 1 for first, last in ranges)


def members(ranges: Iterable[UidRange]) -> Iterator[int]:
    """Yield every UID."""
    for first, last in ranges:
        yield from range(first, last + 1)


def encode_uids(ranges: Iterable[UidRange]) -> str:
    """Return the sequence set (RFC 9051, section 9, ``sequence-set``); empty for none."""
    return ",".join(f"{first}:{last}" if last > first else f"{first}" for first, last in ranges)


def decode_uids(text: str) -> Iterator[UidRange]:
    """The opposite of ``encode_uids``.

    Raises:
        ValueError: it is no ascending sequence set of plain numbers.
    """
    before = 0
    for part in text.split(",") if text else ():
        first_text, _, last_text = part.partition(":")
        first, last = int(first_text), int(last_text or first_text)
        if not before < first <= last:
            raise ValueError("not an ascending set of UIDs")
        yield first, last
        before = last


def contains(ranges: Sequence[UidRange], uid: int) -> bool:
    """Say whether ``uid`` is in one of the ranges."""
    place = bisect_right(ranges, (uid, UID_MAX)) - 1
    return place >= 0 and ranges[place][0] <= uid <= ranges[place][1]
