"""What a raw message is: journal report, plain copy, or neither.

Rule: never raises because of what a message contains, and never keeps one from
being archived.  Whatever is not understood is said so in the result.
"""

from __future__ import annotations

from collector.domain.blob import WINDOW_BYTES, RawMessage
from collector.domain.errors import CollectorError
from collector.domain.journal import UNCONFIGURED, JournalFormat, JournalProfile, Kind, Unwrapped
from collector.formats import flags
from collector.formats.bounce import read_bounce
from collector.formats.captures import read_capture
from collector.formats.copies import header_envelope, read_copy
from collector.formats.exchange import marked_as, read_report
from collector.formats.header import Header, read_header
from collector.formats.nesting import open_nested
from collector.formats.originals import original_windows
from collector.formats.trust import judge
from collector.formats.view import View
from collector.formats.wrapper import Wrapped

__all__ = ["original_windows", "read", "unwrap"]


def unwrap(raw: RawMessage, profile: JournalProfile = UNCONFIGURED) -> Unwrapped:
    """Read a raw message as far as it is a journal report or a copy.

    Args:
        raw: the message as fetched.
        profile: what its mailbox is configured to hold, and what is believed there.

    Raises:
        CollectorError: the bytes cannot be read.
    """
    try:
        return read(raw, profile)
    except CollectorError:
        raise
    except Exception:  # noqa: BLE001 - a mistake in here must not keep mail from being archived
        failed = flags.PARSER_FAILED
        return Unwrapped(Kind.UNRECOGNISED, flags=(failed,), reason=failed)


def read(
    raw: RawMessage, profile: JournalProfile = UNCONFIGURED, *, window_bytes: int = WINDOW_BYTES
) -> Unwrapped:
    """Do what ``unwrap`` does, without its net.

    Args:
        raw: the message as fetched.
        profile: as there.
        window_bytes: bytes looked at once; the result does not depend on it.
    """
    view = View(raw, window_bytes)
    header = read_header(view, 0, view.size_bytes)
    if not header.readable:
        return Unwrapped(Kind.UNRECOGNISED, reason="no-header")
    remarks = {flags.HEADER_TRUNCATED} if header.truncated else set()
    wrapped = _open(view, header, profile)
    if wrapped is None:
        return _copy(header, profile, remarks)
    wrapped.remarks |= remarks
    open_nested(wrapped, alternate=profile.alternate)
    return _result(header, profile, wrapped)


def _open(view: View, header: Header, profile: JournalProfile) -> Wrapped | None:
    """Open what is a wrapper; ``None`` when the message is its own original."""
    if profile.format is JournalFormat.COPY:
        return None
    kind = marked_as(header)
    if kind is not None:
        return read_report(view, header, view.size_bytes, kind, 0)
    return read_capture(view, header, profile.format) or read_bounce(
        view, header, view.size_bytes, 0, alternate=profile.alternate
    )


def _copy(header: Header, profile: JournalProfile, remarks: set[str]) -> Unwrapped:
    foreign = profile.format is JournalFormat.EXCHANGE
    envelope = read_copy(header, profile, remarks)
    trust, reasons = judge(header, profile, Kind.COPY, envelope, None)
    return Unwrapped(
        Kind.UNRECOGNISED if foreign else Kind.COPY,
        envelope,
        trust=trust,
        trust_reasons=reasons,
        flags=tuple(sorted(remarks)),
        reason="no-report" if foreign else "",
    )


def _result(header: Header, profile: JournalProfile, wrapped: Wrapped) -> Unwrapped:
    envelope, nested = wrapped.envelope, wrapped.nested
    if wrapped.kind is Kind.BOUNCE and nested:
        envelope, *nested = nested
    inner = wrapped.inners[0].header if wrapped.inners else None
    if not envelope.raw_lines and not envelope.recipients:
        wrapped.remarks.add(flags.ENVELOPE_MISSING)
        envelope, inner = header_envelope(header), None  # nothing is told that could disagree
    trust, reasons = judge(header, profile, wrapped.kind, envelope, inner)
    return Unwrapped(
        Kind.UNRECOGNISED if wrapped.reason else wrapped.kind,
        envelope,
        tuple(each.original for each in wrapped.inners),
        trust,
        reasons,
        tuple(sorted(wrapped.remarks)),
        wrapped.reason,
        tuple(nested),
    )
