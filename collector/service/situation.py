"""Gathers how everything stands: from the ledger, the disk and the configuration.

Rule: reads only, works beside the service that writes, and asks no mail server.
"""

from __future__ import annotations

import shutil
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from collector.config import MailboxSettings, Settings
from collector.custody.checkpoints import Checkpoints, checkpoint_file, checkpoint_sizes
from collector.domain.evidence import Event
from collector.domain.mailbox import MailboxId
from collector.evidence.web import Address
from collector.ledger.ledger import Ledger
from collector.ledger.query import MailboxStatus
from collector.ledger.readings import FAILURE
from collector.ledger.watched import Reading
from collector.service.assemble import LEDGER
from collector.service.canary import canary_knowledge
from collector.service.evidence import directory_of
from collector.service.outside import SHOWN
from collector.store.archive import Archive
from collector.watch.event_rules import EVENTS
from collector.watch.limits import GROWTH_S, MOMENT_S, Limits
from collector.watch.office_hours import OfficeHours
from collector.watch.situation import (
    ArchiveFigures,
    Figures,
    FolderFigures,
    Situation,
    Source,
)

SEALED_MAX = 100_000
"""Segments looked at for the ratio: 6 TB of stored mail."""
EVENTS_MAX = 1_000
GAPS_SHOWN = timedelta(days=7)
TRAFFIC = timedelta(seconds=GROWTH_S, days=8)
"""Four weeks and the longest span that is compared with them."""


@dataclass(frozen=True, slots=True)
class Rooms:
    """What the figures are read from.

    Attributes:
        checkpoints: of the process that writes; ``None``: their directory is looked at.
    """

    settings: Settings
    archive: Archive
    ledger: Ledger
    checkpoints: Checkpoints | None = None


def figures(rooms: Rooms, now: datetime) -> Figures:
    """Return what is told of archive and mailboxes.

    Raises:
        CollectorError: the ledger or the disk cannot be read.
    """
    return _figures(rooms, rooms.ledger.memory.readings(), now)


def situation(rooms: Rooms, now: datetime) -> Situation:
    """Return everything that the rules look at.

    Raises:
        CollectorError: as ``figures``.
    """
    ledger = rooms.ledger
    readings = ledger.memory.readings()
    verified, damaged = _verifications(ledger)
    first = ledger.event(1)
    return Situation(
        figures=_figures(rooms, readings, now),
        limits=_limits(rooms.settings),
        sources=tuple(_source(rooms.settings, each) for each in _collected(rooms.settings)),
        traffic=tuple(ledger.memory.traffic(now - TRAFFIC)),
        events=tuple(
            ledger.events(names=EVENTS, since=now - timedelta(seconds=MOMENT_S), limit=EVENTS_MAX)
        ),
        verified=verified,
        damaged=damaged,
        since=first.at if first else None,
        readings=tuple(readings),
        canaries=tuple(canary_knowledge(rooms.settings, ledger)),
    )


def _figures(rooms: Rooms, readings: list[Reading], now: datetime) -> Figures:
    return Figures(now, _archive(rooms, readings), _folders(rooms, readings, now))


def _limits(settings: Settings) -> Limits:
    """Return the limits, with the client secrets whose end stands beside them."""
    secrets = {
        f"client secret of {each.name}": each.oauth.client_secret_expires_on
        for each in settings.mailboxes
        if each.oauth and each.oauth.client_secret_expires_on
    }
    limits = settings.alarms.limits
    return replace(limits, expires_on={**secrets, **limits.expires_on})


def calendar_of(settings: Settings) -> OfficeHours:
    """Return the office hours of all mailboxes that have none of their own."""
    return settings.alarms.calendar(OfficeHours())


def _collected(settings: Settings) -> list[MailboxSettings]:
    return [each for each in settings.mailboxes if each.folders]


def _source(settings: Settings, mailbox: MailboxSettings) -> Source:
    own_s, all_s = mailbox.silence_max_s, settings.alarms.silence_max_s
    confirms = mailbox.connecting_hosts or (mailbox.authserv_id and mailbox.authenticated_domains)
    return Source(
        name=mailbox.name,
        office_hours=mailbox.calendar(calendar_of(settings)),
        silence_s=all_s if own_s is None else own_s,
        judges_origin=bool(mailbox.report_senders and confirms),
    )


def _verifications(ledger: Ledger) -> tuple[Event | None, Event | None]:
    """Return the last whole verification, and the last that found something not mended since."""
    whole = damaged = None
    for event in ledger.events(names=["archive.verified"], limit=EVENTS_MAX):
        if event.keys.get("broken"):
            damaged = damaged or event
        if event.keys.get("whole"):
            whole = event
            break
    return whole, damaged


def _archive(rooms: Rooms, readings: list[Reading]) -> ArchiveFigures:
    root, ledger = rooms.settings.archive.path, rooms.ledger
    segments = rooms.archive.segments()
    sealed = ledger.events(names=["segment.sealed"], limit=SEALED_MAX)
    checkpoint_at, checkpoint_leaves = _checkpoint(rooms)
    shown = {each.subject: each.at for each in readings if each.name == SHOWN}
    return ArchiveFigures(
        path=str(root),
        entries_count=ledger.last_seq(),
        segments_count=len(segments),
        sealed_count=sum(each.sealed for each in segments),
        stored_bytes=sum(each.size_bytes for each in segments),
        sealed_raw_bytes=sum(each.keys["raw_bytes"] for each in sealed),
        sealed_stored_bytes=sum(each.keys["stored_bytes"] for each in sealed),
        ledger_bytes=ledger_bytes_of(root),
        free_bytes=shutil.disk_usage(root).free,
        leaves_count=ledger.log.size(),
        checkpoint_at=checkpoint_at,
        checkpoint_leaves=checkpoint_leaves,
        stamps=tuple((name, shown.get(name)) for name in _authorities(rooms.settings)),
    )


def _authorities(settings: Settings) -> list[str]:
    """Return the names of the authorities that are asked for time stamps."""
    evidence = settings.evidence
    urls = evidence.stamp_urls if evidence.stamp_certificates else ()
    return [Address(url).host.lower() for url in urls]


def ledger_bytes_of(root: Path) -> int:
    """Return what the ledger of an archive takes on the disk."""
    return sum(map(_size_of, (root / LEDGER, root / f"{LEDGER}-wal")))


def _size_of(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _checkpoint(rooms: Rooms) -> tuple[datetime | None, int]:
    """Return when the newest checkpoint was written, and how many leaves it is over."""
    directory = directory_of(rooms.settings.archive.path)
    if rooms.checkpoints is not None:
        signed = rooms.checkpoints.newest()
        path = checkpoint_file(directory, signed.checkpoint.size) if signed else None
    else:
        sizes = checkpoint_sizes(directory)
        path = checkpoint_file(directory, sizes[-1]) if sizes else None
    if path is None:
        return None, 0
    with suppress(FileNotFoundError):
        written_at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        return written_at, int(path.stem)
    return None, 0


def _folders(rooms: Rooms, readings: list[Reading], now: datetime) -> tuple[FolderFigures, ...]:
    memory = rooms.ledger.memory
    totals = {each.mailbox: each for each in memory.traffic_totals()}
    exposures = {each.mailbox: each for each in memory.exposures()}
    events = rooms.ledger.events(names=["mailbox.gap"], since=now - GAPS_SHOWN, limit=EVENTS_MAX)
    gaps = Counter(each.mailbox for each in events)
    failures = {each.subject: each for each in readings if each.name == FAILURE}
    configured = {
        MailboxId(each.name, folder): each
        for each in rooms.settings.mailboxes
        for folder in each.folders
    }
    found = []
    for status in rooms.ledger.mailbox_status():
        mailbox = configured.get(status.mailbox)
        found.append(
            FolderFigures(
                status=status,
                served=mailbox is not None,
                empties=mailbox is not None and mailbox.delete and not mailbox.keep_unrecognised,
                poll_interval_s=mailbox.poll_interval_s if mailbox else 0.0,
                gaps_count=gaps[str(status.mailbox)],
                total=totals.get(status.mailbox),
                exposure=exposures.get(status.mailbox),
                oldest_waiting_s=_oldest(status, failures.get(str(status.mailbox)), now),
            )
        )
    return tuple(found)


def _oldest(status: MailboxStatus, failure: Reading | None, now: datetime) -> float | None:
    """Return the age of the oldest message that is ours and still there, or not ours yet."""
    ages = []
    if status.oldest_waiting_at is not None:
        ages.append((now - status.oldest_waiting_at).total_seconds())
    if failure is not None and failure.facts["oldest_waiting_s"] is not None:
        ages.append(failure.facts["oldest_waiting_s"] + (now - failure.at).total_seconds())
    return max(ages, default=None)
