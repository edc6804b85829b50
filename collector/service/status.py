"""How an archive and its mailboxes stand: ``collector status``.

Rule: told from the ledger alone, so it works while the service runs and when
the mail server does not.
"""

from __future__ import annotations

import shutil
from dataclasses import asdict
from datetime import timedelta

from collector.config import Settings
from collector.custody.watch import utc_now
from collector.ledger.ledger import Ledger
from collector.ledger.query import MailboxStatus
from collector.service.canary import canary_alarms, canary_facts
from collector.service.facts import Facts, instant, mailbox_facts
from collector.store.archive import Archive

ALARM_EVENTS = (
    "message.vanished",
    "mailbox.gap",
    "message.replaced",
    "mailbox.renumbered",
    "mailbox.restored",
    "message.flagged",
    "mailbox.unwatched",
    "custody.broken",
)
ALARM_WINDOW = timedelta(days=7)
ALARMS_MAX = 100
SEALED_MAX = 100_000
"""Segments looked at for the ratio: 6 TB of stored mail."""
SILENCE = timedelta(hours=1)
"""A mailbox that was not polled for so long is an alarm."""


def status(settings: Settings, archive: Archive, ledger: Ledger) -> Facts:
    """Return all figures and alarms as JSON values."""
    mailboxes = ledger.mailbox_status()
    segments = archive.segments()
    raw_bytes, stored_bytes = _sealed(ledger)
    return {
        "archive": {
            "path": str(settings.archive.path),
            "entries": ledger.last_seq(),
            "segments": len(segments),
            "sealed_segments": sum(each.sealed for each in segments),
            "stored_bytes": sum(each.size_bytes for each in segments),
            "sealed_raw_bytes": raw_bytes,
            "sealed_ratio": round(stored_bytes / raw_bytes, 3) if raw_bytes else None,
            "free_bytes": shutil.disk_usage(settings.archive.path).free,
        },
        "mailboxes": [mailbox_facts(each) for each in mailboxes],
        "gaps": _gaps(ledger),
        "canary": canary_facts(settings, ledger),
        "exposure_24h": asdict(ledger.accounts.exposure(utc_now() - timedelta(days=1))),
        "alarms": [
            *(alarm for each in mailboxes for alarm in _alarms(each)),
            *(
                f"canary {each.subject}: {each.problem}"
                for each in canary_alarms(settings, ledger, utc_now())
            ),
        ],
    }


def _sealed(ledger: Ledger) -> tuple[int, int]:
    """Return the raw and the stored length of all that was sealed."""
    sealed = ledger.events(names=["segment.sealed"], limit=SEALED_MAX)
    return (
        sum(each.keys["raw_bytes"] for each in sealed),
        sum(each.keys["stored_bytes"] for each in sealed),
    )


def _gaps(ledger: Ledger) -> list[Facts]:
    since = utc_now() - ALARM_WINDOW
    events = ledger.events(names=ALARM_EVENTS, since=since, limit=ALARMS_MAX)
    return [
        {"at": instant(each.at), "event": each.name, "mailbox": each.mailbox, **each.keys}
        for each in events
    ]


def _alarms(mailbox: MailboxStatus) -> list[str]:
    alarms = []
    if mailbox.last_error:
        alarms.append(f"{mailbox.mailbox}: the last cycle failed: {mailbox.last_error}")
    if mailbox.set_aside_count:
        alarms.append(f"{mailbox.mailbox}: {mailbox.set_aside_count} message(s) set aside")
    if mailbox.quarantined_count:
        alarms.append(f"{mailbox.mailbox}: {mailbox.quarantined_count} message(s) quarantined")
    if mailbox.polled_at is not None and utc_now() - mailbox.polled_at > SILENCE:
        alarms.append(f"{mailbox.mailbox}: not polled since {instant(mailbox.polled_at)}")
    return alarms
