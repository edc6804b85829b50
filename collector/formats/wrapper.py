"""What all wrappers share: parts, the originals among them, the text.

Rule: parts are known by their type, not by their place.  What is odd about the
structure is remarked, and the original is taken as the first delimiter gives it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from collector.domain.blob import windows
from collector.domain.journal import Envelope, Kind, Role
from collector.formats import flags
from collector.formats.content import content_of
from collector.formats.header import Header
from collector.formats.limits import ENVELOPE_BYTES_MAX
from collector.formats.originals import Inner, read_inner
from collector.formats.parts import Multipart, Part, read_multipart
from collector.formats.transfer import IDENTITY, TransferError, decoded
from collector.formats.view import View

_ALTERNATIVES_MAX = 4
"""Multiparts inside a wrapper in which its text is looked for."""

_TAIL_BYTES = 64 * 1024
"""Where the closing delimiter of a sound message lies."""


@dataclass(slots=True)
class Wrapped:
    """What was found in a wrapper.

    Attributes:
        parts: of the outermost wrapper.
        inners: the messages in it, those of wrappers inside after those outside.
        nested: envelopes of reports inside, outermost first.
        remarks: flags.
        reason: why it is no sound wrapper; empty when it is one.
    """

    kind: Kind
    envelope: Envelope
    parts: tuple[Part, ...] = ()
    inners: list[Inner] = field(default_factory=list)
    nested: list[Envelope] = field(default_factory=list)
    remarks: set[str] = field(default_factory=set)
    reason: str = ""


def open_parts(view: View, header: Header, end: int, wrapped: Wrapped) -> Multipart | None:
    """Return the parts of a wrapper; ``None`` and a reason when it has none."""
    content = content_of(header)
    if content.ambiguous:
        wrapped.remarks.add(flags.AMBIGUOUS_BOUNDARY)
        wrapped.reason = flags.AMBIGUOUS_BOUNDARY
    elif not content.is_multipart or not content.boundary:
        wrapped.reason = "no-parts"
    if wrapped.reason:
        return None
    multipart = read_multipart(view, content.boundary, header.body, end)
    wrapped.parts = multipart.parts
    if multipart.truncated:
        wrapped.remarks.add(flags.PARTS_TRUNCATED)
    elif multipart.unclosed:
        wrapped.remarks.add(flags.TRUNCATED)
    return multipart


def take_inners(multipart: Multipart, wrapped: Wrapped) -> None:
    """Read every message among the parts, and remark when there is none."""
    for part in multipart.parts:
        if part.content.is_message:
            inner = read_inner(part, wrapped.envelope.level, wrapped.remarks)
            wrapped.inners += [inner] if inner else []
    if not wrapped.inners:
        wrapped.remarks.add(flags.ORIGINAL_MISSING)
        wrapped.reason = flags.ORIGINAL_MISSING
    elif len(wrapped.inners) > 1:
        _assign_roles(wrapped)


def _assign_roles(wrapped: Wrapped) -> None:
    """Tell the encrypted original from the server's clear copy, when one is."""
    protected = [each.protected for each in wrapped.inners]
    if any(protected) and not all(protected):
        wrapped.inners = [
            each.as_role(Role.ENCRYPTED if encrypted else Role.DECRYPTED)
            for each, encrypted in zip(wrapped.inners, protected, strict=True)
        ]
    else:
        wrapped.remarks.add(flags.MULTIPLE_ORIGINALS)


def boundary_conflict(multipart: Multipart, inners: Sequence[Inner], text: Part | None) -> bool:
    """Say whether the boundary seems to occur inside an original and cut it short.

    Signs: it closes twice, something that is neither text nor message follows an
    original, or an original that is a multipart ends before it closes.
    """
    if multipart.reopened:
        return True
    if not inners:
        return False
    place = text.start if text else -1
    last = multipart.parts[-1]
    return any(
        not each.content.is_message and not each.start <= place < each.end
        for each in multipart.parts
        if each.start > inners[0].part.start
    ) or any(_cut_short(each) for each in inners if each.part is not last)


def _cut_short(inner: Inner) -> bool:
    content = content_of(inner.header)
    if inner.original.transfer_encoding != IDENTITY or not content.boundary:
        return False
    part, closing = inner.part, b"--" + content.boundary + b"--"
    tail = max(part.body, part.end - _TAIL_BYTES)
    if not content.is_multipart or closing in part.view.read(tail, part.end - tail):
        return False
    return read_multipart(part.view, content.boundary, inner.header.body, part.end).unclosed


def text_parts(parts: Sequence[Part]) -> Iterator[Part]:
    """Yield the plain texts; Exchange 2003 has its own inside an alternative."""
    alternatives = 0
    for part in parts:
        if part.content.media_type == b"text/plain":
            yield part
        elif part.content.is_multipart and part.content.boundary:
            alternatives += 1
            if alternatives <= _ALTERNATIVES_MAX:
                inside = read_multipart(part.view, part.content.boundary, part.body, part.end)
                plain = (each for each in inside.parts if each.content.media_type == b"text/plain")
                yield from islice(plain, 1)


def text_of(part: Part, remarks: set[str]) -> bytes:
    """Return the bytes of a text part without its transfer encoding."""
    length = part.end - part.body
    if length > ENVELOPE_BYTES_MAX:
        remarks.add(flags.ENVELOPE_TRUNCATED)
        length = ENVELOPE_BYTES_MAX
    encoding = part.content.transfer_encoding
    try:
        return b"".join(decoded(_pieces(part, length), encoding))
    except TransferError:
        remarks.add(flags.UNDECODABLE)
        return b"".join(_pieces(part, length))


def _pieces(part: Part, length: int) -> Iterator[bytes]:
    return windows(part.view.raw, part.body, length)


def charset_of(part: Part) -> str:
    """Return the declared charset, empty when there is none."""
    return part.content.parameters.get(b"charset", b"").decode("latin-1")
