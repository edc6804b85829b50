"""Vectors: what is a report (format reference, section 9, recognition)."""

from __future__ import annotations

from typing import Any

from report_samples import ORIGINAL, TEXT_FIELDS, message_part, report, text_part
from vector import Vector, original

ENVELOPE = {
    "sender": "billing@supplier.example",
    "on_behalf_of": "",
    "subject": "Invoice 7",
    "message_id": "<inv-7@supplier.example>",
    "level": 0,
    "recipients": ["recipient | accounting@example.com"],
    "raw_lines": [
        "Sender: billing@supplier.example",
        "Subject: Invoice 7",
        "Message-Id: <inv-7@supplier.example>",
        "Recipient: accounting@example.com",
    ],
}
COPY_ENVELOPE = {
    **ENVELOPE,
    "recipients": ["header-to | accounting@example.com | from to | derived"],
    "raw_lines": [],
}


def expect(raw: bytes, inners: tuple[bytes, ...] = (ORIGINAL,), **differing: Any) -> dict[str, Any]:
    """Return the expectation of a sound report, but for what differs."""
    return {
        "kind": "exchange",
        "reason": "",
        "flags": [],
        "trust": "unverified",
        "trust_reasons": ["nothing-configured"],
        "envelope": ENVELOPE,
        "nested": [],
        "originals": [original(raw, each) for each in inners],
    } | differing


def envelope(*recipients: str, **differing: Any) -> dict[str, Any]:
    """Return the usual envelope with other recipients."""
    return {**ENVELOPE, "recipients": list(recipients), **differing}


def copy(raw: bytes, flags: tuple[str, ...] = (), **differing: Any) -> dict[str, Any]:
    """Return the expectation of a plain copy of the usual original."""
    told = {
        "kind": "copy",
        "flags": sorted({"envelope-unknown", "sender-derived", *flags}),
        "envelope": COPY_ENVELOPE,
        **differing,
    }
    return expect(raw, (), **told)


def _marked(name: str, about: str, marker: bytes, kind: str = "exchange") -> Vector:
    raw = report(marker=marker)
    return Vector(name, about, raw, expect(raw, kind=kind))


LINES_2003 = (
    b"Sender: billing@supplier.example",
    b"Message-ID: <inv-7@supplier.example>",
    b"Recipients:",
)
ENVELOPE_2003 = {
    **ENVELOPE,
    "subject": "",
    "recipients": [
        "recipient | accounting@example.com",
        "recipient | boss@example.com | undisclosed",
    ],
    "raw_lines": [
        *(line.decode() for line in LINES_2003),
        "\taccounting@example.com",
        "\tThe Boss <boss@example.com>",
    ],
}


def _exchange_2003(spelling: bytes) -> bytes:
    text = text_part(
        b"\taccounting@example.com", b"\tThe Boss <boss@example.com>", lines=LINES_2003
    )
    alternative = (
        b'Content-Type: multipart/alternative; boundary="alt"\r\n\r\n--alt\r\n'
        + text
        + b"\r\n--alt\r\nContent-Type: text/html\r\n\r\n<p>Sender: x</p>\r\n--alt--\r\n"
    )
    return report(alternative, message_part(), marker=spelling + b": ExJournalReport\r\n")


def _2003(name: str, spelling: bytes) -> Vector:
    raw = _exchange_2003(spelling)
    return Vector(
        name,
        f"An Exchange 2003 envelope report, marked {spelling.decode()}: ExJournalReport.",
        raw,
        expect(
            raw,
            kind="exchange-2003",
            flags=["undisclosed-recipients"],
            envelope=ENVELOPE_2003,
        ),
    )


def _copies() -> list[Vector]:
    inner_marked = report(marker=b"", close=b"--\r\n")
    inner_marked = inner_marked.replace(
        b"\r\n\r\nFrom: Billing", b"\r\n\r\nX-MS-Journal-Report:\r\nFrom: Billing"
    )
    data = b"Content-Identifer: ExJournalData\r\n" + ORIGINAL
    forwarded = report(marker=b"")
    outer = {**COPY_ENVELOPE, "message_id": "<1d1f5b5e@journal.report.generator>"}
    return [
        Vector(
            "marker-only-in-inner",
            "A marker in the header of the message inside does not count outside.",
            inner_marked,
            copy(inner_marked, envelope=outer),
        ),
        Vector(
            "structure-without-marker",
            "A mail with an attached mail, as any user can send it, is a copy.",
            forwarded,
            copy(forwarded, envelope=outer),
        ),
        Vector(
            "exjournaldata",
            "An Exchange 2003 message-only copy is not wrapped and not unwrapped.",
            data,
            copy(data),
        ),
        Vector(
            "marker-without-structure",
            "A marked message without parts is broken: archived, and shown to a person.",
            b"X-MS-Journal-Report:\r\n" + ORIGINAL,
            expect(
                b"",
                (),
                kind="unrecognised",
                reason="no-parts",
                flags=["envelope-missing"],
                envelope=COPY_ENVELOPE,
            ),
        ),
        Vector(
            "copy-format-leaves-reports-alone",
            "In a mailbox of format copy nothing is unwrapped.",
            report(),
            copy(b"", envelope=outer),
            {"format": "copy"},
        ),
        Vector(
            "exchange-format-quarantines-copies",
            "In a mailbox of format exchange a copy is shown to a person.",
            ORIGINAL,
            copy(b"", kind="unrecognised", reason="no-report"),
            {"format": "exchange"},
        ),
        Vector(
            "no-header",
            "Bytes that do not begin with a field are nobody's message.",
            b"\x00\x01 no field here\r\n\r\nbody\r\n",
            expect(
                b"",
                (),
                kind="unrecognised",
                reason="no-header",
                trust_reasons=[],
                envelope={
                    **envelope(),
                    "sender": "",
                    "subject": "",
                    "message_id": "",
                    "raw_lines": [],
                },
            ),
        ),
    ]


def _citadel() -> Vector:
    boundary = b"--Citadel-Journal-5f3a2b1c-0001--"
    text = (
        TEXT_FIELDS
        + b"\r\n"
        + (
            b"Sender: billing@supplier.example\r\n"
            b"Message-ID: <inv-7@supplier.example>\r\nRecipients:\r\n"
            b"\taccounting <accounting@example.com>\r\n\tremote@elsewhere.example\r\n"
        )
    )
    head = (
        b"From: Billing <billing@supplier.example>\r\nSubject: Invoice 7\r\n"
        b"Content-Identifer: ExJournalReport\r\nMIME-Version: 1.0\r\n"
        b'Content-Type: multipart/mixed; boundary="' + boundary + b'"\r\n'
    )
    raw = (
        head + b"\n"  # one bare LF ends the header
        b"--" + boundary + b"\r\n" + text + b"\r\n"
        b"--"
        + boundary
        + b"\r\n"
        + message_part(ORIGINAL[:-2])
        + b"\r\n--"
        + boundary
        + b"--\r\n"  # the original's own line break is the delimiter's
    )
    inner = ORIGINAL[:-2]
    return Vector(
        "citadel",
        "Citadel: every delimiter line ends in --, a bare LF ends the header.",
        raw,
        expect(
            raw,
            (inner,),
            kind="citadel",
            flags=["undisclosed-recipients"],
            envelope={
                **ENVELOPE,
                "subject": "",
                "recipients": [
                    "recipient | accounting@example.com",
                    "recipient | remote@elsewhere.example | undisclosed",
                ],
                "raw_lines": [
                    "Sender: billing@supplier.example",
                    "Message-ID: <inv-7@supplier.example>",
                    "Recipients:",
                    "\taccounting <accounting@example.com>",
                    "\tremote@elsewhere.example",
                ],
            },
        ),
    )


VECTORS = [
    _marked(
        "marker-empty",
        "The marker with an empty value, as real ones are.",
        b"X-MS-Journal-Report:\r\n",
    ),
    _marked("marker-space", "The marker with a lone space.", b"X-MS-Journal-Report: \r\n"),
    _marked("marker-value", "The marker with some value.", b"X-MS-Journal-Report: 1\r\n"),
    _marked("marker-odd-case", "The marker in odd case.", b"x-ms-JOURNAL-rePort:\r\n"),
    _marked(
        "marker-twice", "The marker twice.", b"X-MS-Journal-Report:\r\nX-MS-Journal-Report:\r\n"
    ),
    _marked(
        "marker-folded", "The marker with a folded empty value.", b"X-MS-Journal-Report:\r\n\t\r\n"
    ),
    _marked(
        "marker-in-transport",
        "The marker as it is called inside Exchange's transport.",
        b"X-MS-Exchange-Organization-Journal-Report:\r\n",
    ),
    _marked("workmail", "Amazon WorkMail.", b"X-WM-Journal-Report: journal\r\n", "workmail"),
    _2003("exchange-2003-identifer", b"Content-Identifer"),
    _2003("exchange-2003-identifier", b"Content-Identifier"),
    _citadel(),
    *_copies(),
]
