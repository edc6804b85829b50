"""The first tables of the ledger.

The models stand here as they were when this migration was written, so that it
makes the same tables for ever; the program's own are in collector/ledger/models.py.
"""

# ruff: noqa: D106 - Meta is peewee's form

from peewee import (
    BigAutoField,
    BigIntegerField,
    BlobField,
    BooleanField,
    CompositeKey,
    ForeignKeyField,
    Model,
    TextField,
)


class Folder(Model):
    """One folder of one configured mailbox, and what its last poll and cycle said."""

    id = BigAutoField()
    mailbox = TextField()
    folder = TextField()
    uidvalidity = BigIntegerField(null=True)
    uidnext = BigIntegerField(null=True)
    accounted_to = BigIntegerField(null=True)
    modseq = BigIntegerField(null=True)
    pending = TextField()
    waiting_count = BigIntegerField()
    polled_at = TextField(null=True)
    last_cycle_at = TextField(null=True)
    last_summary = TextField(null=True)
    last_error = TextField()
    last_proof_at = TextField(null=True)

    class Meta:
        table_name = "folders"
        indexes = ((("mailbox", "folder"), True),)


class Entry(Model):
    """One archived message: where its bytes lie, and where it stands."""

    seq = BigIntegerField(primary_key=True)
    folder = ForeignKeyField(Folder, column_name="folder_id", index=False)
    uidvalidity = BigIntegerField()
    uid = BigIntegerField()
    state = TextField()
    blob_digest = TextField(index=True)
    blob_bytes = BigIntegerField()
    segment = TextField()
    frame_offset = BigIntegerField()
    frame_bytes = BigIntegerField()
    blob_offset = BigIntegerField()
    stored_bytes = BigIntegerField()
    cleared_at = TextField(null=True)
    clear_attempts = BigIntegerField()
    settled_at = TextField(null=True)
    absent_count = BigIntegerField()

    class Meta:
        table_name = "entries"


# All that a poll compares; the column of the condition is among it, because SQLite reads
# the table for one that is not.
Entry.add_index(
    Entry.folder,
    Entry.uidvalidity,
    Entry.uid,
    Entry.absent_count,
    Entry.settled_at,
    where=Entry.settled_at.is_null(),
    name="entries_open",
)


class StateCount(Model):
    """How many entries of a folder are in a state; kept by every change of state."""

    folder = ForeignKeyField(Folder, column_name="folder_id", index=False)
    state = TextField()
    entries_count = BigIntegerField()

    class Meta:
        table_name = "state_counts"
        primary_key = CompositeKey("folder", "state")


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


class Receipt(Model):
    """What is known of an arrival; never changed."""

    seq = ForeignKeyField(Entry, column_name="seq", primary_key=True, object_id_name="entry_seq")
    digest = TextField()
    size_bytes = BigIntegerField()
    folder = ForeignKeyField(Folder, column_name="folder_id", index=False)
    uidvalidity = BigIntegerField()
    uid = BigIntegerField()
    internal_date = TextField(null=True)
    fetched_at = TextField()
    committed_at = TextField()
    kind = TextField()
    quarantined = BooleanField()
    duplicate_of = ForeignKeyField(
        Entry, column_name="duplicate_of", null=True, index=False, object_id_name="duplicate_seq"
    )
    fetch_flags = TextField()

    class Meta:
        table_name = "receipts"
        indexes = ((("quarantined", "folder"), False),)


class Envelope(Model):
    """What a message turned out to be; one row per entry, its lists in the tables below.

    ``recipients_count`` and ``raw_chars`` (of raw lines) count nested envelopes too.
    ``message_digest`` names the message: its original's bytes, or its own for a copy.
    """

    seq = ForeignKeyField(Entry, column_name="seq", primary_key=True, object_id_name="entry_seq")
    kind = TextField()
    sender = TextField()
    on_behalf_of = TextField()
    subject = TextField()
    message_id = TextField(index=True)
    raw_lines = TextField()
    level = BigIntegerField()
    trust = TextField()
    trust_reasons = TextField()
    reason = TextField()
    recipients_count = BigIntegerField()
    raw_chars = BigIntegerField()
    message_digest = TextField(index=True)

    class Meta:
        table_name = "envelopes"


class NestedEnvelope(Model):
    """The envelope of a report inside the report; positions count from 1."""

    seq = ForeignKeyField(Entry, column_name="seq", index=False, object_id_name="entry_seq")
    position = BigIntegerField()
    sender = TextField()
    on_behalf_of = TextField()
    subject = TextField()
    message_id = TextField()
    raw_lines = TextField()
    level = BigIntegerField()

    class Meta:
        table_name = "nested_envelopes"
        primary_key = CompositeKey("seq", "position")


class Recipient(Model):
    """One recipient of one report; the same person may stand there more than once.

    ``envelope`` is 0 for the outermost report, else the position of the nested one.
    """

    seq = ForeignKeyField(Entry, column_name="seq", index=False, object_id_name="entry_seq")
    position = BigIntegerField()
    envelope = BigIntegerField()
    address = TextField()
    kind = TextField()
    via = TextField()
    source = TextField()
    derived = BooleanField()
    level = BigIntegerField()
    undisclosed = BooleanField()

    class Meta:
        table_name = "recipients"
        primary_key = CompositeKey("seq", "position")


class Original(Model):
    """One message inside a report: a slice of the stored bytes."""

    seq = ForeignKeyField(Entry, column_name="seq", index=False, object_id_name="entry_seq")
    position = BigIntegerField()
    offset = BigIntegerField()
    length = BigIntegerField()
    digest = TextField()
    role = TextField()
    transfer_encoding = TextField()
    level = BigIntegerField()

    class Meta:
        table_name = "originals"
        primary_key = CompositeKey("seq", "position")


class Flag(Model):
    """One remark about a message."""

    seq = ForeignKeyField(Entry, column_name="seq", index=False, object_id_name="entry_seq")
    position = BigIntegerField()
    flag = TextField()

    class Meta:
        table_name = "flags"
        primary_key = CompositeKey("seq", "position")


class Proof(Model):
    """One proof that a stored copy was read back and agreed."""

    id = BigAutoField()
    seq = ForeignKeyField(Entry, column_name="seq", object_id_name="entry_seq")
    digest = TextField()
    size_bytes = BigIntegerField()
    proven_at = TextField()

    class Meta:
        table_name = "proofs"


class Deletion(Model):
    """One time we were about to ask the mailbox to delete a message."""

    id = BigAutoField()
    seq = ForeignKeyField(Entry, column_name="seq", index=False, object_id_name="entry_seq")
    cleared_at = TextField()
    attempt = BigIntegerField()

    class Meta:
        table_name = "deletions"


class SetAside(Model):
    """A message the server did not hand over; closed when it was no longer listed."""

    folder = ForeignKeyField(Folder, column_name="folder_id", index=False)
    uidvalidity = BigIntegerField()
    uid = BigIntegerField()
    attempts = BigIntegerField()
    what = TextField()
    first_at = TextField()
    next_try_at = TextField()
    closed_at = TextField(null=True)

    class Meta:
        table_name = "set_aside"
        primary_key = CompositeKey("folder", "uidvalidity", "uid")


class Throttle(Model):
    """Until when a mailbox's server wants to be left alone, and what it limits."""

    mailbox = TextField(primary_key=True)
    throttle = TextField()
    until_at = TextField()

    class Meta:
        table_name = "throttles"


class Download(Model):
    """How many bytes of messages one mailbox handed over in one hour."""

    mailbox = TextField()
    hour_at = TextField()
    size_bytes = BigIntegerField()

    class Meta:
        table_name = "downloads"
        primary_key = CompositeKey("mailbox", "hour_at")


class Event(Model):
    """Something a person may ask about later."""

    id = BigAutoField()
    at = TextField(index=True)
    name = TextField()
    mailbox = TextField()
    keys = TextField()

    class Meta:
        table_name = "events"


class Leaf(Model):
    """One leaf of the Merkle tree, at ``position`` from 0: an entry or an event; never changed.

    Bound to no other table: a leaf outlives what it stands for.
    """

    position = BigIntegerField(primary_key=True)
    hash = BlobField()
    entry_seq = BigIntegerField(null=True, unique=True)
    event_number = BigIntegerField(null=True, unique=True)

    class Meta:
        table_name = "leaves"


class Node(Model):
    """One complete subtree of 2**level leaves, ``level`` from 1; never changed."""

    level = BigIntegerField()
    place = BigIntegerField(column_name="index")
    hash = BlobField()

    class Meta:
        table_name = "nodes"
        primary_key = CompositeKey("level", "place")


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


TABLES = (
    Folder,
    Entry,
    StateCount,
    DayCount,
    FlaggedMessage,
    Setting,
    Receipt,
    Envelope,
    NestedEnvelope,
    Recipient,
    Original,
    Flag,
    Proof,
    Deletion,
    SetAside,
    Throttle,
    Download,
    Event,
    Leaf,
    Node,
    Traffic,
    Reading,
    Alarm,
    Notice,
    Heard,
    Canary,
)


def up(migrator, db):
    """Make all tables."""
    with db.bind_ctx(TABLES):
        db.create_tables(TABLES, safe=False)
