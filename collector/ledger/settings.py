"""The settings that were last in effect, so that a change is noticed over restarts.

Rule: functions on an open database.  What may not be shown is not stored either, only a
mark that tells one value from another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime

from collector.ledger import log
from collector.ledger.account_models import Setting
from collector.ledger.database import LedgerDatabase
from collector.ledger.encoding import decode_text, encode_text
from collector.ledger.query import SettingChange

DIGEST = "digest"
"""The key whose value stands for all of them."""


def note_settings(
    database: LedgerDatabase,
    values: Sequence[tuple[str, str, str]],
    at: datetime,
    keys: Mapping[str, object],
) -> list[SettingChange]:
    """Remember (key, shown, mark) of every setting; return what changed, and record it.

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
    if not known or not changes:
        return []
    facts: dict[str, object] = {
        **keys,
        "digest_before": known.get(DIGEST, ("",))[0],
        "digest": present.get(DIGEST, ("",))[0],
        "changes": [asdict(each) for each in changes if each.key != DIGEST],
    }
    log.record_event(database, "config.changed", at, "", facts)
    return changes
