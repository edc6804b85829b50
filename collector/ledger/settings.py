"""The settings that were last in effect, so that a change is noticed over restarts.

Rule: functions on an open database.  What may not be shown is not stored either, only a
mark that tells one value from another.
"""

from __future__ import annotations

from collections.abc import Sequence

from collector.ledger.account_models import Setting
from collector.ledger.database import LedgerDatabase
from collector.ledger.encoding import decode_text, encode_text
from collector.ledger.query import SettingChange


def note_settings(
    database: LedgerDatabase, values: Sequence[tuple[str, str, str]]
) -> list[SettingChange]:
    """Remember (key, shown, mark) of every setting; return what changed, by key.

    Nothing has changed when nothing was known.
    """
    known = {
        decode_text(row["key"]): (decode_text(row["shown"]), row["mark"])
        for row in database.rows(Setting.select())
    }
    present = {key: (shown, mark) for key, shown, mark in values}
    if present == known:
        return []
    changes = [
        SettingChange(key, *(each[key][0] if key in each else None for each in (known, present)))
        for key in sorted({*known, *present})
        if known.get(key, ("", None))[1] != present.get(key, ("", None))[1]
    ]
    database.each("DELETE FROM settings", [()])
    rows = ((encode_text(key), encode_text(shown), mark) for key, shown, mark in values)
    database.each("INSERT INTO settings (key, shown, mark) VALUES (?, ?, ?)", rows)
    return changes if known else []
