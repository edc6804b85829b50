"""Reading FETCH answers: every form a server uses, and no surprise on any bytes."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.source.client import portions, quoted, uid_set
from collector.source.lines import (
    begin_facts,
    continue_facts,
    flags_of,
    internal_date_of,
    number,
    size_of,
    uid_of,
    unquoted,
)

LINES = [
    (b"* 5 FETCH (UID 7)", {b"UID": b"7"}, b""),
    (b"* 5 fetch (uid 7 Flags (\\Seen $A))", {b"UID": b"7", b"FLAGS": b"(\\Seen $A)"}, b""),
    (b"* 5 FETCH (FLAGS () UID 7)", {b"UID": b"7", b"FLAGS": b"()"}, b""),
    (b"* 5 FETCH (UID 7 BODY[] NIL)", {b"UID": b"7", b"BODY[]": b"NIL"}, b""),
    (b'* 5 FETCH (BODY[] "" UID 7)', {b"UID": b"7", b"BODY[]": b'""'}, b""),
    (b'* 5 FETCH (BODY[] "a \\" ) {3}" UID 7)', {b"UID": b"7", b"BODY[]": b'"a \\" ) {3}"'}, b""),
    (b"* 5 FETCH (UID 7 RFC822.SIZE 9 BODY[] {9}", {b"UID": b"7", b"RFC822.SIZE": b"9"}, b"BODY[]"),
    (b"* 5 FETCH (MODSEQ (12) UID 7)", {b"MODSEQ": b"(12)", b"UID": b"7"}, b""),
    (
        b'* 5 FETCH (X-GM-LABELS ("\\\\Important" "a)b" c) UID 7)',
        {b"X-GM-LABELS": b'("\\\\Important" "a)b" c)', b"UID": b"7"},
        b"",
    ),
    (b"* 5 FETCH (BODY[]<0> {4}", {}, b"BODY[]<0>"),
]


@pytest.mark.parametrize(("line", "facts", "literal"), LINES)
def test_every_form_is_read(line, facts, literal) -> None:
    """Any order, any case, flags, quoted strings, literals."""
    found: dict[bytes, bytes] = {}
    begun = begin_facts(line, found)
    assert found == facts
    assert begun is not None
    assert begun[0] == literal


@pytest.mark.parametrize(
    "line",
    [
        b"* 5 EXISTS",
        b"* 5 EXPUNGE",
        b"* OK FETCH (",
        b"",
        b"* SEARCH 1 FETCH (",
        b"* FETCH (UID 1)",
    ],
)
def test_other_lines_are_none(line) -> None:
    """What is not a FETCH answer is told apart."""
    assert begin_facts(line, {}) is None


@pytest.mark.parametrize(
    "line",
    [
        b"* 5 FETCH (UID 7",
        b"* 5 FETCH (UID 7) ",
        b"* 5 FETCH (UID)",
        b"* 5 FETCH ((UID 7))",
        b'* 5 FETCH (BODY[] "open)',
        b"* 5 FETCH (FLAGS (a (b)))",
        b"* 5 FETCH (UID 7 BODY[] {12} )",
        b"* 5 FETCH (UID 7 BODY[] {99999999999999999999}",
        b"* 5 FETCH (UID 7 BODY[] ~{9}",
    ],
)
def test_what_is_not_well_formed_is_refused(line) -> None:
    """Nothing is guessed."""
    with pytest.raises(ValueError, match="not well formed"):
        begin_facts(line, {})


def test_the_rest_behind_a_literal_is_read() -> None:
    """Attributes may follow the body."""
    facts: dict[bytes, bytes] = {}
    assert continue_facts(b" UID 7 FLAGS (\\Deleted))", 0, facts) == (b"", 0)
    assert (uid_of(facts), flags_of(facts)) == (7, [b"\\deleted"])


@pytest.mark.parametrize("value", [b"", b"0", b"-1", b"4294967296", b"1e3", b"9" * 5000, b"\xb2"])
def test_a_uid_is_a_number_of_32_bits(value) -> None:
    """Zero, signs, too many digits and other characters are none."""
    with pytest.raises(ValueError, match="not a UID"):
        number(value)


def test_sizes_and_strings() -> None:
    """RFC822.SIZE and strings, NIL apart from the empty string."""
    assert size_of({b"RFC822.SIZE": b"4294967296"}) == 2**32
    assert size_of({b"RFC822.SIZE": b"9" * 20}) is None
    assert size_of({b"RFC822.SIZE": b"NIL"}) is None
    assert size_of({}) is None
    assert unquoted(b"nil") is None
    assert unquoted(b'""') == b""
    assert unquoted(b'"a\\"b\\\\c"') == b'a"b\\c'
    with pytest.raises(ValueError, match="not well formed"):
        unquoted(b"atom")


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        (b'" 2-Nov-2026 09:00:00 +0100"', datetime(2026, 11, 2, 8, 0, tzinfo=UTC)),
        (b'"31-dec-2025 23:59:59 -0130"', datetime(2026, 1, 1, 1, 29, 59, tzinfo=UTC)),
        (b'"31-Feb-2026 09:00:00 +0000"', None),
        (b'"01-Jan-0001 00:00:00 +0100"', None),
        (b'"01-Xyz-2026 00:00:00 +0100"', None),
        (b'"01-Jan-2026 00:00:00 +9900"', None),
        (b"NIL", None),
    ],
)
def test_an_arrival_is_an_instant_in_utc_or_nothing(text, instant) -> None:
    """INTERNALDATE with any zone; an impossible one is not told."""
    assert internal_date_of({b"INTERNALDATE": text}) == instant


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(tail) -> None:
    """No other exception, whatever comes."""
    try:
        begun = begin_facts(b"* 1 FETCH (" + tail, facts := {})
        assert begun is not None
        uid_of(facts), size_of(facts), internal_date_of(facts), flags_of(facts)
    except ValueError:
        pass


@pytest.mark.parametrize(
    "tail",
    [
        b"A " * 250000,
        b"A (" * 250000,
        b'A "' * 250000,
        b"\\" * 10**6,
        b"(" * 10**6,
        b"A" * 10**6,
        b"A (" + b"b" * 10**6,
        b'A ("' + b"b" * 10**6,
        b'A "' + b"\\a" * 500000,
    ],
)
def test_reading_is_linear(tail) -> None:
    """A line of a megabyte is read or refused at once."""
    began_s = time.process_time()
    with pytest.raises(ValueError, match="not well formed"):
        begin_facts(b"* 1 FETCH (" + tail, {})
    assert time.process_time() - began_s < 2.0


@given(st.sets(st.integers(1, 3000), min_size=1))
def test_a_set_names_exactly_these(uids) -> None:
    """Neighbours become ranges; no other UID is ever in the set."""
    named = []
    for part in uid_set(sorted(uids)).split(b","):
        first, _, last = part.partition(b":")
        named += range(int(first), int(last or first) + 1)
    assert named == sorted(uids)
    assert [uid for portion in portions(list(uids)) for uid in portion] == sorted(uids)
    assert all(len(portion) <= 1000 for portion in portions(list(uids)))


def test_a_folder_is_quoted() -> None:
    """Quotes, backslashes and letters beyond ASCII (modified UTF-7)."""
    assert quoted("INBOX") == b'"INBOX"'
    assert quoted('a "b" \\c') == b'"a \\"b\\" \\\\c"'
    assert quoted("Entwürfe & mehr") == b'"Entw&APw-rfe &- mehr"'
