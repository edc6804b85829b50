"""The tables of what is watched: traffic by the hour, what was last seen, what was told.

Rule: as in ``models``.  Nothing in here is evidence: it has no leaf, and all but the
traffic is lost with the ledger and comes anew.
"""

# ruff: noqa: D106 - Meta is peewee's form

from __future__ import annotations

from peewee import (
    BigIntegerField,
    BooleanField,
    CompositeKey,
    ForeignKeyField,
    Model,
    TextField,
)

from collector.ledger.models import Folder


class Traffic(Model):
    """What one folder's messages of one hour (UTC) came to; kept by every commit.

    ``arrived_count`` and ``last_arrival_at`` belong to the hour of arrival, all else to the
    hour of the commit.
    """

    folder = ForeignKeyField(Folder, column_name="folder_id", index=False)
    hour = TextField()
    arrived_count = BigIntegerField()
    last_arrival_at = TextField(null=True)
    collected_count = BigIntegerField()
    quarantined_count = BigIntegerField()
    unverified_count = BigIntegerField()
    conflicting_count = BigIntegerField()
    raw_bytes = BigIntegerField()
    stored_bytes = BigIntegerField()

    class Meta:
        table_name = "traffic"
        primary_key = CompositeKey("folder", "hour")


class Reading(Model):
    """What was last seen of something; ``facts`` is JSON."""

    subject = TextField()
    name = TextField()
    at = TextField()
    facts = TextField()

    class Meta:
        table_name = "readings"
        primary_key = CompositeKey("subject", "name")


class Alarm(Model):
    """One alarm that lasts, or whose end was not told yet."""

    kind = TextField()
    subject = TextField()
    severity = TextField()
    problem = TextField()
    hint = TextField()
    began_at = TextField()
    told_at = TextField()
    gone_at = TextField(null=True)

    class Meta:
        table_name = "alarms"
        primary_key = CompositeKey("kind", "subject")


class Notice(Model):
    """Something one receiver is still to be told."""

    receiver = TextField()
    topic = TextField()
    word = TextField()
    severity = TextField()
    text = TextField()
    made_at = TextField()
    try_at = TextField()
    attempts = BigIntegerField()

    class Meta:
        table_name = "notices"
        primary_key = CompositeKey("receiver", "topic")


class Heard(Model):
    """What one receiver was last told of an alarm that he was not yet told the end of."""

    receiver = TextField()
    topic = TextField()
    severity = TextField()
    at = TextField()
    certain = BooleanField()

    class Meta:
        table_name = "heard"
        primary_key = CompositeKey("receiver", "topic")


MEMORY_TABLES: tuple[type[Model], ...] = (Traffic, Reading, Alarm, Notice, Heard)
