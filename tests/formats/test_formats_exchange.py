"""Marked journal reports: recognition, slices, sender and recipients."""

from __future__ import annotations

import base64
import hashlib

import pytest
from report_samples import (
    BOUNDARY,
    LINES,
    ORIGINAL,
    message_part,
    originals,
    read,
    report,
    text_part,
)

from collector.domain.blob import RawBytes
from collector.domain.journal import (
    JournalFormat,
    JournalProfile,
    Kind,
    RecipientKind,
    Redirection,
    Trust,
)
from collector.formats.unwrap import original_windows


def test_a_report_gives_its_original_byte_for_byte() -> None:
    """The original is a slice of the report, with its own digest."""
    raw = report()
    unwrapped = read(raw)
    assert unwrapped.kind is Kind.EXCHANGE
    assert originals(raw, unwrapped) == [ORIGINAL]
    assert unwrapped.originals[0].digest.hex == hashlib.sha256(ORIGINAL).hexdigest()
    assert unwrapped.flags == ()


def test_the_envelope_is_that_of_the_report() -> None:
    """Sender, subject and Message-ID come from the lines of the report."""
    envelope = read(report()).envelope
    assert envelope.sender == "billing@supplier.example"
    assert envelope.subject == "Invoice 7"
    assert envelope.message_id == "<inv-7@supplier.example>"
    assert envelope.raw_lines[0] == "Sender: billing@supplier.example"
    assert [each.address for each in envelope.recipients] == ["accounting@example.com"]


def test_every_kind_of_recipient_and_every_way_is_read() -> None:
    """To, Cc, Bcc and Recipient keep their kind; via says by which list or forwarding."""
    raw = report(
        text_part(
            b"To: a@x.example",
            b"Cc: b@x.example, Expanded: list@x.example",
            b"Bcc: c@x.example, Forwarded: d@x.example",
            b"Recipient: e@x.example, Expanded: in@x.example, Expanded: out@x.example",
        ),
        message_part(),
    )
    recipients = read(raw).envelope.recipients
    assert [(each.address, each.kind, each.via) for each in recipients] == [
        ("a@x.example", RecipientKind.TO, ()),
        ("b@x.example", RecipientKind.CC, (Redirection("expanded", "list@x.example"),)),
        ("c@x.example", RecipientKind.BCC, (Redirection("forwarded", "d@x.example"),)),
        (
            "e@x.example",
            RecipientKind.RECIPIENT,
            (Redirection("expanded", "in@x.example"), Redirection("expanded", "out@x.example")),
        ),
    ]


@pytest.mark.parametrize(
    "marker",
    [
        b"X-MS-Journal-Report:\r\n",
        b"X-MS-Journal-Report: \r\n",
        b"X-MS-Journal-Report: yes\r\n",
        b"x-ms-JOURNAL-report:\r\n",
        b"X-MS-Journal-Report:\r\nX-MS-Journal-Report:\r\n",
        b"X-MS-Journal-Report:\r\n\t\r\n",
    ],
)
def test_the_marker_counts_in_every_form(marker: bytes) -> None:
    """Empty, blank, with a value, in odd case, twice or folded: it is a report."""
    assert read(report(marker=marker)).kind is Kind.EXCHANGE


def test_a_marker_in_the_original_only_is_none() -> None:
    """What stands in the message inside does not make the outer one a report."""
    inner = b"X-MS-Journal-Report:\r\n" + ORIGINAL
    assert read(report(text_part(), message_part(inner), marker=b"")).kind is Kind.COPY


def test_a_marker_without_its_structure_is_quarantined() -> None:
    """A marked message without parts is archived and shown to a person."""
    unwrapped = read(b"X-MS-Journal-Report:\r\n" + ORIGINAL)
    assert (unwrapped.kind, unwrapped.reason) == (Kind.UNRECOGNISED, "no-parts")
    assert unwrapped.quarantined


def test_a_report_without_its_original_keeps_its_envelope() -> None:
    """The recipients of a broken report are not lost."""
    unwrapped = read(report(text_part(b"To: a@x.example")))
    assert (unwrapped.kind, unwrapped.reason) == (Kind.UNRECOGNISED, "original-missing")
    assert [each.address for each in unwrapped.envelope.recipients] == ["a@x.example"]


def test_mail_with_an_attached_mail_is_a_copy() -> None:
    """Without the marker nothing is unwrapped: any user can attach a message."""
    unwrapped = read(report(marker=b""))
    assert unwrapped.kind is Kind.COPY
    assert unwrapped.originals == ()
    assert unwrapped.flags == ("envelope-unknown", "sender-derived")


def test_bytes_without_a_header_are_not_recognised() -> None:
    """What does not begin with a field is nobody's message."""
    assert read(b"\x00\x01\x02").reason == "no-header"
    assert read(b"").reason == "no-header"


def test_a_mailbox_for_reports_quarantines_what_is_none() -> None:
    """With format exchange a copy is not recognised, but its header is read."""
    unwrapped = read(ORIGINAL, JournalProfile(format=JournalFormat.EXCHANGE))
    assert (unwrapped.kind, unwrapped.reason) == (Kind.UNRECOGNISED, "no-report")
    assert unwrapped.envelope.subject == "Invoice 7"


def test_recipients_the_header_does_not_name_are_marked() -> None:
    """Recipient lines whom To and Cc of the original do not name are undisclosed."""
    raw = report(
        text_part(b"Recipient: accounting@example.com", b"Recipient: hidden@example.com"),
        message_part(),
    )
    unwrapped = read(raw)
    assert [each.undisclosed for each in unwrapped.envelope.recipients] == [False, True]
    assert unwrapped.flags == ("undisclosed-recipients",)


def test_disagreement_with_the_original_is_conflicting() -> None:
    """Another Message-ID in the report than in the original is said, not hidden."""
    lines = (LINES[0], LINES[1], b"Message-Id: <other@supplier.example>")
    unwrapped = read(report(text_part(lines=lines), message_part()))
    assert (unwrapped.trust, unwrapped.trust_reasons) == (
        Trust.CONFLICTING,
        ("message-id-mismatch",),
    )


def test_an_encoded_original_is_decoded_for_its_digest() -> None:
    """A base64 message/rfc822 is forbidden and met; its digest is that of the message."""
    encoded = base64.encodebytes(ORIGINAL).replace(b"\n", b"\r\n")
    raw = report(text_part(), message_part(encoded, b"Content-Transfer-Encoding: base64\r\n"))
    unwrapped = read(raw)
    (original,) = unwrapped.originals
    assert unwrapped.flags == ("illegal-cte",)
    assert original.transfer_encoding == "base64"
    assert b"".join(original_windows(RawBytes(raw), original)) == ORIGINAL
    assert original.digest.hex == hashlib.sha256(ORIGINAL).hexdigest()


def test_a_longer_boundary_is_no_delimiter() -> None:
    """A line that begins with the boundary and goes on belongs to the original."""
    inner = ORIGINAL + b"--" + BOUNDARY + b"1\r\nnot a delimiter\r\n"
    raw = report(text_part(), message_part(inner))
    assert originals(raw, read(raw)) == [inner]
