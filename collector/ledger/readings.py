"""What was last seen of something: kept until it is seen again.

Rule: functions on an open database; who calls them decides about the transaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from collector.ledger.database import VALUE, LedgerDatabase, Row, written
from collector.ledger.encoding import (
    decode_instant,
    decode_json,
    decode_text,
    encode_instant,
    encode_json,
    encode_text,
)
from collector.ledger.memory_models import Reading as ReadingTable
from collector.ledger.watched import Failure, Reading

FAILURE = "failure"
"""The reading of a folder whose last cycle failed."""

_PUT = """
INSERT INTO readings (subject, name, at, facts) VALUES (?, ?, ?, ?)
ON CONFLICT (subject, name) DO UPDATE SET at = excluded.at, facts = excluded.facts
"""
_ALL = written(ReadingTable.select().order_by(ReadingTable.subject, ReadingTable.name))
_THIS = (ReadingTable.subject == VALUE, ReadingTable.name == VALUE)
_FIND = written(ReadingTable.select().where(*_THIS))
_REMOVE = written(ReadingTable.delete().where(*_THIS))


def put_reading(
    database: LedgerDatabase, subject: str, name: str, at: datetime, facts: Mapping[str, object]
) -> None:
    """Keep what was seen; it takes the place of what was seen before."""
    row = (encode_text(subject), encode_text(name), encode_instant(at), encode_json(dict(facts)))
    database.each(_PUT, [row])


def remove_reading(database: LedgerDatabase, subject: str, name: str) -> None:
    """Forget what was seen."""
    database.each(_REMOVE, [(encode_text(subject), encode_text(name))])


def readings(database: LedgerDatabase) -> list[Reading]:
    """Return everything that was seen, by subject and name."""
    return [_decode(row) for row in database.named(_ALL, [])]


def find_reading(database: LedgerDatabase, subject: str, name: str) -> Reading | None:
    """Return what was last seen, ``None`` when nothing was."""
    found = database.named(_FIND, [encode_text(subject), encode_text(name)])
    return _decode(found[0]) if found else None


def note_failure(
    database: LedgerDatabase, subject: str, at: datetime, failure: Failure | None
) -> None:
    """Keep how the last cycle of a folder failed and since when; ``None``: it did not."""
    before = find_reading(database, subject, FAILURE)
    if failure is None:
        if before is not None:
            remove_reading(database, subject, FAILURE)
        return
    same = before is not None and before.facts["kind"] == failure.kind.value
    since = {
        "since": before.facts["since"] if before else encode_instant(at),
        "kind_since": before.facts["kind_since"] if before and same else encode_instant(at),
    }
    facts = {
        **since,
        "kind": failure.kind.value,
        "text": failure.text,
        "pause_s": round(failure.pause_s, 1),
        "oldest_waiting_s": failure.oldest_waiting_s,
        "count": before.facts["count"] + 1 if before else 1,
    }
    put_reading(database, subject, FAILURE, at, facts)


def _decode(row: Row) -> Reading:
    return Reading(
        subject=decode_text(row["subject"]),
        name=decode_text(row["name"]),
        at=decode_instant(row["at"]),
        facts=decode_json(row["facts"]),
    )
