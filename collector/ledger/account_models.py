"""The tables of the account: what listings showed, and what the program ran with.

Rule: as ``models``, of which these go on; ``canary_models`` ends the list.
"""

# ruff: noqa: D106 - Meta is peewee's form

from __future__ import annotations

from peewee import BigIntegerField, CompositeKey, ForeignKeyField, Model, TextField

from collector.ledger import models
from collector.ledger.models import Folder


class DayCount(Model):
    """What the listings of a folder said on one day (UTC); see ``accounting``."""

    folder = ForeignKeyField(Folder, column_name="folder_id", index=False)
    day = TextField()
    seen_count = BigIntegerField()
    gone_count = BigIntegerField()
    void_count = BigIntegerField()

    class Meta:
        table_name = "day_counts"
        primary_key = CompositeKey("folder", "day")


class FlaggedMessage(Model):
    """A message still listed on which somebody else set flags; told of once."""

    folder = ForeignKeyField(Folder, column_name="folder_id", index=False)
    uidvalidity = BigIntegerField()
    uid = BigIntegerField()

    class Meta:
        table_name = "flagged_messages"
        primary_key = CompositeKey("folder", "uidvalidity", "uid")


class Setting(Model):
    """One setting as it was last in effect: as it may be shown, and what tells a change."""

    key = TextField(primary_key=True)
    shown = TextField()
    mark = TextField()

    class Meta:
        table_name = "settings"


TABLES: tuple[type[Model], ...] = (*models.TABLES, DayCount, FlaggedMessage, Setting)
