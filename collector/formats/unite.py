"""Who got a message, over all reports of it.

Rule: reports are united for reading only; each of them stays as it is.  Two
reports are of one message when the bytes inside are the same; a Message-ID is a
link, never a key (the same one occurs on different bytes).

Servers send several reports of a message: one per journal rule, per group of
recipients, per server of a hybrid organisation; Google one copy per recipient.
"""

from __future__ import annotations

from collections.abc import Iterable

from collector.domain.journal import Recipient, RecipientKind, Unwrapped


def unite(reports: Iterable[Unwrapped]) -> tuple[Recipient, ...]:
    """Return the recipients of several reports of one message, each statement once.

    A statement is an address, its kind and its way.  Weaker ones give way to
    stronger ones about the same address and way: what an author wrote to what a
    server recorded, ``Recipient`` to To, Cc or Bcc, claimed to not claimed.
    """
    stated: dict[tuple[str, tuple[tuple[str, str], ...]], list[Recipient]] = {}
    for report in reports:
        for envelope in (report.envelope, *report.nested):
            for each in envelope.recipients:
                way = tuple((step.how, step.address.lower()) for step in each.via)
                stated.setdefault((each.address.lower(), way), []).append(each)
    known = {address for (address, _), each in stated.items() if _recorded(each)}
    return tuple(
        recipient
        for (address, _), statements in stated.items()
        if _recorded(statements) or address not in known
        for recipient in _strongest(statements)
    )


def _recorded(statements: Iterable[Recipient]) -> bool:
    return any(not each.derived for each in statements)


def _weakness(recipient: Recipient) -> tuple[bool, bool, bool]:
    vague = recipient.kind is RecipientKind.RECIPIENT
    return recipient.claimed, recipient.derived, vague


def _strongest(statements: list[Recipient]) -> list[Recipient]:
    """Return the strongest statements; more than one when they differ in kind."""
    least = min(map(_weakness, statements))
    by_kind: dict[RecipientKind, Recipient] = {}
    for each in statements:
        if _weakness(each) == least:
            kept = by_kind.setdefault(each.kind, each)
            if kept.undisclosed and not each.undisclosed:
                by_kind[each.kind] = each
    return list(by_kind.values())
