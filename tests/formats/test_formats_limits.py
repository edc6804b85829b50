"""Bounds: reaching one is flagged, cuts the index, and never costs more than linear work."""

from __future__ import annotations

import tracemalloc

import pytest
from hostile_samples import hostile
from report_samples import (
    BOUNDARY,
    LINES,
    ORIGINAL,
    TEXT_FIELDS,
    message_part,
    originals,
    read,
    report,
    text_part,
)

from collector.domain.blob import Digest, RawBytes
from collector.domain.journal import Kind, Unwrapped
from collector.formats import flags, unwrap
from collector.formats.limits import (
    ENVELOPE_LINES_MAX,
    FIELDS_MAX,
    HEADER_BYTES_MAX,
    LINE_CHARS_MAX,
    PARTS_MAX,
    RECIPIENTS_MAX,
    REDIRECTIONS_MAX,
)

MB = 1_000_000


class Stretched:
    """A report whose original goes on with one byte for as long as wanted, made as it is read."""

    def __init__(self, filler: bytes, size_bytes: int) -> None:
        whole = report(text_part(b"To: a@x.example"), message_part(ORIGINAL + b"\x01\r\n"))
        self._head, self._tail = whole.split(b"\x01")
        self._filler = filler * unwrap.WINDOW_BYTES
        self.size_bytes = len(self._head) + size_bytes + len(self._tail)
        self.digest = Digest("0" * 64)
        self.read_bytes = 0

    def window(self, offset: int, length: int) -> bytes:
        """Return up to ``length`` bytes from ``offset``."""
        length = min(length, self.size_bytes - offset)
        self.read_bytes += length
        tail_at = self.size_bytes - len(self._tail)
        piece = self._head[offset : offset + length]
        filler = min(length - len(piece), max(0, tail_at - offset - len(piece)))
        piece += self._filler[:filler]
        if len(piece) < length:
            at = max(0, offset + len(piece) - tail_at)
            piece += self._tail[at : at + length - len(piece)]
        return piece


class Counting(RawBytes):
    """Counts the bytes that are read."""

    __slots__ = ("read_bytes",)

    def __init__(self, raw: bytes) -> None:
        super().__init__(raw)
        self.read_bytes = 0

    def window(self, offset: int, length: int) -> bytes:
        """Return up to ``length`` bytes from ``offset``."""
        piece = super().window(offset, length)
        self.read_bytes += len(piece)
        return piece


def text(unit: bytes) -> Unwrapped:
    """Return what is read of a report with that text."""
    return read(report(TEXT_FIELDS + b"\r\n" + unit, message_part()))


def test_parts_beyond_the_limit_are_not_looked_at() -> None:
    """Too many parts: flagged; the bytes are archived as ever."""
    raw = report(*[text_part()] * (PARTS_MAX + 1), message_part())
    unwrapped = read(raw)
    assert flags.PARTS_TRUNCATED in unwrapped.flags
    assert unwrapped.reason == "original-missing"


def test_fields_beyond_the_limit_are_not_looked_at() -> None:
    """Too many fields: flagged, the first ones are read."""
    unwrapped = read(b"Subject: s\r\n" + b"a:\r\n" * FIELDS_MAX + ORIGINAL)
    assert flags.HEADER_TRUNCATED in unwrapped.flags
    assert unwrapped.envelope.subject == "s"


def test_a_report_with_a_huge_header_is_still_opened() -> None:
    """The body is found behind a header that is longer than what is read of it."""
    long_field = b"X-Long: " + b"x" * HEADER_BYTES_MAX + b"\r\n"
    unwrapped = read(report(marker=b"X-MS-Journal-Report:\r\n" + long_field))
    assert unwrapped.kind is Kind.EXCHANGE
    assert unwrapped.flags == (flags.HEADER_TRUNCATED,)


def test_recipients_beyond_the_limit_are_not_indexed() -> None:
    """100,000 recipients are read, more are flagged."""
    lines = b"".join(b"To: u%d@x.example\r\n" % number for number in range(RECIPIENTS_MAX + 1))
    unwrapped = text(lines)
    assert len(unwrapped.envelope.recipients) == RECIPIENTS_MAX
    assert flags.RECIPIENTS_TRUNCATED in unwrapped.flags
    assert len(text(lines[: lines.rindex(b"To:")]).envelope.recipients) == RECIPIENTS_MAX


def test_lines_beyond_the_limit_are_not_read() -> None:
    """More lines than are read: flagged."""
    unwrapped = text(b"Sender: a@x\r\n" + b"\r\n" * ENVELOPE_LINES_MAX + b"To: b@x\r\n")
    assert flags.LINES_TRUNCATED in unwrapped.flags
    assert unwrapped.envelope.sender == "a@x"


def test_a_recipient_line_beyond_the_limit_is_kept_whole() -> None:
    """A line nobody would write is not taken apart, and not dropped."""
    unwrapped = text(b"To: a, " + b"x" * LINE_CHARS_MAX + b"\r\n")
    assert flags.LINE_TOO_LONG in unwrapped.flags
    assert len(unwrapped.envelope.recipients[0].address) == LINE_CHARS_MAX + len("a, ")


def test_redirections_beyond_the_limit_stay_in_the_last_one() -> None:
    """What is not taken apart is still there."""
    unwrapped = text(b"To: a@x" + b", Expanded: l@x" * (REDIRECTIONS_MAX + 2))
    (recipient,) = unwrapped.envelope.recipients
    assert len(recipient.via) == REDIRECTIONS_MAX
    assert recipient.via[-1].address == "l@x, Expanded: l@x, Expanded: l@x"
    assert flags.REDIRECTIONS_TRUNCATED in unwrapped.flags


@pytest.mark.parametrize("name", sorted(hostile(1_000)))
def test_hostile_input_is_read_a_bounded_number_of_times(name: str) -> None:
    """However a message is made, no byte of it is looked at more than a few times."""
    raw = Counting(hostile(200_000)[name])
    unwrap.read(raw)
    assert raw.read_bytes <= 12 * raw.size_bytes + 64 * 1024


def test_a_large_original_takes_little_memory() -> None:
    """A report of 100 MB is unwrapped with a few windows in memory."""
    raw = Stretched(b"x", 100 * MB)
    tracemalloc.start()
    try:
        unwrapped = unwrap.read(raw)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert unwrapped.originals[0].length == len(ORIGINAL) + 100 * MB + len(b"\r\n")
    assert peak_bytes < 4 * MB
    assert raw.read_bytes < 3 * raw.size_bytes


def test_a_line_of_a_gigabyte_is_read_in_one_go() -> None:
    """One line of 1 GB: three passes at most, a few windows in memory."""
    raw = Stretched(b"x", 1_000 * MB)
    unwrapped = unwrap.read(raw)
    assert unwrapped.kind is Kind.EXCHANGE
    assert raw.read_bytes < 3 * raw.size_bytes


def test_a_million_delimiters_inside_cost_no_part() -> None:
    """Lines that begin with the boundary and go on are passed over at C speed."""
    inner = ORIGINAL + (b"--" + BOUNDARY + b"1\r\n") * 100_000
    raw = report(text_part(b"To: a@x.example", lines=LINES), message_part(inner))
    assert originals(raw, read(raw)) == [inner]
