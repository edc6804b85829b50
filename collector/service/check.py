"""Looks at everything a collection needs before it starts: ``collector check``.

Rule: changes nothing, deletes nothing, and goes on after a failure, so that one
run shows all there is to mend.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from collector.config import Settings
from collector.custody.watch import utc_now
from collector.domain.errors import CollectorError
from collector.domain.finding import Finding, Grade
from collector.service.assemble import account_of, open_reading
from collector.service.check_outside import check_outside
from collector.service.evidence import check_evidence
from collector.source.probe import probe

FREE_BYTES_LOW = 1024**3
BUILT_ON = datetime(2026, 11, 1, tzinfo=UTC)
"""A clock before the release of this program is wrong."""


def check(settings: Settings) -> Iterator[Finding]:
    """Yield one finding after the other: configuration, archive, clock, mailboxes."""
    yield Finding(
        "configuration", str(settings.path), Grade.OK, f"{len(settings.mailboxes)} mailbox(es)"
    )
    root = settings.archive.path
    yield _directory(root)
    yield _disk(root)
    yield _clock(settings)
    yield check_evidence(settings)
    yield from check_outside(settings)
    for mailbox in settings.mailboxes:
        for folder in dict.fromkeys([*mailbox.folders, *mailbox.backfill_folders]):
            yield from probe(account_of(settings, mailbox), folder)


def _nearest(path: Path) -> Path:
    """Return ``path`` or the closest parent that exists."""
    while not path.exists():
        path = path.parent
    return path


def _directory(root: Path) -> Finding:
    there = _nearest(root)
    if not os.access(there, os.W_OK | os.X_OK):
        hint = f"give {there} to the user the collector runs as, with mode 0700"
        return Finding("archive", str(root), Grade.FAILED, f"{there} is not writable", hint)
    if there != root:
        return Finding("archive", str(root), Grade.OK, "will be made at the first start")
    if stat.S_IMODE(root.stat().st_mode) & 0o077:
        hint = f"chmod 0700 {root}"
        return Finding("archive", str(root), Grade.WARNING, "others may enter it", hint)
    return Finding("archive", str(root), Grade.OK, "writable, and nobody else may enter")


def _disk(root: Path) -> Finding:
    free_bytes = shutil.disk_usage(_nearest(root)).free
    detail = f"{free_bytes // 1024**2} MiB free"
    if free_bytes < FREE_BYTES_LOW:
        hint = "make room before the disk is full; messages wait in the mailbox meanwhile"
        return Finding("disk", str(root), Grade.WARNING, detail, hint)
    return Finding("disk", str(root), Grade.OK, detail)


def _clock(settings: Settings) -> Finding:
    now = utc_now()
    latest = _latest_event_at(settings) or BUILT_ON
    if now + timedelta(minutes=1) < max(latest, BUILT_ON):
        hint = "set the clock (NTP) before collecting: times in the archive cannot be mended"
        return Finding("clock", "UTC", Grade.FAILED, f"{now:%Y-%m-%d %H:%M:%S} is past", hint)
    return Finding("clock", "UTC", Grade.OK, f"{now:%Y-%m-%d %H:%M:%S}")


def _latest_event_at(settings: Settings) -> datetime | None:
    try:
        with open_reading(settings) as (_archive, ledger):
            latest = next(iter(ledger.events(limit=1)), None)
    except CollectorError:
        return None
    return latest.at if latest else None
