"""Alarms about the mail that comes: too little of it, or mail nobody can vouch for.

Rule: as ``rule`` says.  Silence is judged for a mailbox, all its folders together, twice:
by the calendar that is configured, and by what is usual at that hour of the week.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from statistics import median

from collector.domain.alarm import Alarm, Severity
from collector.watch.limits import (
    ATTENTION_S,
    CRITICAL_FACTOR,
    QUIET_SHARE,
    QUIET_SPANS_H,
    QUIET_USUAL_MIN,
    QUIET_WEEKS,
)
from collector.watch.rule import RuleSource, lasting
from collector.watch.situation import Situation, Source

KINDS = {
    "silence": "no mail for longer than allowed, in office time",
    "quiet": "far less mail than is usual at this hour of the week",
    "quarantined": "messages were archived whose envelope was not understood",
    "trust": "reports whose origin could not be confirmed, or is contradicted",
}
HOUR = timedelta(hours=1)
WEEK = timedelta(weeks=1)
_JOURNAL = "is journaling still switched on, and does its mail reach this mailbox? Send a test mail"


def silence(situation: Situation) -> Iterator[Alarm]:
    """Raise that nothing has come for too much office time."""
    for source in situation.sources:
        last_at = _last_arrival(situation, source)
        if source.silence_s is None or last_at is None:
            continue
        silent_s = source.office_hours.elapsed_s(last_at, situation.now)
        if silent_s >= source.silence_s:
            critical = silent_s >= CRITICAL_FACTOR * source.silence_s
            yield Alarm(
                "silence",
                source.name,
                Severity.CRITICAL if critical else Severity.WARNING,
                f"no mail for {lasting(silent_s)} of office time, since {last_at:%Y-%m-%d %H:%M}Z",
                _JOURNAL,
            )


def _last_arrival(situation: Situation, source: Source) -> datetime | None:
    """Return when mail last came; before the first, when the archive began."""
    arrivals = [
        folder.total.last_arrival_at
        for folder in situation.figures.folders
        if folder.mailbox.name == source.name and folder.total
    ]
    return max((each for each in arrivals if each is not None), default=situation.since)


def quiet(situation: Situation) -> Iterator[Alarm]:
    """Raise that far less came than in the same hours of the weeks before.

    The shortest span of whole hours in which enough mail is usual decides.
    """
    for source in situation.sources:
        by_hour = _arrivals(situation, source)
        for hours in QUIET_SPANS_H:
            usual = _usual(situation, source, by_hour, hours)
            if usual is None or usual < QUIET_USUAL_MIN:
                continue
            end = _whole_hour(situation.now)
            came = _sum(by_hour, end, hours)
            if came < QUIET_SHARE * usual and _worked(source, end, hours):
                yield Alarm(
                    "quiet",
                    source.name,
                    Severity.WARNING,
                    f"{came} message(s) in the last {hours} h; usual are {usual:.0f}",
                    _JOURNAL,
                )
            break


def _arrivals(situation: Situation, source: Source) -> Mapping[datetime, int]:
    by_hour: dict[datetime, int] = defaultdict(int)
    for each in situation.traffic:
        if each.mailbox.name == source.name:
            by_hour[each.hour] += each.arrived_count
    return by_hour


def _usual(
    situation: Situation, source: Source, by_hour: Mapping[datetime, int], hours: int
) -> float | None:
    """Return the median of the same hours of the weeks before; holidays do not count."""
    end = _whole_hour(situation.now)
    first = min(
        (
            each.total.first_at
            for each in situation.figures.folders
            if each.mailbox.name == source.name and each.total
        ),
        default=None,
    )
    ends = [end - week * WEEK for week in range(1, QUIET_WEEKS + 1)]
    counts = [
        _sum(by_hour, each, hours)
        for each in ends
        if first is not None and first <= each - hours * HOUR and _worked(source, each, hours)
    ]
    return median(counts) if len(counts) >= QUIET_WEEKS - 1 else None


def _worked(source: Source, end: datetime, hours: int) -> bool:
    """Say whether neither end of a span falls on a holiday; weekends are usual weekends."""
    calendar = source.office_hours
    days = {calendar.local_day(end - hours * HOUR), calendar.local_day(end - HOUR / 60)}
    return not any(
        day in calendar.holidays or (day.month, day.day) in calendar.yearly for day in days
    )


def _whole_hour(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)


def _sum(by_hour: Mapping[datetime, int], end: datetime, hours: int) -> int:
    return sum(by_hour.get(end - back * HOUR, 0) for back in range(1, hours + 1))


def quarantined(situation: Situation) -> Iterator[Alarm]:
    """Raise that messages of the last day were not understood."""
    for name, counts in _attention(situation).items():
        if counts["quarantined"]:
            yield Alarm(
                "quarantined",
                name,
                Severity.WARNING,
                f"{counts['quarantined']} message(s) quarantined in the last day",
                "`collector list --quarantined`; they are archived, and deleted like any other",
            )


def trust(situation: Situation) -> Iterator[Alarm]:
    """Raise that senders of the last day could not be trusted, where that can be judged."""
    judged = {each.name for each in situation.sources if each.judges_origin}
    for name, counts in _attention(situation).items():
        doubtful = counts["unverified"] if name in judged else 0
        if counts["conflicting"] or doubtful:
            yield Alarm(
                "trust",
                name,
                Severity.WARNING,
                f"in the last day {counts['conflicting']} message(s) contradict what is "
                f"configured, {doubtful} could not be confirmed",
                "`collector list --json` tells the reasons (trust_reasons); who else knows the "
                "address of the journal mailbox?",
            )


def _attention(situation: Situation) -> Mapping[str, Mapping[str, int]]:
    """Return what was collected in the last day and needs a look, by mailbox."""
    known = {each.name for each in situation.sources}
    counts: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for each in situation.traffic:
        if each.mailbox.name in known and situation.age_s(each.hour) < ATTENTION_S:
            for what in ("quarantined", "unverified", "conflicting"):
                counts[each.mailbox.name][what] += getattr(each, f"{what}_count")
    return counts


SOURCE = RuleSource(kinds=KINDS, rules=(silence, quiet, quarantined, trust))
