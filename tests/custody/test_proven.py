"""Proofs on their way to whoever deletes."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from played_mailbox import MAILBOX

from collector.custody.proven import Proven
from collector.domain.blob import Digest
from collector.domain.custody import Proof
from collector.domain.errors import IntegrityError
from collector.domain.mailbox import MessageRef

PROOFS = [
    Proof(uid, MessageRef(MAILBOX, 1, uid), Digest.of(b"x"), 1, datetime(2026, 11, 2, tzinfo=UTC))
    for uid in (1, 2, 3)
]


def test_each_proof_is_taken_once_and_in_order() -> None:
    """What comes after a taking is for the next one."""
    proven = Proven()
    proven.add(PROOFS[:2])
    with proven.unless_it_fails():
        proven.add(PROOFS[2:])
    assert proven.take() == PROOFS
    assert proven.take() == []
    proven.add(PROOFS[:1])
    assert proven.take() == PROOFS[:1]


def test_after_a_doubt_there_is_nothing_to_delete_any_more() -> None:
    """Neither what was proven before nor what is proven after; the error goes on."""
    proven = Proven()
    proven.add(PROOFS[:1])
    with pytest.raises(IntegrityError), proven.unless_it_fails():
        raise IntegrityError("broken")
    proven.add(PROOFS[1:])
    assert proven.take() == []
