"""What a part says it is: media type, parameters, transfer encoding.

Rule: of two answers neither is believed.  A reader that takes the first
boundary and one that takes the last see different messages.

Sources: RFC 2045, sections 5.1 and 6; quoted values as they are sent, not only
as the grammar allows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from collector.formats.header import Header
from collector.formats.limits import BOUNDARY_BYTES_MAX
from collector.formats.transfer import IDENTITY

_COMMON = re.compile(
    rb'([!-.0-:<-~]++/[^;()\s]++)(?:;[ \t]*+([^=;\s"]++)=(?:"([^"\\]*+)"|([^;\s"]++)))?'
)
"""A type and at most one parameter, in which nothing can be read in two ways."""

_MEDIA_TYPE = re.compile(rb"([!-.0-~]++)[ \t]*+/[ \t]*+([^;()\s]++)")
_PARAMETER = re.compile(
    rb'(?<![\s;])\s*+;[\s;]*+([^=;\s"]++)[ \t]*+=[ \t]*+(?:"((?:[^"\\]|\\.)*)"|([^;]*+))',
    re.DOTALL,
)
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_PARAMETERS_MAX = 100
_IDENTITIES = frozenset({b"", b"7bit", b"8bit", b"binary"})


@dataclass(frozen=True, slots=True)
class Content:
    """The content fields of one entity.

    Attributes:
        media_type: lower case, ``text/plain`` when nothing else is said.
        parameters: names in lower case; values as sent, without quotes.
        transfer_encoding: lower case; ``identity`` for absent, 7bit, 8bit and binary.
        file_name: lower case, from either field that can tell it.
        ambiguous: the type is given twice, or the boundary is.
    """

    media_type: bytes
    parameters: dict[bytes, bytes]
    transfer_encoding: str
    file_name: bytes
    ambiguous: bool

    @property
    def boundary(self) -> bytes:
        """The boundary, empty when there is none that can be used."""
        boundary = self.parameters.get(b"boundary", b"").rstrip(b" \t")
        return boundary if len(boundary) <= BOUNDARY_BYTES_MAX and not self.ambiguous else b""

    @property
    def is_multipart(self) -> bool:
        """Whether it has parts."""
        return self.media_type.startswith(b"multipart/")

    @property
    def is_message(self) -> bool:
        """Whether it is a whole message (RFC 2046, section 5.2.1; RFC 6532, section 3.7)."""
        return self.media_type in {b"message/rfc822", b"message/global"}


def content_of(header: Header) -> Content:
    """Return what ``header`` says of its entity."""
    types = header.all(b"content-type")
    media_type, parameters, clear = _type(types[0] if types else b"")
    encoding = header.first(b"content-transfer-encoding").lower()
    file_name = parameters.get(b"name", b"")
    if b"content-disposition" in header:
        disposition = _parameters(header.first(b"content-disposition"))[0]
        file_name = disposition.get(b"filename", file_name)
    return Content(
        media_type=media_type,
        parameters=parameters,
        transfer_encoding=IDENTITY if encoding in _IDENTITIES else encoding.decode("latin-1"),
        file_name=file_name.lower(),
        ambiguous=len(types) > 1 or not clear,
    )


def _type(value: bytes) -> tuple[bytes, dict[bytes, bytes], bool]:
    """Return media type, parameters, and whether the boundary is clear."""
    common = _COMMON.fullmatch(value)
    if common:
        media_type, name, quoted, bare = common.groups()
        told = {name.lower(): bare if quoted is None else quoted} if name else {}
        return media_type.lower(), told, True
    written = _MEDIA_TYPE.match(value)
    media_type = b"/".join(written.groups()).lower() if written else b"text/plain"
    return media_type, *_parameters(value)


def _parameters(value: bytes) -> tuple[dict[bytes, bytes], bool]:
    """Return parameters, of a repeated one the first, and whether the boundary is clear."""
    parameters: dict[bytes, bytes] = {}
    clear = True
    for count, found in enumerate(_PARAMETER.finditer(value), start=1):
        name = found[1].lower()
        clear &= not (name == b"boundary" and name in parameters)
        if count > _PARAMETERS_MAX:
            return parameters, False
        told = found[3].rstrip(b" \t") if found[2] is None else _ESCAPED.sub(rb"\1", found[2])
        parameters.setdefault(name, told)
    return parameters, clear
