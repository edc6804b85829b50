"""Wrappers that are believed only in a mailbox configured for them.

Rule: nothing in these shapes tells them from what any user can send: a bounce,
a mail with an attached mail.  The configuration of the mailbox decides.

    google  an Exchange-like report without Microsoft's marker; that Google sends
            this shape is not confirmed by any public sample
    zimbra  a legal intercept: text, then the message, re-serialised by the server
    sun     a capture of Sun/Oracle Messaging Server: a delivery status
            notification around the message
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

from collector.domain.journal import Envelope, JournalFormat, Kind, Recipient, RecipientKind
from collector.formats import flags
from collector.formats.content import content_of
from collector.formats.copies import header_envelope
from collector.formats.envelope import as_lines
from collector.formats.exchange import read_report
from collector.formats.header import Header
from collector.formats.limits import RECIPIENTS_MAX
from collector.formats.text import decode
from collector.formats.view import View
from collector.formats.wrapper import Wrapped, open_parts, take_inners, text_of, text_parts

_INTERCEPT = re.compile(rb"auto-replied\s*\(\s*zimbra\s*;\s*intercept\s*\)", re.IGNORECASE)
_FINAL_RECIPIENT = re.compile(
    rb"^final-recipient[ \t]*+:[^;\n]*+;[ \t]*+([^\r\n]++)", re.IGNORECASE | re.MULTILINE
)
_NOT_DELIVERED = re.compile(
    rb"^action[ \t]*+:[ \t]*+(?:failed|delayed)", re.IGNORECASE | re.MULTILINE
)


def read_capture(view: View, header: Header, journal_format: JournalFormat) -> Wrapped | None:
    """Open the wrapper the mailbox is configured for; ``None`` when it is another message."""
    if journal_format is JournalFormat.GOOGLE:
        return _google(view, header)
    if journal_format is JournalFormat.ZIMBRA:
        return _zimbra(view, header)
    if journal_format is JournalFormat.SUN:
        return _sun(view, header)
    return None


def _google(view: View, header: Header) -> Wrapped | None:
    if content_of(header).media_type != b"multipart/mixed":
        return None
    report = read_report(view, header, view.size_bytes, Kind.GOOGLE, 0)
    envelope = report.envelope
    says_enough = envelope.sender and envelope.message_id and envelope.recipients
    if report.reason or not says_enough or flags.UNKNOWN_LINE in report.remarks:
        return None
    return report


def _zimbra(view: View, header: Header) -> Wrapped | None:
    if not _INTERCEPT.search(header.first(b"auto-submitted")):
        return None
    capture = _open(view, header, Kind.ZIMBRA)
    capture.remarks.add(flags.RESERIALISED)
    for inner in capture.inners[:1]:
        if inner.header.body >= inner.part.end:  # zimbraInterceptSendHeadersOnly
            capture.remarks |= {flags.HEADERS_ONLY, flags.ORIGINAL_MISSING}
            capture.reason = flags.ORIGINAL_MISSING
    return capture


def _sun(view: View, header: Header) -> Wrapped | None:
    if content_of(header).media_type != b"multipart/report":
        return None
    capture = _open(view, header, Kind.SUN)
    statuses = (
        text_of(part, capture.remarks)
        for part in capture.parts
        if part.content.media_type == b"message/delivery-status"
    )
    status = next(statuses, b"")
    if capture.reason or _NOT_DELIVERED.search(status):
        return None
    recorded = tuple(islice(_recorded(status), RECIPIENTS_MAX))
    if not recorded:
        capture.remarks.add(flags.ENVELOPE_UNKNOWN)
    recipients = recorded + capture.envelope.recipients
    capture.envelope = replace(capture.envelope, recipients=recipients)
    return capture


def _recorded(status: bytes) -> Iterator[Recipient]:
    """Yield the recipients a delivery status names (RFC 3464, section 2.3.2)."""
    for found in _FINAL_RECIPIENT.finditer(status):
        address = decode(found[1].rstrip(), "utf-8")[0]
        yield Recipient(address, RecipientKind.RECIPIENT, source="delivery-status")


def _open(view: View, header: Header, kind: Kind) -> Wrapped:
    """Read parts and originals; sender and recipients are what the author wrote."""
    capture = Wrapped(kind, Envelope())
    multipart = open_parts(view, header, view.size_bytes, capture)
    if multipart is None:
        return capture
    take_inners(multipart, capture)
    text = next(text_parts(multipart.parts), None)
    if capture.inners:
        body = as_lines(text_of(text, capture.remarks), capture.remarks) if text else b""
        lines = tuple(body.decode("latin-1").split("\n"))
        capture.envelope = replace(header_envelope(capture.inners[0].header), raw_lines=lines)
        capture.remarks.add(flags.SENDER_DERIVED)
    return capture
