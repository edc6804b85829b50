"""Vectors: several reports of one message (format reference, section 9, multiplicity)."""

from __future__ import annotations

from report_samples import LINES, ORIGINAL, message_part, report, text_part
from vector import Vector
from vectors_recognition import ENVELOPE, envelope, expect


def _report(name: str, about: str, raw: bytes, *recipients: str, inner: bytes = ORIGINAL) -> Vector:
    lines = [*ENVELOPE["raw_lines"][:3], *(_line(each) for each in recipients)]
    told = envelope(*recipients, raw_lines=lines)
    undisclosed = any("undisclosed" in each for each in recipients)
    flags = ["undisclosed-recipients"] if undisclosed else []
    return Vector(name, about, raw, expect(raw, (inner,), flags=flags, envelope=told))


def _line(recipient: str) -> str:
    kind, address, *via = recipient.split(" | ")
    ways = [
        f", {each.split()[0].title()}: {each.split()[1]}" for each in via if each != "undisclosed"
    ]
    return f"{kind.title()}: {address}{''.join(ways)}"


FIRST = report(text_part(b"To: accounting@example.com", b"Bcc: boss@example.com"), message_part())
SECOND = report(
    text_part(b"To: anna@example.com, Expanded: all@example.com"),
    message_part(),
    boundary=b"second",
)
CHANGED = ORIGINAL.replace(b"Please pay.", b"Please pay. [scanned]")
ONLINE = report(text_part(b"Recipient: accounting@example.com"), message_part())
ON_PREMISES = report(
    text_part(b"Recipient: accounting@example.com", lines=LINES), message_part(), boundary=b"onprem"
)
USUAL = "recipient | accounting@example.com"

VECTORS = [
    _report(
        "several-first",
        "One message, the first set of recipients.",
        FIRST,
        "to | accounting@example.com",
        "bcc | boss@example.com",
    ),
    _report(
        "several-second",
        "The same message, another set of recipients.",
        SECOND,
        "to | anna@example.com | expanded all@example.com",
    ),
    _report(
        "same-id-other-bytes",
        "The same Message-ID, other bytes: another message.",
        report(text_part(b"Recipient: accounting@example.com"), message_part(CHANGED)),
        USUAL,
        inner=CHANGED,
    ),
    _report(
        "redelivered",
        "The same report again, with another Received line.",
        b"Received: from a by b; later\r\n" + FIRST,
        "to | accounting@example.com",
        "bcc | boss@example.com",
    ),
    _report("pair-online", "Journaled online.", ONLINE, USUAL),
    _report("pair-on-premises", "The same message journaled on premises.", ON_PREMISES, USUAL),
]
