"""Marked journal reports: Exchange, Exchange Online, WorkMail, Citadel.

Rule: a report has a marker in its own header and a message among its parts.
The marker alone is a broken report; a message among the parts alone is an
ordinary mail with an attachment, which any user can send.

    2007 and later           2000/2003
    multipart/mixed          multipart/mixed
      text/plain               multipart/alternative
      message/rfc822             text/plain, text/html
                               message/rfc822
"""

from __future__ import annotations

from itertools import islice

from collector.domain.journal import Envelope, Kind, Role
from collector.formats import flags
from collector.formats.addresses import addresses_in
from collector.formats.content import content_of
from collector.formats.envelope import read_envelope, tells_envelope
from collector.formats.header import Header
from collector.formats.originals import read_inner
from collector.formats.parts import Multipart, Part
from collector.formats.view import View
from collector.formats.wrapper import (
    Wrapped,
    boundary_conflict,
    charset_of,
    open_parts,
    take_inners,
    text_of,
    text_parts,
)

_MARKERS = (
    (b"x-ms-journal-report", Kind.EXCHANGE),
    (b"x-ms-exchange-organization-journal-report", Kind.EXCHANGE),
    (b"x-wm-journal-report", Kind.WORKMAIL),
)
_IDENTIFIERS = (b"content-identifer", b"content-identifier")
"""The first spelling is Microsoft's own; Citadel copies it."""

_CITADEL_BOUNDARY = b"--Citadel-Journal-"
_TEXTS_MAX = 4
_NAMED_IN = (b"to", b"cc", b"bcc", b"resent-to", b"resent-cc", b"resent-bcc")


def marked_as(header: Header) -> Kind | None:
    """Return which kind of report the header is marked as."""
    for name, kind in _MARKERS:
        if name in header:
            return kind
    for name in _IDENTIFIERS:
        if header.first(name).lower() == b"exjournalreport":
            citadel = content_of(header).boundary.startswith(_CITADEL_BOUNDARY)
            return Kind.CITADEL if citadel else Kind.EXCHANGE_2003
    return None


def read_report(view: View, header: Header, end: int, kind: Kind, level: int) -> Wrapped:
    """Take a report apart that lies in the message up to ``end``."""
    report = Wrapped(kind, Envelope(level=level))
    multipart = open_parts(view, header, end, report)
    if multipart is None:
        return report
    take_inners(multipart, report)
    _read_text(multipart, report)
    if report.reason == flags.ORIGINAL_MISSING:
        _explain_missing(multipart, report)
    return report


def _read_text(multipart: Multipart, report: Wrapped) -> None:
    """Read the envelope out of the part that tells it."""
    part = _telling_part(multipart)
    if boundary_conflict(multipart, report.inners, part):
        report.remarks.add(flags.BOUNDARY_CONFLICT)
    if part is None:
        report.remarks.add(flags.ENVELOPE_MISSING)
        report.reason = report.reason or flags.ENVELOPE_MISSING
        return
    body = text_of(part, report.remarks)
    named = {
        address.lower()
        for inner in report.inners
        for address in addresses_in(inner.header, *_NAMED_IN)
    }
    level = report.envelope.level
    report.envelope, remarks = read_envelope(body, charset_of(part), level, named)
    report.remarks |= remarks


def _telling_part(multipart: Multipart) -> Part | None:
    """Return the first text that tells an envelope, else the first text.

    A gateway may have put a text of its own before it.
    """
    texts = list(islice(text_parts(multipart.parts), _TEXTS_MAX))
    for part in texts if len(texts) > 1 else ():
        if tells_envelope(text_of(part, set())):
            return part
    return texts[0] if texts else None


def _explain_missing(multipart: Multipart, report: Wrapped) -> None:
    """Look for what may stand in the original's place; it is shown, not believed."""
    for part in multipart.parts:
        if part.content.media_type == b"application/ms-tnef":
            report.remarks.add(flags.TNEF)
            report.reason = flags.TNEF
        elif part.content.file_name.endswith(b".eml"):
            inner = read_inner(part, report.envelope.level, report.remarks)
            report.inners += [inner.as_role(Role.CANDIDATE)] if inner else []
