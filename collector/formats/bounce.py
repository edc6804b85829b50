"""Journal reports inside non-delivery reports (alternate journaling mailbox).

Rule: a bounce counts when what it returns carries a report's marker; every
other bounce is ordinary mail.  Headers alone hold no original: an item of the
journal was lost, and that is said.

Sources: RFC 3462, RFC 3464; that Exchange attaches the whole report is told by
its documentation, no sample is public.
"""

from __future__ import annotations

from collector.domain.journal import Envelope, Kind, Role
from collector.formats import flags
from collector.formats.content import content_of
from collector.formats.copies import header_envelope
from collector.formats.exchange import marked_as
from collector.formats.header import Header, read_header
from collector.formats.originals import read_inner
from collector.formats.parts import Part, read_multipart
from collector.formats.transfer import IDENTITY
from collector.formats.view import View
from collector.formats.wrapper import Wrapped

_HEADERS_ONLY = frozenset({b"text/rfc822-headers", b"message/global-headers"})


def read_bounce(
    view: View, header: Header, end: int, level: int, *, alternate: bool = False
) -> Wrapped | None:
    """Return the returned report as an inner message; ``None`` when it is no such bounce.

    Args:
        view: the message.
        header: of the bounce.
        end: where its bytes end.
        level: its depth.
        alternate: any multipart around a report is accepted, not only multipart/report.
    """
    content = content_of(header)
    is_report = content.media_type == b"multipart/report"
    if not content.boundary or not (is_report or (alternate and content.is_multipart)):
        return None
    bounce = Wrapped(Kind.BOUNCE, Envelope(level=level))
    for part in read_multipart(view, content.boundary, header.body, end).parts:
        returned = _returned(part)
        if returned is None or marked_as(returned) is None:
            continue
        inner = read_inner(part, level, bounce.remarks) if part.content.is_message else None
        if inner:
            bounce.inners.append(inner.as_role(Role.REPORT))
        else:
            bounce.envelope = header_envelope(returned, level)
            bounce.remarks |= {flags.HEADERS_ONLY, flags.ORIGINAL_MISSING}
            bounce.reason = flags.ORIGINAL_MISSING
        return bounce
    return None


def _returned(part: Part) -> Header | None:
    """Return the header of what a bounce gives back."""
    if part.content.transfer_encoding != IDENTITY:
        return None
    if part.content.is_message or part.content.media_type in _HEADERS_ONLY:
        return read_header(part.view, part.body, part.end)
    return None
