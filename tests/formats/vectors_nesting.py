"""Vectors: reports inside reports and inside bounces (format reference, sections 1.8 and 9)."""

from __future__ import annotations

from report_samples import ORIGINAL, message_part, report, text_part
from vector import Vector, original
from vectors_recognition import COPY_ENVELOPE, ENVELOPE, copy, envelope, expect

TEXT = text_part(b"Recipient: accounting@example.com")
OUTER_COPY = {**COPY_ENVELOPE, "message_id": "<1d1f5b5e@journal.report.generator>"}


def _nested() -> list[Vector]:
    inner_report = report(boundary=b"inside")
    outer_lines = text_part(b"To: archive@example.com")
    double = report(outer_lines, message_part(inner_report))
    outer = envelope(
        "to | archive@example.com",
        raw_lines=[*ENVELOPE["raw_lines"][:3], "To: archive@example.com"],
    )
    level_1 = {
        **ENVELOPE,
        "level": 1,
        "recipients": ["recipient | accounting@example.com | level 1"],
    }
    vectors = [
        Vector(
            "nested-2",
            "Double journaling: both envelopes are kept, the inner one is claimed.",
            double,
            expect(
                double,
                (),
                flags=["nested-report"],
                envelope=outer,
                nested=[level_1],
                trust="conflicting",
                trust_reasons=["message-id-mismatch"],
                originals=[original(double, inner_report), original(double, ORIGINAL, level=1)],
            ),
        ),
    ]
    raw = ORIGINAL
    layers = [raw]
    for depth in range(9):
        raw = report(TEXT, message_part(raw), boundary=b"depth-%d" % depth)
        layers.append(raw)
    layers.reverse()
    told = [original(raw, layers[level + 1], level=level) for level in range(8)]
    undisclosed = [
        {
            **ENVELOPE,
            "level": level,
            "recipients": [f"recipient | accounting@example.com | level {level}"],
        }
        for level in range(1, 8)
    ]
    vectors.append(
        Vector(
            "nested-9",
            "Nine reports inside each other: eight are opened.",
            raw,
            expect(
                raw,
                (),
                flags=["depth-limit", "nested-report"],
                nested=undisclosed,
                originals=told,
                trust="conflicting",
                trust_reasons=["message-id-mismatch"],
            ),
        )
    )
    return vectors


def _forged() -> Vector:
    inner = b"X-MS-Journal-Report:\r\n" + ORIGINAL
    raw = report(TEXT, message_part(inner))
    return Vector(
        "nested-forged",
        "Somebody mailed a message that is marked as a report: no alarm about what it lacks.",
        raw,
        expect(raw, (inner,), flags=["nested-report"]),
    )


def _bounces() -> list[Vector]:
    def bounce(part: bytes) -> bytes:
        return (
            b"Return-Path: <>\r\nFrom: MAILER-DAEMON@example.com\r\nTo: alternate@example.com\r\n"
            b"Subject: Undeliverable: Invoice 7\r\nMessage-ID: <ndr@example.com>\r\n"
            b'Content-Type: multipart/report; report-type=delivery-status; boundary="ndr"\r\n\r\n'
            b"--ndr\r\nContent-Type: text/plain\r\n\r\nCould not deliver.\r\n"
            b"--ndr\r\nContent-Type: message/delivery-status\r\n\r\n"
            b"Final-Recipient: rfc822; journal@archive.example\r\nAction: failed\r\n\r\n"
            b"--ndr\r\n" + part + b"\r\n--ndr--\r\n"
        )

    returned = report()
    around = bounce(message_part(returned))
    headers = returned[: returned.index(b"\r\n\r\n") + 2]
    only = bounce(b"Content-Type: text/rfc822-headers\r\n\r\n" + headers)
    ordinary = bounce(message_part(ORIGINAL))
    level_1 = {
        **ENVELOPE,
        "level": 1,
        "recipients": ["recipient | accounting@example.com | level 1"],
    }
    plain = {
        **ENVELOPE,
        "sender": "MAILER-DAEMON@example.com",
        "subject": "Undeliverable: Invoice 7",
        "message_id": "<ndr@example.com>",
        "raw_lines": [],
        "recipients": ["header-to | alternate@example.com | from to | derived"],
    }
    return [
        Vector(
            "ndr-around-report",
            "A bounce that returns a report: its envelope is only claimed.",
            around,
            expect(
                around,
                (),
                kind="bounce",
                envelope=level_1,
                originals=[
                    original(around, returned, role="report"),
                    original(around, ORIGINAL, level=1),
                ],
            ),
        ),
        Vector(
            "ndr-alternate",
            "The same in an alternate journaling mailbox: it is the report.",
            around,
            expect(
                around,
                (),
                kind="bounce",
                originals=[original(around, returned, role="report"), original(around, ORIGINAL)],
            ),
            {"alternate": True},
        ),
        Vector(
            "ndr-headers-only",
            "A bounce that returns the report's header alone: an item was lost.",
            only,
            expect(
                only,
                (),
                kind="unrecognised",
                reason="original-missing",
                flags=["headers-only", "original-missing"],
                envelope=OUTER_COPY,
            ),
        ),
        Vector(
            "ndr-ordinary",
            "A bounce of ordinary mail is a copy.",
            ordinary,
            copy(ordinary, envelope=plain),
        ),
    ]


VECTORS = [*_nested(), _forged(), *_bounces()]
