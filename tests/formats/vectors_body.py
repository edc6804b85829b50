"""Vectors: the lines of a report (format reference, section 9, body)."""

from __future__ import annotations

import base64
from typing import Any

from report_samples import LINES, ORIGINAL, TEXT_FIELDS, message_part, report, text_part
from vector import Vector
from vectors_recognition import ENVELOPE, envelope, expect

EX = "[EX:/o=Example, Inc./ou=Site/cn=Recipients/cn=Doe, Jane]"


def _lines(
    name: str,
    about: str,
    lines: list[bytes],
    recipients: list[str],
    *,
    flags: tuple[str, ...] = (),
    original: bytes = ORIGINAL,
    raw_lines: list[str] | None = None,
    told: dict[str, Any] | None = None,
    **fields: Any,
) -> Vector:
    """Return a vector whose text part has exactly these lines."""
    raw = report(text_part(lines=tuple(lines)), message_part(original))
    expected = envelope(
        *recipients, raw_lines=raw_lines or [line.decode("latin-1") for line in lines], **fields
    )
    return Vector(
        name,
        about,
        raw,
        expect(raw, (original,), flags=sorted(flags), envelope=expected) | (told or {}),
    )


def _recipients(
    name: str, about: str, line: str, *recipients: str, flags: tuple[str, ...] = ()
) -> Vector:
    return _lines(name, about, [*LINES, line.encode()], list(recipients), flags=flags)


def _kinds() -> list[Vector]:
    return [
        _recipients("kind-to", "A To recipient.", "To: b@x.example", "to | b@x.example"),
        _recipients("kind-cc", "A Cc recipient.", "Cc: b@x.example", "cc | b@x.example"),
        _recipients(
            "kind-bcc", "A Bcc recipient, as a fact.", "Bcc: b@x.example", "bcc | b@x.example"
        ),
        _recipients(
            "kind-recipient",
            "A recipient the header does not name is undisclosed, not Bcc.",
            "Recipient: b@x.example",
            "recipient | b@x.example | undisclosed",
            flags=("undisclosed-recipients",),
        ),
        _recipients(
            "key-case",
            "Keys in any case, several blanks, a tab.",
            "TO:  \tb@x.example \t",
            "to | b@x.example",
        ),
    ]


def _ways() -> list[Vector]:
    undisclosed = ("undisclosed-recipients",)
    return [
        _recipients(
            "expanded",
            "A member of an expanded list.",
            "To: b@x.example, Expanded: list@x.example",
            "to | b@x.example | expanded list@x.example",
        ),
        _recipients(
            "forwarded",
            "A recipient the server redirected to.",
            "To: b@x.example, Forwarded: c@x.example",
            "to | b@x.example | forwarded c@x.example",
        ),
        _recipients(
            "expanded-forwarded",
            "Both, nearest to the recipient first.",
            "Cc: b@x.example, Forwarded: c@x.example, Expanded: list@x.example",
            "cc | b@x.example | forwarded c@x.example | expanded list@x.example",
        ),
        _recipients(
            "expanded-without-comma",
            "The published grammar has no comma.",
            "To: b@x.example Expanded: list@x.example",
            "to | b@x.example | expanded list@x.example",
        ),
        _recipients(
            "expanded-tight-comma",
            "A comma without a blank.",
            "To: b@x.example,Expanded:list@x.example",
            "to | b@x.example | expanded list@x.example",
        ),
        _recipients(
            "expanded-disclosed",
            "Whose list the header names is not undisclosed.",
            "Recipient: b@x.example, Expanded: accounting@example.com",
            "recipient | b@x.example | expanded accounting@example.com",
        ),
        _recipients(
            "quoted-comma",
            "A quoted local part with comma and a false redirection.",
            'To: "Doe, Expanded: x"@x.example, Expanded: list@x.example',
            'to | "Doe, Expanded: x"@x.example | expanded list@x.example',
        ),
        _recipients("ex-commas", "An X.500 name with commas.", f"To: {EX}", f"to | {EX}"),
        _recipients(
            "ex-expanded",
            "An X.500 name, expanded from another.",
            f"To: {EX}, Expanded: {EX}",
            f"to | {EX} | expanded {EX}",
        ),
        _recipients(
            "angle-brackets",
            "An address in angle brackets.",
            "To: <b@x.example>",
            "to | b@x.example",
        ),
        _recipients(
            "recipient-empty",
            "A recipient line without an address.",
            "Recipient: ",
            flags=("empty-recipient",),
        ),
        _recipients(
            "nbsp",
            "A no-break space is no blank: it stays.",
            "Recipient: b@x.example\u00a0",
            "recipient | b@x.example\u00a0 | undisclosed",
            flags=(*undisclosed, "charset-fallback"),
        ),
    ]


def _keys() -> list[Vector]:
    to = b"To: b@x.example"
    told = ["to | b@x.example"]
    no_id = ORIGINAL.replace(b"Message-ID: <inv-7@supplier.example>\r\n", b"")
    return [
        _lines(
            "sender-empty",
            "A delivery report: no sender.",
            [b"Sender: ", *LINES[1:], to],
            told,
            sender="",
        ),
        _lines(
            "sender-null",
            "A delivery report: the empty sender.",
            [b"Sender: <>", *LINES[1:], to],
            told,
            sender="<>",
        ),
        _lines(
            "message-id-missing",
            "No Message-Id line.",
            [*LINES[:2], to],
            told,
            original=no_id,
            message_id="",
        ),
        _lines(
            "message-id-empty",
            "An empty Message-Id line.",
            [*LINES[:2], b"Message-Id:", to],
            told,
            original=no_id,
            message_id="",
        ),
        _lines(
            "message-id-spelling",
            "Message-ID as the specification spells it.",
            [*LINES[:2], b"Message-ID: <inv-7@supplier.example>", to],
            told,
        ),
        _lines(
            "on-behalf-of",
            "Sent on behalf of somebody.",
            [*LINES, b"On-Behalf-Of: boss@x.example", to],
            told,
            on_behalf_of="boss@x.example",
        ),
        _lines(
            "unknown-key",
            "Keys nobody knows are kept and flagged.",
            [*LINES, b"Label: 7", b"no colon", to],
            told,
            flags=("unknown-line",),
        ),
        _lines(
            "repeated-key",
            "Of a repeated line the first counts.",
            [*LINES, b"Sender: other@x.example", to],
            told,
            flags=("repeated-line",),
        ),
    ]


def _subject_vector(
    name: str,
    about: str,
    subject: str,
    *,
    part: bytes,
    written: bytes,
    flags: tuple[str, ...] = (),
    raw_subject: str | None = None,
) -> Vector:
    """Return a vector with a subject in the text part as it is given in ``part``."""
    original = ORIGINAL.replace(b"Subject: Invoice 7", b"Subject: " + written)
    raw = report(part, message_part(original))
    lines = [
        ENVELOPE["raw_lines"][0],
        raw_subject or f"Subject: {subject}",
        *ENVELOPE["raw_lines"][2:],
    ]
    expected = {**ENVELOPE, "subject": subject, "raw_lines": lines}
    return Vector(
        name, about, raw, expect(raw, (original,), flags=sorted(flags), envelope=expected)
    )


def _text(charset: bytes, encoding: bytes, subject: bytes) -> bytes:
    lines = (LINES[0], b"Subject: " + subject, LINES[2], b"Recipient: accounting@example.com")
    return (
        b'Content-Type: text/plain; charset="'
        + charset
        + b'"\r\nContent-Transfer-Encoding: '
        + encoding
        + b"\r\n\r\n"
        + b"".join(line + b"\r\n" for line in lines)
    )


def _subjects() -> list[Vector]:
    word = b"=?utf-8?q?R=C3=BCckfrage?="
    utf8_latin = "Subject: " + "Rückfrage".encode().decode("latin-1")
    base64_lines = (
        b"Sender: billing@supplier.example\r\nSubject: R\xc3\xbcckfrage\r\n"
        b"Message-Id: <inv-7@supplier.example>\r\nRecipient: accounting@example.com\r\n"
    )
    base64_part = (
        b'Content-Type: text/plain; charset="utf-8"\r\nContent-Transfer-Encoding: base64\r\n\r\n'
        + base64.encodebytes(base64_lines).replace(b"\n", b"\r\n")
    )
    return [
        _subject_vector(
            "subject-iso-8859-1",
            "The subject in iso-8859-1.",
            "Rückfrage",
            part=_text(b"iso-8859-1", b"8bit", b"R\xfcckfrage"),
            written=word,
        ),
        _subject_vector(
            "subject-utf-8-qp",
            "The subject in utf-8, the part in quoted-printable.",
            "Rückfrage",
            part=_text(b"utf-8", b"quoted-printable", b"R=C3=BCckfrage"),
            written=word,
            raw_subject=utf8_latin,
        ),
        _subject_vector(
            "subject-base64",
            "The part in base64.",
            "Rückfrage",
            part=base64_part,
            written=word,
            raw_subject=utf8_latin,
        ),
        _subject_vector(
            "subject-wrong-charset",
            "us-ascii is declared, the bytes are cp1252.",
            "Rückfrage €",
            part=_text(b"us-ascii", b"8bit", b"R\xfcckfrage \x80"),
            written=b"=?windows-1252?q?R=FCckfrage_=80?=",
            flags=("charset-fallback",),
            raw_subject="Subject: R\xfcckfrage \x80",
        ),
        _subject_vector(
            "subject-unknown-charset",
            "A charset nobody knows.",
            "Rückfrage",
            part=_text(b"x-own", b"8bit", b"R\xc3\xbcckfrage"),
            written=word,
            flags=("charset-fallback",),
            raw_subject=utf8_latin,
        ),
        _subject_vector(
            "subject-question-marks",
            "What the charset cannot say is told as question marks.",
            "R?ckfrage",
            part=_text(b"us-ascii", b"7bit", b"R?ckfrage"),
            written=word,
        ),
        _subject_vector(
            "subject-imitates",
            "A subject that looks like a field is a subject.",
            "Bcc: evil@x.example",
            part=_text(b"us-ascii", b"7bit", b"Bcc: evil@x.example"),
            written=b"Bcc: evil@x.example",
        ),
        _subject_vector(
            "subject-empty",
            "An empty subject.",
            "",
            part=_text(b"us-ascii", b"7bit", b""),
            written=b"",
            raw_subject="Subject: ",
        ),
        _subject_vector(
            "subject-long",
            "A long subject stands on one line, the original folds it.",
            "word " * 60 + "end",
            part=_text(b"us-ascii", b"7bit", b"word " * 60 + b"end"),
            written=b"word" + b"\r\n word" * 59 + b"\r\n end",
        ),
    ]


def _ends() -> list[Vector]:
    def part(end: bytes) -> bytes:
        lines = (*LINES, b"Recipient: accounting@example.com")
        return TEXT_FIELDS + b"\r\n" + b"".join(line + end for line in lines)

    vectors = []
    for name, end in (("lf", b"\n"), ("cr", b"\r")):
        raw = report(part(end), message_part())
        vectors.append(
            Vector(
                f"text-ends-{name}", f"Lines of the text end in {name.upper()}.", raw, expect(raw)
            )
        )
    return vectors


def _many() -> Vector:
    count = 50_000
    lines = [
        b"To: user%d@example.com, Expanded: all@example.com" % number for number in range(count)
    ]
    raw = report(text_part(*lines), message_part())
    way = "expanded all@example.com"
    expected = envelope(
        raw_lines={
            "count": count + 3,
            "first": "Sender: billing@supplier.example",
            "last": lines[-1].decode(),
        },
    )
    expected["recipients"] = {
        "count": count,
        "first": f"to | user0@example.com | {way}",
        "last": f"to | user{count - 1}@example.com | {way}",
    }
    return Vector(
        "recipients-50000",
        "Fifty thousand recipients of one list.",
        raw,
        expect(raw, envelope=expected),
    )


VECTORS = [*_kinds(), *_ways(), *_keys(), *_subjects(), *_ends(), _many()]
