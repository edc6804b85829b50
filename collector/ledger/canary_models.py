"""The table of our own test mails.

Rule: as ``models`` and ``account_models``, with which this is every table of the ledger.
"""

# ruff: noqa: D106 - Meta is peewee's form

from __future__ import annotations

from peewee import BigIntegerField, Model, TextField

from collector.ledger import account_models


class Canary(Model):
    """One test mail of ours, and what became of it; ``sent_at`` is written before it leaves."""

    nonce = TextField(primary_key=True)
    path = TextField()
    message_id = TextField()
    sent_at = TextField()
    accepted_at = TextField(null=True)
    error = TextField()
    arrived_at = TextField(null=True)
    seq = BigIntegerField(null=True)
    grade = TextField(null=True)
    closed_at = TextField(null=True, index=True)

    class Meta:
        table_name = "canaries"
        indexes = ((("path", "sent_at"), False),)


TABLES: tuple[type[Model], ...] = (*account_models.TABLES, Canary)
