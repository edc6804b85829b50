"""Asks for size, arrival and flags of messages before they are fetched.

Rule: what the server leaves out stays unknown; nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Sequence

from collector.domain.mailbox import Announced, MessageRef
from collector.source.client import Client, portions, uid_set
from collector.source.lines import (
    Facts,
    begin_facts,
    foreign_flags,
    internal_date_of,
    size_of,
    uid_of,
)


def announce(client: Client, refs: Sequence[MessageRef]) -> list[Announced]:
    """Return what the server says of ``refs``, in their order: one round trip per 1,000.

    Raises:
        ValueError: an answer is not well formed.
        OSError, imaplib.IMAP4.error: the connection is lost, or refused.
    """
    told: dict[int | None, Facts] = {}
    wanted = {ref.uid for ref in refs}
    for uids in portions(list(wanted)):
        for line in client.run(
            b"UID FETCH " + uid_set(uids) + b" (RFC822.SIZE INTERNALDATE FLAGS)"
        ):
            facts: Facts = {}
            if begin_facts(line, facts) and b"RFC822.SIZE" in facts:  # else news about flags
                uid = uid_of(facts)
                if uid in wanted:
                    told[uid] = facts
    return [_announced(ref, told.get(ref.uid, {})) for ref in refs]


def _announced(ref: MessageRef, facts: Facts) -> Announced:
    return Announced(ref, size_of(facts), internal_date_of(facts), foreign_flags(facts))
