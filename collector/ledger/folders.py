"""Folders: their rows, and how many entries of each are in which state.

Rule: functions on an open database; a folder that was once seen stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from collector.domain.custody import State
from collector.domain.mailbox import MailboxId
from collector.ledger.database import VALUE, LedgerDatabase, Row, written
from collector.ledger.encoding import encode_instant, encode_text
from collector.ledger.models import Folder, StateCount

_FIND = written(Folder.select().where(Folder.mailbox == VALUE, Folder.folder == VALUE))
_COUNT = written(
    StateCount.update({StateCount.entries_count: StateCount.entries_count + VALUE}).where(
        StateCount.folder == VALUE, StateCount.state == VALUE
    )
)


def is_mailbox(mailbox: MailboxId) -> Any:  # noqa: ANN401 - peewee's expressions
    """Return the condition on ``folders`` for one mailbox."""
    return (Folder.mailbox == encode_text(mailbox.name)) & (
        Folder.folder == encode_text(mailbox.folder)
    )


def folder_row(database: LedgerDatabase, mailbox: MailboxId) -> Row | None:
    """Return the row of a mailbox, ``None`` when it was never seen."""
    names = [encode_text(mailbox.name), encode_text(mailbox.folder)]
    return next(iter(database.named(_FIND, names)), None)


def find_folder(database: LedgerDatabase, mailbox: MailboxId) -> int | None:
    """Return the row number of a mailbox, ``None`` when it was never seen."""
    row = folder_row(database, mailbox)
    return None if row is None else int(row["id"])


def ensure_folder(database: LedgerDatabase, mailbox: MailboxId) -> int:
    """Return the row number of a mailbox, made when there is none; inside a transaction."""
    found = find_folder(database, mailbox)
    if found is not None:
        return found
    names = {"mailbox": encode_text(mailbox.name), "folder": encode_text(mailbox.folder)}
    database.insert(Folder, [{**names, "waiting_count": 0, "last_error": "", "pending": ""}])
    made = find_folder(database, mailbox)
    assert made is not None, "it was just inserted"  # noqa: S101
    counts = ({"folder_id": made, "state": state.value, "entries_count": 0} for state in State)
    database.insert(StateCount, counts)
    return made


def count_states(database: LedgerDatabase, moved: Mapping[tuple[int, str], int]) -> None:
    """Add to the counts of (folder, state)."""
    changes = ((count, folder, state) for (folder, state), count in moved.items() if count)
    database.each(_COUNT, changes)


def note_proofs(database: LedgerDatabase, latest: Mapping[int, datetime]) -> None:
    """Keep the latest proof of every folder, for status."""
    for folder, at in latest.items():
        text = encode_instant(at)
        older = Folder.last_proof_at.is_null() | (Folder.last_proof_at < text)
        query = Folder.update({Folder.last_proof_at: text}).where(Folder.id == folder, older)
        query.execute(database)
