"""Bytes to text: charsets and encoded words.

Rule: every byte becomes something; whether the declared charset was right is
said, not guessed away.  Only charsets known here are handed to Python: a name
out of a mail must not choose among its codecs.

Sources: RFC 2045, 2047; charset names as they occur in mail.
"""

from __future__ import annotations

import binascii
import re

_KNOWN = re.compile(
    r"(?:us-)?ascii|utf-?[78]|iso-?8859-\d{1,2}"
    r"|(?:windows|cp)-?\d{3,4}|koi8-[rtu]|gb(?:2312|k|18030)|big5(?:-?hkscs)?|euc-(?:jp|kr|cn)"
    r"|shift[_-]jis|iso-2022-(?:jp|jp-[1-3]|jp-ext|kr)|ks_c_5601-1987|tis-620|mac-?roman|latin-?\d"
)
_ASCII_AS_IT_IS = frozenset({"", "us-ascii", "utf-8"})
"""Declared charsets that every ASCII text fits."""

_ENCODED_WORD = re.compile(rb"=\?([^?\s]{1,60})\?([bBqQ])\?([^?\s]*)\?=")
_BETWEEN_WORDS = re.compile(rb"(\?=)[ \t\r\n]+(?==\?[^?\s]{1,60}\?[bBqQ]\?)")


def decode(raw: bytes, charset: str) -> tuple[str, bool]:
    """Return the text and whether the declared charset did not fit.

    Falls back to UTF-8, then cp1252, then latin-1, which takes every byte.
    """
    if charset in _ASCII_AS_IT_IS and raw.isascii():
        return raw.decode("ascii"), False
    declared = charset.strip().lower()
    for name in (declared or "us-ascii", "utf-8", "cp1252"):
        if name != declared or _KNOWN.fullmatch(declared):
            try:
                return raw.decode(name), name != (declared or "us-ascii")
            except (UnicodeError, LookupError):
                continue
    return raw.decode("latin-1"), True


def decode_words(value: bytes) -> str:
    """Return a header value as text, its encoded words decoded (RFC 2047, section 6).

    A character may be split between two words of one charset; servers do that,
    though section 5 forbids it.
    """
    if b"=?" not in value:
        return decode(value, "utf-8")[0]
    first, *rest = _ENCODED_WORD.split(_BETWEEN_WORDS.sub(rb"\1", value))
    runs: list[tuple[str, list[bytes]]] = [("utf-8", [first])]
    for charset, encoding, word, after in zip(*(iter(rest),) * 4, strict=True):
        name = _charset_name(charset)
        if name != runs[-1][0]:
            runs.append((name, []))
        runs[-1][1].append(_word_bytes(encoding, word))
        if after:
            runs.append(("utf-8", [after]))
    return "".join(decode(b"".join(pieces), name)[0] for name, pieces in runs)


def _charset_name(raw: bytes) -> str:
    """Return the charset of an encoded word without its language (RFC 2231, section 5)."""
    return raw.partition(b"*")[0].decode("latin-1").lower()


def _word_bytes(encoding: bytes, word: bytes) -> bytes:
    if encoding in b"qQ":
        return binascii.a2b_qp(word, header=True)
    try:
        return binascii.a2b_base64(word + b"=" * (-len(word) % 4))
    except binascii.Error:
        return word
