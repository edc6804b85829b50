"""What this machine must offer: directory, disk, medium, clock, and closed secrets.

Rule: changes nothing that stays.
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
from collector.ledger.ledger import Ledger
from collector.service import canary
from collector.service.access import kept_tokens
from collector.service.evidence import KEY, directory_of
from collector.service.metric_table import METRICS_HINT, METRICS_OPEN
from collector.service.sample import Backlog
from collector.store.probe import reaches_medium
from collector.watch.growth import Growth
from collector.watch.limits import DAY_S

FREE_BYTES_LOW = 1024**3
DAYS_LEFT_WARNING = 30.0
STORED_SHARE = 0.5
"""Of what waits; mail compresses to a half or less (storage reference)."""
BUILT_ON = datetime(2026, 11, 1, tzinfo=UTC)
"""A clock before the release of this program is wrong."""
MIB = 1024**2


def check_directory(root: Path) -> Finding:
    """Say whether the archive can be written, and who else may enter it."""
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


def check_medium(root: Path) -> Finding:
    """Say whether a proof reads from the disk, or only what memory remembers."""
    there = _nearest(root)
    try:
        reaches = reaches_medium(there)
    except CollectorError as error:
        return Finding(
            "read-back", str(there), Grade.FAILED, error.what, error.hint or "look at it"
        )
    if reaches:
        return Finding("read-back", str(there), Grade.OK, "a proof is read from the medium")
    return Finding(
        "read-back",
        str(there),
        Grade.WARNING,
        "a proof shows what was written, perhaps not what the medium keeps",
        "this disk does not forget its cache (memory disk, network, overlay): use a local one",
    )


def check_disk(root: Path, backlog: Backlog, growth: Growth | None) -> Finding:
    """Say how long the disk lasts: for what waits, and at the present rate."""
    free_bytes = shutil.disk_usage(_nearest(root)).free
    detail = f"{free_bytes // MIB} MiB free"
    needed_bytes = backlog.size_bytes * STORED_SHARE
    if backlog.count:
        detail += f"; {backlog.count} messages wait, {backlog.size_bytes // MIB} MiB"
    days_left = None
    left_s = growth.seconds_left(free_bytes - needed_bytes) if growth else None
    if growth is not None and left_s is not None:
        days_left = left_s / DAY_S
        detail += (
            f"; full in {min(days_left, 99_999):.0f} days at {growth.disk_bytes_day / MIB:.1f} MiB "
            f"and {growth.messages_day:.0f} messages a day (seen for {growth.seen_days:.0f} days)"
        )
    short = days_left is not None and days_left < DAYS_LEFT_WARNING
    if free_bytes - needed_bytes < FREE_BYTES_LOW or short:
        hint = "make room before the disk is full; messages wait in the mailbox meanwhile"
        return Finding("disk", str(root), Grade.WARNING, detail, hint)
    return Finding("disk", str(root), Grade.OK, detail)


def check_clock(ledger: Ledger | None) -> Finding:
    """Say whether our clock is where it was before, or later."""
    now = utc_now()
    latest = BUILT_ON
    if ledger is not None:
        event = next(iter(ledger.events(limit=1)), None)
        latest = max(latest, event.at) if event else latest
    if now + timedelta(minutes=1) < latest:
        hint = "set the clock (NTP) before collecting: times in the archive cannot be mended"
        return Finding("clock", "UTC", Grade.FAILED, f"{now:%Y-%m-%d %H:%M:%S} is past", hint)
    return Finding("clock", "UTC", Grade.OK, f"{now:%Y-%m-%d %H:%M:%S}")


def check_secrets(settings: Settings) -> Iterator[Finding]:
    """Say of every file with a secret whether others may read it."""
    closed = 0
    for path in dict.fromkeys(_secret_files(settings)):
        try:
            mode = stat.S_IMODE(path.stat().st_mode)
        except OSError:
            continue  # missing, or not for us to look at: whoever needs it says so
        if mode & 0o077:
            grade = Grade.FAILED if mode & 0o007 else Grade.WARNING
            who = "every user of this machine" if mode & 0o007 else "its group"
            hint = f"chmod 0600 {path}"
            yield Finding("secrets", str(path), grade, f"{who} may read or change it", hint)
        else:
            closed += 1
    if closed:
        detail = f"{closed} file(s) that nobody else may read"
        yield Finding("secrets", str(settings.path.parent), Grade.OK, detail)


def check_metrics(settings: Settings) -> Iterator[Finding]:
    """Say who may read the figures that are served, where they are."""
    if settings.metrics.address is None:
        return
    listen = settings.metrics.listen or ""
    if settings.metrics.is_open:
        yield Finding("metrics", listen, Grade.WARNING, METRICS_OPEN, METRICS_HINT)
    else:
        yield Finding("metrics", listen, Grade.OK, "figures are served to this machine alone")


def check_expiry(settings: Settings) -> Iterator[Finding]:
    """Warn before a client secret expires, where somebody wrote down when."""
    for mailbox in settings.mailboxes:
        last_day = mailbox.oauth.client_secret_expires_on if mailbox.oauth else None
        if last_day is None:
            continue
        left = (last_day - utc_now().date()).days
        detail = f"the client secret expires on {last_day:%Y-%m-%d}, in {left} days"
        if left < DAYS_LEFT_WARNING:
            hint = "make a new one, put it into its file, and correct client_secret_expires_on"
            grade = Grade.WARNING if left >= 0 else Grade.FAILED
            yield Finding("client-secret", mailbox.name, grade, detail, hint)
        else:
            yield Finding("client-secret", mailbox.name, Grade.OK, detail)


def _secret_files(settings: Settings) -> Iterator[Path]:
    """Yield the files that lie on our disks; what systemd hands over it guards itself."""
    for mailbox in settings.mailboxes:
        for file in mailbox.secret_files():
            path, guarded = file.place()
            if not guarded:
                yield path
        kept = kept_tokens(settings, mailbox)
        if kept is not None:
            yield kept
    evidence = settings.evidence
    if evidence.key_file is not None:
        yield evidence.directory / evidence.key_file
    elif evidence.key_command is None:
        yield directory_of(settings.archive.path) / KEY
    yield from _canary_files(settings)


def _canary_files(settings: Settings) -> Iterator[Path]:
    for relay in settings.canary.smtp:
        place = relay.secret_file and relay.secret_file.place()
        if place and not place[1]:
            yield place[0]
    yield settings.canary.hmac_key_file or settings.archive.path / canary.KEY


def _nearest(path: Path) -> Path:
    """Return ``path`` or the closest parent that exists."""
    while not path.exists():
        path = path.parent
    return path
