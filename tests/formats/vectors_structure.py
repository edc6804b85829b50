"""Vectors: parts, delimiters, slices (format reference, section 9, structure)."""

from __future__ import annotations

import base64
import quopri
from typing import Any

from report_samples import (
    BOUNDARY,
    ORIGINAL,
    TEXT_FIELDS,
    message_part,
    report,
    text_part,
)
from vector import Vector, original
from vectors_recognition import COPY_ENVELOPE, ENVELOPE, envelope, expect

TEXT = text_part(b"Recipient: accounting@example.com")
OUTER_COPY = {**COPY_ENVELOPE, "message_id": "<1d1f5b5e@journal.report.generator>"}
HTML = b"Content-Type: text/html\r\n\r\n<p>Sender: billing@supplier.example</p>\r\n"


def _sound(
    name: str, about: str, raw: bytes, *inners: bytes, flags: tuple[str, ...] = (), **differing: Any
) -> Vector:
    told = expect(raw, inners or (ORIGINAL,), flags=sorted(flags), **differing)
    return Vector(name, about, raw, told)


def _broken(
    name: str, about: str, raw: bytes, reason: str, flags: tuple[str, ...], **differing: Any
) -> Vector:
    told = expect(raw, (), kind="unrecognised", reason=reason, flags=sorted(flags)) | differing
    return Vector(name, about, raw, told)


def _text() -> list[Vector]:
    inside = (
        b'Content-Type: multipart/alternative; boundary="a"\r\n\r\n--a\r\n'
        + TEXT
        + b"\r\n--a\r\n"
        + HTML
        + b"--a--\r\n"
    )
    html_only = report(HTML, message_part())
    no_text = report(message_part())
    missing = {"flags": ["envelope-missing"], "envelope": OUTER_COPY}
    return [
        _sound(
            "text-of-a-gateway",
            "A gateway put a text of its own before the report's.",
            report(b"Content-Type: text/plain\r\n\r\nScanned.\r\n", TEXT, message_part()),
        ),
        _sound("order-swapped", "The original before the text.", report(message_part(), TEXT)),
        _sound(
            "alternative", "The text inside multipart/alternative.", report(inside, message_part())
        ),
        Vector(
            "html-only",
            "Only HTML tells the envelope: it is not read, a person looks.",
            html_only,
            expect(html_only, kind="unrecognised", reason="envelope-missing") | missing,
        ),
        Vector(
            "no-text-part",
            "No part tells the envelope; what the header says is given as such.",
            no_text,
            expect(no_text, kind="unrecognised", reason="envelope-missing") | missing,
        ),
    ]


def _missing() -> list[Vector]:
    tnef = b"Content-Type: application/ms-tnef\r\n"
    tnef += b"Content-Transfer-Encoding: base64\r\n\r\neJ8+Ig==\r\n"
    encoded = base64.encodebytes(ORIGINAL).replace(b"\n", b"\r\n")
    octets = (
        b'Content-Type: application/octet-stream; name="mail.eml"\r\n'
        b"Content-Transfer-Encoding: base64\r\n\r\n" + encoded
    )
    attached = report(TEXT, octets)
    inner = b"no field\r\nat all\r\n"
    undisclosed = envelope("recipient | accounting@example.com | undisclosed")
    missing = ("original-missing", "undisclosed-recipients")
    broken = base64.encodebytes(ORIGINAL)[:-8].replace(b"\n", b"\r\n") + b"!!!!"
    broken_part = message_part(broken, b"Content-Transfer-Encoding: base64\r\n")
    return [
        _broken(
            "no-rfc822",
            "A report without a message.",
            report(TEXT),
            "original-missing",
            missing,
            envelope=undisclosed,
        ),
        _broken(
            "inner-empty",
            "The message part is empty.",
            report(TEXT, message_part(b"")),
            "original-missing",
            missing,
            envelope=undisclosed,
        ),
        _broken(
            "inner-without-header",
            "The message part has no header.",
            report(TEXT, message_part(inner)),
            "original-missing",
            missing,
            envelope=undisclosed,
        ),
        _broken(
            "tnef",
            "The original is winmail.dat: kept, not decoded.",
            report(TEXT, tnef),
            "tnef",
            (*missing, "tnef"),
            envelope=undisclosed,
        ),
        _broken(
            "octet-stream-eml",
            "A gateway made a file of the original: a candidate, not believed.",
            attached,
            "original-missing",
            missing,
            envelope=undisclosed,
            originals=[
                original(attached, ORIGINAL, role="candidate", encoded=encoded, encoding="base64")
            ],
        ),
        _broken(
            "rfc822-cte-base64-broken",
            "Base64 that does not decode gives no original.",
            report(TEXT, broken_part),
            "original-missing",
            (*missing, "illegal-cte", "undecodable"),
            envelope=undisclosed,
        ),
    ]


def _several() -> list[Vector]:
    encrypted = ORIGINAL.replace(b"text/plain", b'multipart/mixed; boundary="r"').replace(
        b"Please pay.\r\n",
        b"--r\r\nContent-Type: application/x-microsoft-rpmsg-message;\r\n"
        b"\tname=message.rpmsg\r\n\r\nx\r\n--r--\r\n",
    )
    two = report(TEXT, message_part(encrypted), message_part())
    undecided = report(TEXT, message_part(), message_part(ORIGINAL.replace(b"pay", b"PAY")))
    other = ORIGINAL.replace(b"pay", b"PAY")
    return [
        Vector(
            "two-rfc822-decrypted",
            "The encrypted original and the server's clear copy of it.",
            two,
            expect(
                two,
                (),
                originals=[
                    original(two, encrypted, role="encrypted"),
                    original(two, ORIGINAL, role="decrypted"),
                ],
            ),
        ),
        _sound(
            "two-rfc822-undecided",
            "Two messages, neither is seen to be encrypted.",
            undecided,
            ORIGINAL,
            other,
            flags=("multiple-originals",),
        ),
    ]


def _encodings() -> list[Vector]:
    def identity(name: str, field: bytes, flags: tuple[str, ...] = ()) -> Vector:
        raw = report(TEXT, message_part(fields=b"Content-Transfer-Encoding: " + field + b"\r\n"))
        return _sound(
            f"rfc822-cte-{name}",
            f"message/rfc822 with transfer encoding {field.decode()}.",
            raw,
            flags=flags,
        )

    def encoded(name: str, media_type: bytes, encoding: bytes, flags: tuple[str, ...]) -> Vector:
        text = ORIGINAL.replace(b"pay.", b"pay 7 \xe2\x82\xac = now.")
        if encoding == b"base64":
            stored = base64.encodebytes(text).replace(b"\n", b"\r\n")
        else:
            stored = quopri.encodestring(text.replace(b"\r\n", b"\n")).replace(b"\n", b"\r\n")
        part = (
            b"Content-Type: "
            + media_type
            + b"\r\nContent-Transfer-Encoding: "
            + encoding
            + b"\r\n\r\n"
            + stored
        )
        raw = report(TEXT, part)
        told = original(raw, text, encoded=stored, encoding=encoding.decode())
        return Vector(
            name,
            f"{media_type.decode()} in {encoding.decode()}.",
            raw,
            expect(raw, (), flags=sorted(flags), originals=[told]),
        )

    glob = report(TEXT, message_part().replace(b"message/rfc822", b"message/global"))
    return [
        identity("binary", b"binary"),
        identity("8bit", b"8bit"),
        identity("bogus", b"x-own", ("unknown-cte",)),
        encoded("rfc822-cte-base64", b"message/rfc822", b"base64", ("illegal-cte",)),
        encoded("rfc822-cte-qp", b"message/rfc822", b"quoted-printable", ("illegal-cte",)),
        _sound("message-global", "message/global for internationalised mail.", glob),
        encoded("message-global-base64", b"message/global", b"base64", ()),
    ]


def _boundaries() -> list[Vector]:
    def bounded(name: str, about: str, boundary: bytes) -> Vector:
        return _sound(name, about, report(TEXT, message_part(), boundary=boundary))

    blanks = report().replace(BOUNDARY + b"\r\n", BOUNDARY + b" \t \r\n")
    longer = ORIGINAL + b"--" + BOUNDARY + b"1\r\nstill the original\r\n"
    twice = (
        report()
        .replace(b'";\r\n', b'"\r\n', 1)
        .replace(b'boundary="' + BOUNDARY + b'"', b'boundary="' + BOUNDARY + b'"; boundary="other"')
    )
    two_types = b"Content-Type: text/plain\r\n" + report()
    too_long = report(TEXT, message_part(), boundary=b"x" * 201)
    unclosed = report(TEXT, message_part(), close=b"")[: -len(b"\r\n--" + BOUNDARY)]
    epilogue = report(
        TEXT, message_part(), close=b"--\r\nan epilogue\r\n", preamble=b"a preamble\r\n"
    )
    ambiguous = ("ambiguous-boundary", "envelope-missing")
    conflict = ORIGINAL + b"--" + BOUNDARY + b"\r\nafter the forged delimiter\r\n"
    closing = ORIGINAL + b"--" + BOUNDARY + b"--\r\nafter the forged end\r\n"
    conflicted = report(TEXT, message_part(conflict))
    closed = report(TEXT, message_part(closing))
    multipart = ORIGINAL.replace(b"text/plain", b'multipart/mixed; boundary="m"').replace(
        b"Please pay.\r\n", b"--m\r\n\r\nPlease pay.\r\n--m--\r\n"
    )
    cut = multipart.replace(b"--m--\r\n", b"")
    cut_short = report(TEXT, message_part(cut), message_part())
    return [
        bounded(
            "boundary-regex",
            "A boundary with characters that mean something in patterns.",
            b"a+b*(c)?[d]^.$|{1}'",
        ),
        bounded("boundary-70", "A boundary of 70 characters.", b"0123456789" * 7),
        bounded("boundary-200", "A boundary longer than the standard allows.", b"0123456789" * 20),
        bounded("boundary-blanks", "A boundary with blanks inside.", b"a b c"),
        _broken(
            "boundary-201",
            "A boundary nobody may use.",
            too_long,
            "no-parts",
            ("envelope-missing",),
            envelope=OUTER_COPY,
        ),
        _sound("delimiter-blanks", "Delimiters with trailing blanks.", blanks),
        _sound(
            "boundary-prefix",
            "A line that begins with the boundary and goes on is none.",
            report(TEXT, message_part(longer)),
            longer,
        ),
        _broken(
            "boundary-twice",
            "The boundary is given twice: nobody knows which.",
            twice,
            "ambiguous-boundary",
            ambiguous,
            envelope=OUTER_COPY,
        ),
        _broken(
            "content-type-twice",
            "Two Content-Type fields.",
            two_types,
            "ambiguous-boundary",
            ambiguous,
            envelope=OUTER_COPY,
        ),
        _sound("preamble-epilogue", "Text before the first and after the last part.", epilogue),
        Vector(
            "missing-close",
            "The closing delimiter is missing: the original goes on to the end.",
            unclosed,
            expect(unclosed, flags=["truncated"]),
        ),
        _sound(
            "boundary-inside",
            "The outer boundary inside the original: the first one wins.",
            conflicted,
            ORIGINAL[:-2],
            flags=("boundary-conflict",),
        ),
        _sound(
            "boundary-inside-closing",
            "A closing delimiter inside the original.",
            closed,
            ORIGINAL[:-2],
            flags=("boundary-conflict",),
        ),
        _sound(
            "boundary-cuts-multipart",
            "A multipart original that does not close, and more after it.",
            cut_short,
            cut,
            ORIGINAL,
            flags=("boundary-conflict", "multiple-originals"),
        ),
    ]


def _line_ends() -> list[Vector]:
    lf = report().replace(b"\r\n", b"\n")
    cr = report().replace(b"\r\n", b"\r")
    mixed = b"".join(
        line.rstrip(b"\r\n") + (b"\r\n" if number % 2 else b"\n")
        for number, line in enumerate(report().splitlines(keepends=True))
    )
    start = (
        mixed.index(b"message/rfc822\n")
        if b"message/rfc822\n" in mixed
        else mixed.index(b"message/rfc822\r\n")
    )
    inner = mixed[mixed.index(b"From: Billing", start) :]
    inner = inner[: inner.index(b"Please pay.") + len(b"Please pay.")]
    inner += mixed[mixed.index(b"Please pay.") + len(b"Please pay.") :][:1]
    inner = inner if inner.endswith(b"\n") else inner + b"\n"
    return [
        _sound("ends-lf", "Lines end in LF.", lf, ORIGINAL.replace(b"\r\n", b"\n")),
        _sound("ends-cr", "Lines end in CR alone.", cr, ORIGINAL.replace(b"\r\n", b"\r")),
        _sound("ends-mixed", "Lines end in CRLF and LF by turns.", mixed, inner),
        *(
            _sound(
                f"inner-breaks-{count}",
                f"The original ends in {count} line breaks.",
                report(TEXT, message_part(ORIGINAL[:-2] + b"\r\n" * count)),
                ORIGINAL[:-2] + b"\r\n" * count,
            )
            for count in range(4)
        ),
    ]


def _bytes() -> list[Vector]:
    def body(name: str, about: str, extra: bytes) -> Vector:
        inner = ORIGINAL + extra
        return _sound(name, about, report(TEXT, message_part(inner)), inner)

    mbox = b"From billing@supplier.example Mon Nov  2 08:00:00 2026\r\n" + ORIGINAL
    return [
        body("inner-nul", "NUL bytes in the original.", b"a\x00b\x00\r\n"),
        body("inner-8bit", "Bytes above 127 in the original.", bytes(range(128, 256)) + b"\r\n"),
        body("inner-lone-cr", "Carriage returns without line feed in the original.", b"a\rb\r\r\n"),
        body(
            "inner-1mb-line", "A line of one megabyte in the original.", b"x" * 1_000_000 + b"\r\n"
        ),
        body(
            "inner-from-line",
            "A line that begins with From in the original's body.",
            b"From here on\r\n>From there\r\n",
        ),
        _sound(
            "inner-mbox-line",
            "A first line of an mbox before the original's header.",
            report(TEXT, message_part(mbox)),
            mbox,
        ),
        body("inner-dots", "Lines that begin with dots.", b".\r\n..\r\n.line\r\n"),
    ]


def _text_encodings() -> list[Vector]:
    lines = b"".join(line.encode() + b"\r\n" for line in ENVELOPE["raw_lines"])
    base = (
        TEXT_FIELDS.replace(b"7bit", b"base64")
        + b"\r\n"
        + base64.encodebytes(lines).replace(b"\n", b"\r\n")
    )
    return [_sound("text-base64", "The text part in base64.", report(base, message_part()))]


VECTORS = [
    *_text(),
    *_missing(),
    *_several(),
    *_encodings(),
    *_boundaries(),
    *_line_ends(),
    *_bytes(),
    *_text_encodings(),
]
