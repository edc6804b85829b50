"""The certificates of a time stamp, put into the order DER asks for.

Rule: nothing else of the bytes changes, and nothing here is stored; the result
is only shown to a strict parser.

Authorities built on ``openssl ts`` write the certificate SET of a CMS
SignedData in the order of their configuration; ITU-T X.690, section 11.6, wants
it sorted.  The set is not covered by any signature (RFC 5652, section 5.1), so
sorting a copy takes nothing away from the check.
"""

from __future__ import annotations

_SEQUENCE, _SET, _INTEGER, _OID, _CONTEXT_0 = 0x30, 0x31, 0x02, 0x06, 0xA0
_CERTIFICATES_MAX = 100


def sort_certificates(raw: bytes) -> bytes:
    """Return a TimeStampResp (RFC 3161, section 2.4.2) with its certificates in DER order.

    What is not one, or holds none, comes back as it is.
    """
    try:
        start, end = _certificates(raw)
        pieces = sorted(raw[begin:stop] for _, begin, _, stop in _elements(raw, start, end))
    except (IndexError, ValueError):
        return raw
    return raw[:start] + b"".join(pieces) + raw[end:]


def _certificates(raw: bytes) -> tuple[int, int]:
    """Find the content of SignedData.certificates (RFC 5652, section 5.1)."""
    start, end = _only(raw, (0, len(raw)), [_SEQUENCE])
    start, end = _only(raw, (start, end), [_SEQUENCE, _SEQUENCE])
    start, end = _only(raw, (start, end), [_OID, _CONTEXT_0])
    start, end = _only(raw, (start, end), [_SEQUENCE])
    return _only(raw, (start, end), [_INTEGER, _SET, _SEQUENCE, _CONTEXT_0])


def _only(raw: bytes, within: tuple[int, int], tags: list[int]) -> tuple[int, int]:
    """Return where the content of the last of ``tags`` lies, when elements begin with these."""
    elements = _elements(raw, *within)
    if [tag for tag, *_ in elements[: len(tags)]] != tags:
        raise ValueError("another structure")
    _, _, start, end = elements[len(tags) - 1]
    return start, end


def _elements(raw: bytes, position: int, end: int) -> list[tuple[int, int, int, int]]:
    """Return (tag, first byte, first byte of content, end) of each element in a range."""
    elements: list[tuple[int, int, int, int]] = []
    while position < end and len(elements) < _CERTIFICATES_MAX:
        begin, length, content = position, raw[position + 1], position + 2
        if length & 0x80:
            content += length & 0x7F
            length = int.from_bytes(raw[position + 2 : content], "big")
        position = content + length
        elements.append((raw[begin], begin, content, position))
    if position != end:
        raise ValueError("an element does not end with its range")
    return elements
