"""Reports inside originals: double journaling, bounces of reports, forgeries.

Rule: a queue, no recursion; a bounded number of wrappers to a bounded depth.
Whatever a report inside says is only claimed: anybody can mail something that
looks like a report to a user, and the server will journal it.
"""

from __future__ import annotations

from collections import deque

from collector.domain.journal import Role
from collector.formats import flags
from collector.formats.bounce import read_bounce
from collector.formats.exchange import marked_as, read_report
from collector.formats.limits import DEPTH_MAX
from collector.formats.originals import Inner
from collector.formats.transfer import IDENTITY
from collector.formats.wrapper import Wrapped

_CUT = frozenset({flags.HEADER_TRUNCATED, flags.PARTS_TRUNCATED, flags.RECIPIENTS_TRUNCATED})
"""Remarks about a report inside that concern the whole message; what else is odd about
it is only claimed, and raises no alarm."""


def open_nested(outer: Wrapped, *, alternate: bool = False) -> None:
    """Open the reports inside ``outer`` and put what they hold to it.

    Args:
        outer: a wrapper whose own parts have been read.
        alternate: what a bounce returns is as good as the bounce (the mailbox is
            an alternate journaling mailbox), not merely claimed by it.
    """
    waiting = deque((each, 1) for each in outer.inners if each.original.role is not Role.CANDIDATE)
    while waiting:
        inner, depth = waiting.popleft()
        returned = inner.original.role is Role.REPORT
        level = inner.original.level + (0 if returned and alternate else 1)
        nested = _open(inner, level, depth, outer.remarks)
        if nested is None:
            continue
        outer.remarks |= nested.remarks if returned else nested.remarks & _CUT
        outer.inners += nested.inners
        if returned:
            outer.reason = outer.reason or nested.reason
        if nested.envelope.raw_lines or nested.envelope.recipients:
            outer.nested.append(nested.envelope)
        waiting.extend((each, depth + 1) for each in nested.inners)


def _open(inner: Inner, level: int, depth: int, remarks: set[str]) -> Wrapped | None:
    """Return what the message holds when it is a wrapper itself."""
    part, kind = inner.part, marked_as(inner.header)
    if inner.original.transfer_encoding != IDENTITY:
        if kind:
            remarks.add(flags.NESTED_UNREAD)
        return None
    if kind is None:
        bounce = read_bounce(part.view, inner.header, part.end, level)
        if bounce is None:
            return None
    allowance = part.view.allowance
    if depth >= DEPTH_MAX or allowance.wrappers == 0:
        remarks.add(flags.DEPTH_LIMIT)
        return None
    allowance.wrappers -= 1
    if inner.original.role is not Role.REPORT:
        remarks.add(flags.NESTED_REPORT)
    if kind is None:
        return bounce
    return read_report(part.view, inner.header, part.end, kind, level)
