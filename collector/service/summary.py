"""The figures of a day, once a day: in the log, and to the receivers when that is wanted.

Rule: as for alarms; told once for every day, also after a restart.  The figures are the
differences to those that were kept at the last summary, so that nothing falls between two
of them, however long the service was down.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, time, timedelta
from typing import Any

import structlog

from collector.config import Settings
from collector.domain.alarm import Alarm, Notice, Severity, Word
from collector.ledger.ledger import Ledger
from collector.ledger.watched import Reading
from collector.service.situation import calendar_of
from collector.watch.archive_rules import seconds_left
from collector.watch.rule import amount, lasting
from collector.watch.situation import Situation

log = structlog.get_logger("collector.service")

SUMMARY = "summary"
DAY = timedelta(days=1)
Tally = Mapping[str, Mapping[str, int]]
"""By mailbox and name: what it came to since its first message."""


def summarise(
    settings: Settings, ledger: Ledger, seen: Situation, present: Sequence[Alarm]
) -> None:
    """Tell the figures of the last day, when the day's time has come and it was not done yet."""
    before = ledger.memory.reading("", SUMMARY)
    if before is not None and _due_at(settings, seen.now) <= before.at < seen.now + DAY:
        return
    tally = tally_of(seen)
    if before is not None:  # else the first day has just begun
        exposed_s = ledger.accounts.exposure(before.at).median_s
        facts = day_facts(seen, present, before, tally) | {"exposed_s": exposed_s}
        log.info("day.summarised", **facts)
        if settings.alarms.daily_summary is not None:
            text = summary_text(present, facts, before.at)
            ledger.memory.note_alarms((), (), _notices(settings, text, seen.now), ())
    ledger.memory.note_reading("", SUMMARY, seen.now, tally=tally)


def _notices(settings: Settings, text: str, now: datetime) -> list[Notice]:
    return [
        Notice(name, SUMMARY, Word.SUMMARY, Severity.WARNING, text, now, now)
        for name in settings.alarms.receiver_urls
        if name not in settings.alarms.critical_only
    ]


def _due_at(settings: Settings, now: datetime) -> datetime:
    """Return the last instant before ``now`` that a summary was due at."""
    clock = settings.alarms.daily_summary or time()
    local = now.astimezone(calendar_of(settings).zone)
    due_at = local.replace(hour=clock.hour, minute=clock.minute, second=0, microsecond=0)
    return due_at if due_at <= local else due_at - DAY


def tally_of(seen: Situation) -> Tally:
    """Return the counts that only grow, by mailbox."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for folder in seen.figures.folders:
        status, total = folder.status, folder.total
        found[folder.mailbox.name].update(
            collected=status.entries_count,
            deleted=dict(status.state_counts).get("expunged", 0),
            quarantined=status.quarantined_count,
            size_bytes=total.raw_bytes if total else 0,
            stored_bytes=total.stored_bytes if total else 0,
        )
    return found


def day_facts(
    seen: Situation, present: Sequence[Alarm], before: Reading, tally: Tally
) -> dict[str, Any]:
    """Return the figures since the last summary, and how everything stands.

    Args:
        before: what was kept of the last summary.
        tally: the same figures now.
    """
    folders = seen.figures.folders
    grown = {
        mailbox: {
            name: max(0, count - before.facts["tally"].get(mailbox, {}).get(name, 0))
            for name, count in counts.items()
        }
        for mailbox, counts in tally.items()
    }
    names = ("collected", "deleted", "quarantined", "size_bytes", "stored_bytes")
    left_s = seconds_left(seen)
    return {
        **{name: sum(each[name] for each in grown.values()) for name in names},
        "by_mailbox": {
            each.name: grown.get(each.name, {}).get("collected", 0) for each in seen.sources
        },
        "waiting": sum(each.status.waiting_count for each in folders),
        "set_aside": sum(each.status.set_aside_count for each in folders),
        "gaps": sum(e.name == "mailbox.gap" and e.at >= before.at for e in seen.events),
        "entries": seen.figures.archive.entries_count,
        "free_bytes": seen.figures.archive.free_bytes,
        "full_in_s": None if left_s is None else round(left_s),
        "alarms": len(present),
    }


def summary_text(present: Sequence[Alarm], facts: dict[str, Any], since: datetime) -> str:
    """Return the summary as a person reads it; the first line is its headline."""
    state = f"{len(present)} alarm(s)" if present else "all well"
    full = facts["full_in_s"]
    forecast = "" if full is None else f", full in about {lasting(full)}"
    sizes = f"{amount(facts['size_bytes'])}, {amount(facts['stored_bytes'])} stored"
    lines = [
        f"daily summary: {state}, {facts['collected']} message(s) collected",
        f"since        {since:%Y-%m-%d %H:%M}Z",
        f"collected    {facts['collected']} ({sizes})",
        f"deleted      {facts['deleted']} from the mailboxes, proven before",
        f"waiting      {facts['waiting']}, set aside {facts['set_aside']}",
        f"quarantined  {facts['quarantined']}, gaps {facts['gaps']}",
        f"archive      {facts['entries']} entries, {amount(facts['free_bytes'])} free{forecast}",
    ]
    if facts["exposed_s"] is not None:
        lines.append(f"exposed      {lasting(facts['exposed_s'])} from arrival to proof (median)")
    lines += [f"{name}: {count} collected" for name, count in facts["by_mailbox"].items()]
    lines += [
        f"{each.severity.value}: {each.kind} {each.subject}: {each.problem}" for each in present
    ]
    return "\n".join(lines)
