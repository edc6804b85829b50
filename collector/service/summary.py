"""The figures of a day, once a day: in the log, and to the receivers when that is wanted.

Rule: as for alarms; told once for every day, also after a restart.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, time, timedelta
from typing import Any

import structlog

from collector.config import Settings
from collector.domain.alarm import Alarm, Notice, Severity, Word
from collector.ledger.memory import Memory
from collector.service.situation import calendar_of
from collector.watch.archive_rules import seconds_left
from collector.watch.limits import DAY_S
from collector.watch.rule import amount, lasting
from collector.watch.situation import Situation

log = structlog.get_logger("collector.service")

SUMMARY = "summary"
DAY = timedelta(days=1)


def summarise(
    settings: Settings, memory: Memory, seen: Situation, present: Sequence[Alarm]
) -> None:
    """Tell the figures of the last day, when the day's time has come and it was not done yet."""
    before = memory.reading("", SUMMARY)
    if before is not None and before.at >= _due_at(settings, seen.now):
        return
    deleted = _deleted(seen)
    if before is not None:  # else the first day has just begun
        facts = summary_facts(seen, present, deleted - int(before.facts["deleted"]))
        log.info("day.summarised", **facts)
        if settings.alarms.daily_summary is not None:
            text = summary_text(seen, present, facts)
            memory.note_alarms((), (), _notices(settings, text, seen.now), ())
    memory.note_reading("", SUMMARY, seen.now, deleted=deleted)


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


def _deleted(seen: Situation) -> int:
    """Return how many messages have left their mailbox as we asked, ever."""
    return sum(dict(each.status.state_counts).get("expunged", 0) for each in seen.figures.folders)


def summary_facts(seen: Situation, present: Sequence[Alarm], deleted: int) -> dict[str, Any]:
    """Return the figures of the last day.

    Args:
        deleted: messages that left their mailbox as we asked since the last summary.
    """
    folders = seen.figures.folders
    hours = [each for each in seen.traffic if seen.age_s(each.hour) < DAY_S]
    slowest = [each.exposure.quantile(0.5) for each in folders if each.exposure]
    return {
        "collected": sum(each.collected_count for each in hours),
        "deleted": deleted,
        "quarantined": sum(each.quarantined_count for each in hours),
        "size_bytes": sum(each.raw_bytes for each in hours),
        "stored_bytes": sum(each.stored_bytes for each in hours),
        "waiting": sum(each.status.waiting_count for each in folders),
        "set_aside": sum(each.status.set_aside_count for each in folders),
        "gaps": sum(event.name == "mailbox.gap" for event in seen.events),
        "exposed_s": round(max(slowest), 1) if slowest else None,
        "entries": seen.figures.archive.entries_count,
        "free_bytes": seen.figures.archive.free_bytes,
        "full_in_s": None if (left_s := seconds_left(seen)) is None else round(left_s),
        "alarms": len(present),
    }


def summary_text(seen: Situation, present: Sequence[Alarm], facts: dict[str, Any]) -> str:
    """Return the summary as a person reads it; the first line is its headline."""
    state = f"{len(present)} alarm(s)" if present else "all well"
    full = facts["full_in_s"]
    forecast = "" if full is None else f", full in about {lasting(full)}"
    sizes = f"{amount(facts['size_bytes'])}, {amount(facts['stored_bytes'])} stored"
    lines = [
        f"daily summary: {state}, {facts['collected']} message(s) collected",
        f"collected    {facts['collected']} ({sizes})",
        f"deleted      {facts['deleted']} from the mailboxes, proven before",
        f"waiting      {facts['waiting']}, set aside {facts['set_aside']}",
        f"quarantined  {facts['quarantined']}, gaps {facts['gaps']}",
        f"archive      {facts['entries']} entries, {amount(facts['free_bytes'])} free{forecast}",
    ]
    if facts["exposed_s"] is not None:
        lines.append(f"exposed      {lasting(facts['exposed_s'])} from arrival to proof (median)")
    lines += _by_mailbox(seen)
    lines += [
        f"{each.severity.value}: {each.kind} {each.subject}: {each.problem}" for each in present
    ]
    return "\n".join(lines)


def _by_mailbox(seen: Situation) -> list[str]:
    """Return one line for every mailbox the service works on."""
    lines = []
    for source in seen.sources:
        hours = [
            each
            for each in seen.traffic
            if each.mailbox.name == source.name and seen.age_s(each.hour) < DAY_S
        ]
        lines.append(f"{source.name}: {sum(each.collected_count for each in hours)} collected")
    return lines
