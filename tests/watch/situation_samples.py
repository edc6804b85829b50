"""A situation in which nothing is wrong, to be changed by the tests of the rules."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from collector.domain.custody import Summary
from collector.domain.evidence import Event
from collector.domain.mailbox import MailboxId
from collector.ledger.query import MailboxStatus
from collector.ledger.watched import Reading, TrafficHour, TrafficTotal
from collector.watch.limits import Limits
from collector.watch.office_hours import OfficeHours
from collector.watch.situation import ArchiveFigures, Figures, FolderFigures, Situation, Source

NOW = datetime(2026, 11, 25, 12, 30, tzinfo=UTC)  # a Wednesday
HOUR = timedelta(hours=1)
INBOX = MailboxId("journal", "INBOX")
DOUBTS = ("quarantined_count", "unverified_count", "conflicting_count")

STATUS = MailboxStatus(
    mailbox=INBOX,
    waiting_count=0,
    oldest_waiting_at=None,
    polled_at=NOW - timedelta(seconds=20),
    last_cycle_at=NOW - timedelta(seconds=20),
    last_summary=Summary(),
    last_error="",
    last_proof_at=NOW - timedelta(minutes=5),
    entries_count=100,
    quarantined_count=0,
    set_aside_count=0,
    state_counts=(("expunged", 100),),
)
FOLDER = FolderFigures(
    status=STATUS,
    served=True,
    empties=True,
    poll_interval_s=30.0,
    total=TrafficTotal(INBOX, NOW - timedelta(days=60), NOW - timedelta(minutes=5), 10**6, 10**5),
)
ARCHIVE = ArchiveFigures(
    path="/archive",
    entries_count=100,
    segments_count=1,
    sealed_count=0,
    stored_bytes=10**6,
    sealed_raw_bytes=0,
    sealed_stored_bytes=0,
    ledger_bytes=10**5,
    free_bytes=10**12,
    leaves_count=120,
    checkpoint_at=NOW - timedelta(minutes=5),
    checkpoint_leaves=120,
    stamps=(("tsa.example", NOW - timedelta(minutes=30)),),
)
VERIFIED = Event(7, NOW - timedelta(days=3), "archive.verified", "", {"broken": 0, "whole": True})
FINE = Situation(
    figures=Figures(NOW, ARCHIVE, (FOLDER,)),
    limits=Limits(),
    sources=(Source("journal", OfficeHours(zone=UTC), silence_s=8 * 3600.0),),
    verified=VERIFIED,
    since=NOW - timedelta(days=60),
)


def with_folder(status: dict[str, object] | None = None, **changes: object) -> Situation:
    """Return the situation with another folder."""
    folder = replace(FOLDER, status=replace(STATUS, **(status or {})), **changes)
    return replace(FINE, figures=Figures(NOW, ARCHIVE, (folder,)))


def with_archive(**changes: object) -> Situation:
    """Return the situation with another archive."""
    return replace(FINE, figures=Figures(NOW, replace(ARCHIVE, **changes), (FOLDER,)))


def with_reading(name: str, subject: str = str(INBOX), **facts: object) -> Situation:
    """Return the situation with something that was seen now."""
    return replace(FINE, readings=(Reading(subject, name, NOW, facts),))


def failure(kind: str, since: timedelta, pause_s: float = 60.0) -> Situation:
    """Return the situation of a folder whose cycles fail."""
    facts = {"kind": kind, "since": (NOW - since).isoformat(), "pause_s": pause_s}
    return with_reading("failure", **facts, count=3, text="no answer")


def hour(ago: timedelta, arrived: int, **changes: int) -> TrafficHour:
    """Return the traffic of an hour."""
    doubts = {name: changes.get(name, 0) for name in DOUBTS}
    at = (NOW - ago).replace(minute=0)
    return TrafficHour(INBOX, at, arrived, arrived, **doubts, raw_bytes=0, stored_bytes=0)
