"""How an archive and its mailboxes stand: ``collector status``, ``collector alarm list``.

Rule: told from ledger and disk alone, so it works while the service runs and when the
mail server does not.  Alarms are those of ``watch.rules`` and no others.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta

from collector.config import Settings
from collector.custody.watch import utc_now
from collector.domain.alarm import Alarm, KnownAlarm
from collector.ledger.ledger import Ledger
from collector.service.canary import canary_facts
from collector.service.facts import Facts, alarm_facts, instant, mailbox_facts
from collector.service.situation import Rooms, situation
from collector.store.archive import Archive
from collector.watch import rules
from collector.watch.situation import ArchiveFigures, FolderFigures

GAP_EVENTS = (
    "message.vanished",
    "mailbox.gap",
    "message.replaced",
    "mailbox.renumbered",
    "mailbox.restored",
    "message.flagged",
    "mailbox.unwatched",
    "custody.broken",
)
GAP_WINDOW = timedelta(days=7)
GAPS_MAX = 100
QUANTILES = {"median_s": 0.5, "p95_s": 0.95, "max_s": 1.0}


def status(settings: Settings, archive: Archive, ledger: Ledger) -> Facts:
    """Return all figures and alarms as JSON values."""
    seen = situation(Rooms(settings, archive, ledger), utc_now())
    return {
        "archive": _archive_facts(seen.figures.archive),
        "mailboxes": [_folder_facts(each) for each in seen.figures.folders],
        "gaps": _gaps(ledger),
        "canary": canary_facts(settings, ledger),
        "exposure_24h": asdict(ledger.accounts.exposure(utc_now() - timedelta(days=1))),
        "alarms": _lasting(rules.alarms(seen), ledger.memory.alarms()),
    }


def present_alarms(settings: Settings, archive: Archive, ledger: Ledger) -> list[Facts]:
    """Return the alarms of now as JSON values, critical first."""
    seen = situation(Rooms(settings, archive, ledger), utc_now())
    return _lasting(rules.alarms(seen), ledger.memory.alarms())


def _lasting(alarms: list[Alarm], known: list[KnownAlarm]) -> list[Facts]:
    """Return alarms, each with when the service first saw it."""
    since = {each.alarm.key: each.began_at for each in known if each.gone_at is None}
    return [{**alarm_facts(each), "since": instant(since.get(each.key))} for each in alarms]


def _archive_facts(archive: ArchiveFigures) -> Facts:
    return {
        "path": archive.path,
        "entries": archive.entries_count,
        "segments": archive.segments_count,
        "sealed_segments": archive.sealed_count,
        "stored_bytes": archive.stored_bytes,
        "sealed_raw_bytes": archive.sealed_raw_bytes,
        "sealed_ratio": archive.sealed_ratio,
        "ledger_bytes": archive.ledger_bytes,
        "free_bytes": archive.free_bytes,
        "log_leaves": archive.leaves_count,
        "checkpoint_leaves": archive.checkpoint_leaves,
        "checkpoint_at": instant(archive.checkpoint_at),
        "stamps": {name: instant(at) for name, at in archive.stamps},
    }


def _folder_facts(folder: FolderFigures) -> Facts:
    """Return what ``mailbox_facts`` does, and the figures beside it."""
    exposure = folder.exposure
    oldest_s = folder.oldest_waiting_s
    return {
        **mailbox_facts(folder.status),
        "oldest_waiting_s": None if oldest_s is None else round(oldest_s, 1),
        "collected_bytes": folder.raw_bytes,
        "gaps_last_week": folder.gaps_count,
        "exposure": exposure
        and {name: round(exposure.quantile(share), 3) for name, share in QUANTILES.items()},
    }


def _gaps(ledger: Ledger) -> list[Facts]:
    events = ledger.events(names=GAP_EVENTS, since=utc_now() - GAP_WINDOW, limit=GAPS_MAX)
    return [
        {"at": instant(each.at), "event": each.name, "mailbox": each.mailbox, **each.keys}
        for each in events
    ]
