"""Header fields, content fields, addresses and words, as they are met in mail."""

from __future__ import annotations

import pytest

from collector.domain.blob import RawBytes
from collector.formats.addresses import addresses
from collector.formats.content import Content, content_of
from collector.formats.header import Header, read_header
from collector.formats.text import decode, decode_words
from collector.formats.view import View


def header(raw: bytes, window_bytes: int = 4_096) -> Header:
    """Read a header."""
    return read_header(View(RawBytes(raw), window_bytes), 0, len(raw))


@pytest.mark.parametrize(
    ("raw", "body"),
    [
        (b"A: b\r\n\r\nbody", 8),
        (b"A: b\n\nbody", 6),
        (b"A: b\r\n\nbody", 7),
        (b"A: b\n\r\nbody", 7),
        (b"A: b\r\rbody", 6),
        (b"A: b\r\n", 6),
        (b"A: b", 4),
        (b"\r\nbody", 2),
        (b"\nbody", 1),
        (b"A: b\r\n \r\nC: d\r\n\r\nbody", 17),
        (b"From x y\r\nA: b\r\n\r\nbody", 18),
    ],
)
def test_a_header_ends_at_its_first_empty_line(raw: bytes, body: int) -> None:
    """Any line ends, a line of blanks is a fold, and no empty line means no body."""
    assert header(raw).body == body


def test_fields_keep_their_order_and_their_folds() -> None:
    """Names in lower case, values as they lie there, unfolded when asked for."""
    told = header(b"To: b\r\n\tc\r\nCc :d\r\nto:\r\nX: e\r\n\r\n")
    assert told.fields == [
        (b"to", b" b\r\n\tc\r"),
        (b"cc", b"d\r"),
        (b"to", b"\r"),
        (b"x", b" e\r"),
    ]
    assert told.all(b"to") == [b"b\tc", b""]
    assert told.first(b"cc") == b"d"
    assert told.first(b"from") == b""


@pytest.mark.parametrize(
    "raw", [b"", b"\r\n", b"no colon\r\nA: b\r\n\r\n", b" A: b\r\n\r\n", b":x"]
)
def test_what_does_not_begin_with_a_field_is_not_readable(raw: bytes) -> None:
    """A message begins with a field."""
    assert not header(raw).readable


def content(value: bytes, more: bytes = b"") -> Content:
    """Return what a Content-Type says."""
    return content_of(header(b"Content-Type: " + value + b"\r\n" + more + b"\r\n"))


@pytest.mark.parametrize(
    ("value", "boundary"),
    [
        (b'multipart/mixed; boundary="a b"', b"a b"),
        (b"multipart/mixed; boundary=ab", b"ab"),
        (b"multipart/mixed; boundary=ab ; x=y", b"ab"),
        (b"multipart/mixed;\r\n\tboundary=ab", b"ab"),
        (b'multipart/mixed; BOUNDARY="ab  "', b"ab"),
        (b'multipart/mixed; boundary="a\\"b"', b'a"b'),
        (b'multipart/mixed; type="x; boundary=y"; boundary=ab', b"ab"),
        (b"multipart/mixed ;; ; boundary = ab", b"ab"),
        (b"multipart/mixed; boundary=a; boundary=b", b""),
        (b"multipart/mixed; boundary=" + b"x" * 201, b""),
        (b"multipart/mixed" + b"; a=b" * 101 + b"; boundary=ab", b""),
        (b"multipart/mixed", b""),
    ],
)
def test_a_boundary_is_read_or_there_is_none(value: bytes, boundary: bytes) -> None:
    """Quoted, bare, folded, escaped; of two neither."""
    assert content(value).boundary == boundary


def test_content_fields_have_defaults() -> None:
    """Nothing said is text/plain, as it lies there."""
    told = content_of(header(b"A: b\r\n\r\n"))
    assert (told.media_type, told.transfer_encoding, told.file_name) == (
        b"text/plain",
        "identity",
        b"",
    )


def test_a_file_name_is_read_from_either_field() -> None:
    """Content-Disposition counts more than Content-Type."""
    assert content(b'a/b; name="X.EML"').file_name == b"x.eml"
    disposition = b'Content-Disposition: attachment; filename="Y.eml"\r\n'
    assert content(b"a/b; name=x", disposition).file_name == b"y.eml"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"a@x", ["a@x"]),
        (b"<a@x>", ["a@x"]),
        (b"Name <a@x>, other@y", ["a@x", "other@y"]),
        (b'"Doe, Jane" <a@x>', ["a@x"]),
        (b'"Doe, Jane"@x', ['"Doe, Jane"@x']),
        (b"fake@y <a@x>", ["a@x"]),
        (b"a@x (comment, b@y)", ["a@x"]),
        (b"list: a@x, b@y; , c@z", ["a@x", "b@y", "c@z"]),
        (b"undisclosed-recipients:;", []),
        (b"<@route,@other:a@x>", ["a@x"]),
        (b"<>", []),
        (b"a@x b@y", ["b@y"]),
        (b'"open', []),
        (b"(open", []),
        (b"<open", []),
        (b"a@ , @x, b@y", ["b@y"]),
        ("Grüße <ü@x>".encode(), ["ü@x"]),
    ],
)
def test_addresses_are_found_among_what_is_around_them(value: bytes, expected: list[str]) -> None:
    """Names, comments, groups and routes are passed over (RFC 5322, section 3.4)."""
    assert list(addresses(value)) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"plain", "plain"),
        (b"=?utf-8?q?R=C3=BCck?=", "Rück"),
        (b"=?UTF-8?B?UsO8Y2s=?=", "Rück"),
        (b"=?utf-8?b?UsO8Y2s?=", "Rück"),
        (b"=?iso-8859-1?q?R=FCck_7?= and", "Rück 7 and"),
        (b"=?utf-8?q?R=C3?= =?utf-8?q?=BCck?=", "Rück"),
        (b"=?utf-8*de?q?R=C3=BCck?=", "Rück"),
        (b"=?x-own?q?R=C3=BCck?=", "Rück"),
        (b"=?utf-8?q?a?=  =?iso-8859-1?q?=FC?=", "aü"),
        (b"a =?utf-8?q?b", "a =?utf-8?q?b"),
        (b"=?utf-8?b?A?=", "A"),
        ("Rück".encode(), "Rück"),
        (b"R\xfcck", "Rück"),
    ],
)
def test_encoded_words_become_text(value: bytes, expected: str) -> None:
    """Both encodings, known and unknown charsets, words that split a character (RFC 2047)."""
    assert decode_words(value) == expected


@pytest.mark.parametrize(
    ("raw", "charset", "expected", "fell_back"),
    [
        (b"a", "us-ascii", "a", False),
        (b"a", "", "a", False),
        (b"\xfc", "iso-8859-1", "ü", False),
        (b"\xc3\xbc", "utf-8", "ü", False),
        (b"\xc3\xbc", "us-ascii", "ü", True),
        (b"\xfc", "utf-8", "ü", True),
        (b"\x81\xfc", "utf-8", "\x81ü", True),
        (b"\xfc", "rot13", "ü", True),
        (b"\xfc", "idna", "ü", True),
        (b"\xfc", "\x00", "ü", True),
        (b"\x82\xa0", "Shift_JIS", "あ", False),
    ],
)
def test_a_charset_that_does_not_fit_is_told(
    raw: bytes, charset: str, expected: str, *, fell_back: bool
) -> None:
    """Declared, then UTF-8, then cp1252, then latin-1; names out of mail choose no other codec."""
    assert decode(raw, charset) == (expected, fell_back)
