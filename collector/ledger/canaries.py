"""What is known of our own test mails.

Rule: nothing else in the ledger depends on these rows, and `collector rebuild` does not
bring them back: they say how the mail system does, not what is archived.
"""

from __future__ import annotations

from typing import Any

from collector.domain.canary import Canary, CanaryGrade
from collector.ledger.canary_models import Canary as CanaryRow
from collector.ledger.database import LedgerDatabase, Row
from collector.ledger.encoding import (
    decode_instant,
    decode_optional,
    decode_text,
    encode_instant,
    encode_optional,
    encode_text,
)


class Canaries:
    """The table of our own test mails."""

    def __init__(self, database: LedgerDatabase) -> None:
        self._database = database

    def note(self, canary: Canary) -> None:
        """Write a canary down as it is now."""
        table, row = CanaryRow, _row(canary)
        with self._database.writing():
            table.delete().where(table.nonce == canary.nonce).execute(self._database)
            self._database.insert(table, [row])

    def latest(self, path: str, limit: int) -> list[Canary]:
        """Return the canaries of a path, newest first."""
        return self._select(CanaryRow.path == encode_text(path), limit)

    def unclosed(self, limit: int) -> list[Canary]:
        """Return those whose grade is not final, newest first."""
        return self._select(CanaryRow.closed_at.is_null(), limit)

    def _select(self, wanted: Any, limit: int) -> list[Canary]:  # noqa: ANN401 - peewee
        newest_first = (CanaryRow.sent_at.desc(), CanaryRow.nonce)
        query = CanaryRow.select().where(wanted).order_by(*newest_first).limit(limit)
        with self._database.reading():
            return [_canary(row) for row in self._database.rows(query)]


def _row(canary: Canary) -> Row:
    return {
        "nonce": canary.nonce,
        "path": encode_text(canary.path),
        "message_id": encode_text(canary.message_id),
        "sent_at": encode_instant(canary.sent_at),
        "accepted_at": encode_optional(canary.accepted_at),
        "error": encode_text(canary.error),
        "arrived_at": encode_optional(canary.arrived_at),
        "seq": canary.seq,
        "grade": canary.grade and canary.grade.value,
        "closed_at": encode_optional(canary.closed_at),
    }


def _canary(row: Row) -> Canary:
    return Canary(
        nonce=row["nonce"],
        path=decode_text(row["path"]),
        message_id=decode_text(row["message_id"]),
        sent_at=decode_instant(row["sent_at"]),
        accepted_at=decode_optional(row["accepted_at"]),
        error=decode_text(row["error"]),
        arrived_at=decode_optional(row["arrived_at"]),
        seq=row["seq"],
        grade=CanaryGrade(row["grade"]) if row["grade"] else None,
        closed_at=decode_optional(row["closed_at"]),
    )
