"""Transfer encodings: exact, strict, and the same however the bytes are cut."""

from __future__ import annotations

import base64
import quopri
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.formats.transfer import TransferError, decoded


def pieces(raw: bytes, size: int) -> Iterator[bytes]:
    """Cut bytes into pieces."""
    for at in range(0, len(raw), size):
        yield raw[at : at + size]


def joined(raw: bytes, encoding: str, size: int = 7) -> bytes:
    """Decode bytes that come in pieces."""
    return b"".join(decoded(pieces(raw, size), encoding))


@given(raw=st.binary(max_size=400), size=st.integers(1, 90))
def test_base64_gives_back_what_was_encoded(raw: bytes, size: int) -> None:
    """Any bytes, cut anywhere, groups and padding included."""
    assert joined(base64.encodebytes(raw), "base64", size) == raw


@given(raw=st.binary(max_size=400), size=st.integers(1, 90))
def test_quoted_printable_gives_back_what_was_encoded(raw: bytes, size: int) -> None:
    """Any bytes, cut anywhere, escapes and soft breaks included."""
    text = raw.replace(b"\r", b"").replace(b"\n", b"\r\n")
    encoded = quopri.encodestring(text.replace(b"\r\n", b"\n")).replace(b"\n", b"\r\n")
    assert joined(encoded, "quoted-printable", size) == text


@pytest.mark.parametrize(
    ("raw", "encoding"),
    [
        (b"QUJ", "base64"),
        (b"QUI=QUJD", "base64"),
        (b"QUI=\r\nQUJD", "base64"),
        (b"QU!JD", "base64"),
        (b"Q===", "base64"),
        (b"a=4", "quoted-printable"),
        (b"a=GG", "quoted-printable"),
        (b"a= b", "quoted-printable"),
        (b"x" * 70_000, "quoted-printable"),
    ],
)
@pytest.mark.parametrize("size", [1, 3, 100_000])
def test_what_is_not_of_that_encoding_is_refused(raw: bytes, encoding: str, size: int) -> None:
    """Half a message is nobody's original."""
    with pytest.raises(TransferError):
        joined(raw, encoding, size)


def test_blanks_before_a_break_are_no_part_of_the_text() -> None:
    """Blanks at the end of a quoted-printable line were added on the way (RFC 2045, 6.7)."""
    assert joined(b"a \t\r\nb =20\r\nc= \r\nd ", "quoted-printable") == b"a\r\nb  \r\ncd"


def test_other_encodings_pass_unchanged() -> None:
    """Identity is identity."""
    assert joined(b"=41 \r\n", "identity") == b"=41 \r\n"
