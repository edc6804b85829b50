"""Messages made to be slow: each repeats what a careless reader does again and again."""

from __future__ import annotations

from report_samples import BOUNDARY, ORIGINAL, TEXT_FIELDS, message_part, report, text_part

MB = 1_000_000


def _fill(unit: bytes, size_bytes: int) -> bytes:
    return (unit * (size_bytes // len(unit) + 1))[:size_bytes]


def _marked(fields: bytes) -> bytes:
    return b"X-MS-Journal-Report:\r\n" + fields + b"\r\n\r\n" + ORIGINAL


def _lines(unit: bytes, size_bytes: int) -> bytes:
    return report(TEXT_FIELDS + b"\r\n" + _fill(unit, size_bytes), message_part())


def _inner(unit: bytes, size_bytes: int, fields: bytes = b"") -> bytes:
    return report(text_part(b"To: a@x"), message_part(ORIGINAL + _fill(unit, size_bytes), fields))


def _nested_multiparts(size_bytes: int) -> bytes:
    raw = b"\r\n"
    depth = 0
    while len(raw) < size_bytes and depth < 2_000:
        edge = b"m%d" % depth
        raw = (
            b'Content-Type: multipart/mixed; boundary="'
            + edge
            + b'"\r\n\r\n--'
            + edge
            + b"\r\n"
            + raw
            + b"\r\n--"
            + edge
            + b"--"
        )
        depth += 1
    return report(raw, message_part())


def hostile(size_bytes: int = MB) -> dict[str, bytes]:
    """Return hostile messages of about that size by name."""
    edge = b"\r\n--" + BOUNDARY
    return {
        "delimiters": report(text_part(), _fill(edge, size_bytes)),
        "false-delimiters": _inner(edge + b"x", size_bytes),
        "delimiters-with-blanks": _inner(edge + b" " * 998 + b"x", size_bytes),
        "short-boundary": report(_fill(b"\r\n--b", size_bytes), boundary=b"b"),
        "one-line": _inner(b"x", size_bytes),
        "nuls": _inner(b"\x00", size_bytes),
        "breaks": _inner(b"\n", size_bytes),
        "returns": _fill(b"a:\r\r", size_bytes),
        "fields": _marked(_fill(b"a:\r\n", size_bytes)),
        "folds": _marked(b"a: b" + _fill(b"\r\n ", size_bytes)),
        "received": _fill(b"Received: from a (b [1.2.3.4]) by c\r\n", size_bytes) + ORIGINAL,
        "results": _fill(b"Authentication-Results: a; spf=pass smtp.mailfrom=b\r\n", size_bytes)
        + ORIGINAL,
        "to-commas": b"To: " + _fill(b",", size_bytes) + b"\r\n" + ORIGINAL,
        "to-addresses": b"To: " + _fill(b"a@b,", size_bytes) + b"\r\n" + ORIGINAL,
        "to-comments": b"To: " + _fill(b"(", size_bytes) + b"\r\n" + ORIGINAL,
        "to-quotes": b"To: " + _fill(b'"\\', size_bytes) + b"\r\n" + ORIGINAL,
        "to-brackets": b"To: " + _fill(b"<", size_bytes) + b"\r\n" + ORIGINAL,
        "to-atoms": b"To: " + _fill(b"a", size_bytes) + b"\r\n" + ORIGINAL,
        "subject-words": b"Subject: " + _fill(b"=?utf-8?q?a?= ", size_bytes) + b"\r\n" + ORIGINAL,
        "subject-open-words": b"Subject: " + _fill(b"=?a?q?", size_bytes) + b"\r\n" + ORIGINAL,
        "subject-blanks": b"Subject: ?=" + _fill(b" ", size_bytes) + b"\r\n" + ORIGINAL,
        "type-parameters": b"Content-Type: multipart/mixed"
        + _fill(b";a=b", size_bytes)
        + b"\r\n"
        + ORIGINAL,
        "type-quotes": b"Content-Type: multipart/mixed"
        + _fill(b';a="\\', size_bytes)
        + b"\r\n"
        + ORIGINAL,
        "type-semicolons": b"Content-Type: multipart/mixed"
        + _fill(b"; ", size_bytes)
        + b"\r\n"
        + ORIGINAL,
        "recipients": _lines(b"Recipient: firstname.lastname@example.com\r\n", size_bytes),
        "recipients-expanded": _lines(
            b"To: a@example.com, Expanded: list@example.com\r\n", size_bytes
        ),
        "lines-empty": _lines(b"\n", size_bytes),
        "lines-unknown": _lines(b"x\n", size_bytes),
        "lines-blanks": _lines(b" ", size_bytes),
        "line-redirections": _lines(b"To: a" + b", Expanded: b" * 5_000 + b"\n", size_bytes),
        "line-quotes": _lines(b'To: "' + b', Expanded: "' * 5_000 + b"\n", size_bytes),
        "line-x500": _lines(b"To: [EX:" + b", Expanded: [EX:" * 4_000 + b"\n", size_bytes),
        "line-tabs": _lines(b"To: a" + b"\t" * 60_000 + b"b\n", size_bytes),
        "line-brackets": _lines(b"To: a" + b" <" * 30_000 + b"\n", size_bytes),
        "list-2003": _lines(b"Recipients:\n" + b"\ta\n" * 20_000, size_bytes),
        "base64": _inner(b"QUJD", size_bytes, b"Content-Transfer-Encoding: base64\r\n"),
        "qp-equals": _inner(b"=3D", size_bytes, b"Content-Transfer-Encoding: quoted-printable\r\n"),
        "qp-blanks": _inner(
            b" " * 60_000 + b"\n", size_bytes, b"Content-Transfer-Encoding: quoted-printable\r\n"
        ),
        "originals": report(text_part(), *[message_part()] * (size_bytes // 300)),
        "reports": report(
            text_part(), *[message_part(report(boundary=b"i"))] * (size_bytes // 1_100)
        ),
        "multiparts": report(
            *[b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n" * 4] * (size_bytes // 300)
        ),
        "nested-multiparts": _nested_multiparts(size_bytes),
    }
