"""However large a message's index is, it can be committed, and says what was cut."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ledger_samples import REPORT, pending_of, with_envelope

from collector.domain.blob import Digest
from collector.domain.journal import Envelope, Original, Recipient, RecipientKind, Redirection
from collector.ledger import limits
from collector.ledger.ledger import Ledger
from collector.ledger.limits import (
    INDEX_TRUNCATED,
    NESTED_MAX,
    ORIGINALS_MAX,
    RAW_LINES_CHARS_MAX,
    RECIPIENTS_MAX,
    RECIPIENTS_TRUNCATED,
    TEXT_CHARS_MAX,
    VIA_MAX,
    within_limits,
)

LONG = "x" * (TEXT_CHARS_MAX + 1)
RECIPIENT = Recipient("a@example.net", RecipientKind.TO)


def test_what_fits_is_not_touched() -> None:
    """An ordinary message is the same object afterwards."""
    assert within_limits(REPORT) is REPORT
    full = with_envelope(
        sender=LONG[1:],
        recipients=(RECIPIENT,) * (RECIPIENTS_MAX - 1),
        raw_lines=("x" * 100,) * 100,
    )
    assert within_limits(full) is full


@pytest.mark.parametrize("name", ["sender", "on_behalf_of", "subject", "message_id"])
def test_long_text_is_cut_and_flagged(name: str) -> None:
    """Each field of the envelope keeps its beginning."""
    cut = within_limits(with_envelope(**{name: LONG}))
    assert getattr(cut.envelope, name) == LONG[:TEXT_CHARS_MAX]
    assert cut.flags == (*REPORT.flags, INDEX_TRUNCATED)


def test_more_recipients_than_the_index_holds_are_flagged() -> None:
    """The first ones are kept, and a flag of its own says so."""
    many = with_envelope(recipients=(RECIPIENT,) * (RECIPIENTS_MAX + 1))
    cut = within_limits(many)
    assert cut.envelope.recipients == (RECIPIENT,) * RECIPIENTS_MAX
    assert cut.nested[0].recipients == ()
    assert cut.flags == (*REPORT.flags, RECIPIENTS_TRUNCATED)


@pytest.mark.parametrize(
    ("recipient", "expected"),
    [
        (replace(RECIPIENT, address=LONG), replace(RECIPIENT, address=LONG[1:])),
        (
            replace(RECIPIENT, via=(Redirection("expanded", LONG),)),
            replace(RECIPIENT, via=(Redirection("expanded", LONG[1:]),)),
        ),
        (
            replace(RECIPIENT, via=(Redirection("expanded", "l"),) * (VIA_MAX + 1)),
            replace(RECIPIENT, via=(Redirection("expanded", "l"),) * VIA_MAX),
        ),
    ],
)
def test_an_endless_recipient_is_cut(recipient: Recipient, expected: Recipient) -> None:
    """Address, redirections and their number each have a limit."""
    cut = within_limits(with_envelope(recipients=(RECIPIENT, recipient)))
    assert cut.envelope.recipients == (RECIPIENT, expected)
    assert INDEX_TRUNCATED in cut.flags


def test_raw_lines_and_originals_have_a_limit() -> None:
    """Whole lines are kept as long as there is room; originals up to their number."""
    line = "x" * (RAW_LINES_CHARS_MAX // 4)
    cut = within_limits(with_envelope(raw_lines=("a", line, line, line, line, "b")))
    assert cut.envelope.raw_lines == ("a", line, line, line)
    original = Original(0, 1, Digest.of(b""))
    cut = within_limits(replace(REPORT, originals=(original,) * (ORIGINALS_MAX + 1)))
    assert cut.originals == (original,) * ORIGINALS_MAX
    assert INDEX_TRUNCATED in cut.flags


def test_nested_envelopes_share_the_room_of_the_message() -> None:
    """A report in a report in a report is no way around the limits."""
    full = Envelope(recipients=(RECIPIENT,) * RECIPIENTS_MAX, raw_lines=("x" * 99,) * 100_000)
    cut = within_limits(replace(REPORT, envelope=full, nested=(full, replace(full, subject=LONG))))
    first, second = cut.nested
    assert cut.envelope == full
    assert (first.recipients, second.recipients) == ((), ())
    chars = sum(len(line) + 1 for each in (full, first, second) for line in each.raw_lines)
    assert RAW_LINES_CHARS_MAX - 100 <= chars <= RAW_LINES_CHARS_MAX
    assert (second.raw_lines, second.subject) == ((), LONG[1:])
    assert cut.flags == (*REPORT.flags, INDEX_TRUNCATED, RECIPIENTS_TRUNCATED)
    many = replace(REPORT, nested=(Envelope(),) * (NESTED_MAX + 1))
    assert len(within_limits(many).nested) == NESTED_MAX
    assert INDEX_TRUNCATED in within_limits(many).flags


def test_the_largest_index_is_committed_and_read_back(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Control characters become six times as long in the database; it still goes in."""
    text = "\x00" * TEXT_CHARS_MAX
    largest = with_envelope(
        sender=text,
        on_behalf_of=text,
        subject=text,
        message_id=text,
        raw_lines=("\x00" * (limits.RAW_LINES_CHARS_MAX - 1),),
    )
    largest = replace(largest, nested=())
    ledger.commit([pending_of(1, unwrapped=largest)])
    assert ledger.record(1).unwrapped == largest
