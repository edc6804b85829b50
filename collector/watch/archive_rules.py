"""Alarms about the archive itself: its disk, its proofs, and what expires.

Rule: as ``rule`` says.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, time

from collector.domain.alarm import Alarm, Severity
from collector.watch.growth import growth_of
from collector.watch.limits import DISK_CRITICAL_S, EXPIRY_CRITICAL_S
from collector.watch.rule import RuleSource, amount, lasting
from collector.watch.situation import Situation

KINDS = {
    "disk": "the disk is nearly full, or will be soon at the present rate",
    "damaged": "a verification found that stored bytes or rows are not what was recorded",
    "unverified": "the whole archive was not verified for too long",
    "checkpoint": "the head of the log was not signed for too long",
    "stamp": "a time-stamp authority has not stamped a checkpoint for too long",
    "certificate": "the mail server's certificate expires soon",
    "expiry": "a secret that you named expires soon",
}


def disk(situation: Situation) -> Iterator[Alarm]:
    """Raise that the disk is, or will be, full."""
    archive, limits = situation.figures.archive, situation.limits
    left_s = seconds_left(situation)
    low = archive.free_bytes < limits.free_bytes
    if not low and (left_s is None or left_s >= limits.disk_s):
        return
    soon = left_s is not None and left_s < DISK_CRITICAL_S
    forecast = "" if left_s is None else f"; full in about {lasting(left_s)} at the present rate"
    yield Alarm(
        "disk",
        archive.path,
        Severity.CRITICAL if soon or low else Severity.WARNING,
        f"{amount(archive.free_bytes)} free{forecast}",
        "make room or move the archive; when it is full, mail waits in the mailbox",
    )


def seconds_left(situation: Situation) -> float | None:
    """Return when the disk will be full at the rate of the last weeks; ``None``: not known."""
    archive = situation.figures.archive
    growth = growth_of(
        situation.traffic, archive.ledger_bytes, archive.entries_count, situation.now
    )
    return growth.seconds_left(archive.free_bytes) if growth else None


def damaged(situation: Situation) -> Iterator[Alarm]:
    """Raise that the last verification found something broken."""
    if (found := situation.damaged) is not None:
        yield Alarm(
            "damaged",
            situation.figures.archive.path,
            Severity.CRITICAL,
            f"{found.keys.get('broken')} broken, seen by the verification of {found.at:%Y-%m-%d}",
            "`collector verify` names what is broken; bring it back from a copy",
        )


def unverified(situation: Situation) -> Iterator[Alarm]:
    """Raise that nobody has looked at everything for too long."""
    last_at = situation.verified.at if situation.verified else situation.since
    if last_at is None or not situation.figures.archive.entries_count:
        return
    age_s = situation.age_s(last_at)
    if age_s >= situation.limits.verify_s:
        what = "last verified" if situation.verified else "never verified; it began"
        yield Alarm(
            "unverified",
            situation.figures.archive.path,
            Severity.WARNING,
            f"{what} {lasting(age_s)} ago",
            "run `collector verify` from time to time, best by a timer",
        )


def checkpoint(situation: Situation) -> Iterator[Alarm]:
    """Raise that the log has grown for too long without being signed."""
    archive = situation.figures.archive
    last_at = archive.checkpoint_at or situation.since
    if last_at is None or archive.leaves_count <= archive.checkpoint_leaves:
        return
    age_s = situation.age_s(last_at)
    if age_s >= situation.limits.checkpoint_s:
        yield Alarm(
            "checkpoint",
            archive.path,
            Severity.WARNING,
            f"{archive.leaves_count - archive.checkpoint_leaves} leaves are not signed; "
            f"the last checkpoint is of {lasting(age_s)} ago",
            "is the service running, and can the signing command sign? See log.behind in the log",
        )


def stamp(situation: Situation) -> Iterator[Alarm]:
    """Raise that an authority did not stamp for too long, though there was what to stamp."""
    archive, limit_s = situation.figures.archive, situation.limits.stamp_s
    for name, stamped_at in archive.stamps:
        last_at = stamped_at or situation.since
        if last_at is None or archive.checkpoint_at is None:
            continue
        age_s = situation.age_s(last_at)
        if age_s >= limit_s and archive.checkpoint_at > last_at:
            yield Alarm(
                "stamp",
                name,
                Severity.WARNING,
                f"{'no' if stamped_at is None else 'the last'} time stamp, {lasting(age_s)} ago",
                "see checkpoint.unseen in the log; is the authority's address still right?",
            )


def certificate(situation: Situation) -> Iterator[Alarm]:
    """Raise that a mail server's certificate expires soon."""
    for source in situation.sources:
        seen = situation.reading(source.name, "certificate")
        if seen is not None:
            expires_at = datetime.fromisoformat(seen.facts["expires_at"])
            yield from _expiring(situation, "certificate", source.name, expires_at)


def expiry(situation: Situation) -> Iterator[Alarm]:
    """Raise that a secret whose end is configured expires soon."""
    for name, day in situation.limits.expires_on.items():
        expires_at = datetime.combine(day, time(), UTC)
        yield from _expiring(situation, "expiry", name, expires_at)


def _expiring(situation: Situation, kind: str, name: str, at: datetime) -> Iterator[Alarm]:
    left_s = -situation.age_s(at)
    if left_s >= situation.limits.expiry_s:
        return
    when = f"expires on {at:%Y-%m-%d}, in {lasting(left_s)}"
    yield Alarm(
        kind,
        name,
        Severity.CRITICAL if left_s < EXPIRY_CRITICAL_S else Severity.WARNING,
        when if left_s > 0 else f"expired on {at:%Y-%m-%d}",
        "renew it now; afterwards no mail is collected, and the mailbox fills up",
    )


SOURCE = RuleSource(
    kinds=KINDS,
    rules=(disk, damaged, unverified, checkpoint, stamp, certificate, expiry),
)
