"""Alarms about what happened behind our back: mail that vanished, a mailbox made anew.

Rule: as ``rule`` says; but these are moments, not states.  Each is told once, for every
hour in which it happened, and shown for a day.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from collector.domain.alarm import Alarm, Severity
from collector.domain.evidence import Event
from collector.domain.mailbox import ServerKind
from collector.watch.limits import MOMENT_S
from collector.watch.rule import RuleSource
from collector.watch.situation import Situation

KINDS = {
    "gap": "the server gave out UIDs that no listing showed: arrived and removed between polls?",
    "vanished": "messages left the mailbox without us",
    "replaced": "a UID names another message than the one that was proven",
    "renumbered": "the mailbox was made anew; everything in it is collected again",
    "restored": "an older copy of the mailbox was put back",
    "flagged": "somebody else set flags on messages: others work in the mailbox",
    "unwatched": "nobody looked into the mailbox for a long time",
    "clock": "the clock was set: times before and after cannot be compared",
    "key_changed": "checkpoints are signed with another key from here on",
}
_WHO = "find out which other client, rule or person has access to this mailbox"
_MOMENTS = {
    "mailbox.gap": ("gap", Severity.WARNING, _WHO),
    "message.vanished": ("vanished", Severity.CRITICAL, _WHO),
    "message.replaced": ("replaced", Severity.CRITICAL, "find out who restored or changed it"),
    "mailbox.renumbered": ("renumbered", Severity.WARNING, "find out why; nothing is lost here"),
    "mailbox.restored": ("restored", Severity.CRITICAL, "find out why; nothing was deleted"),
    "message.flagged": ("flagged", Severity.WARNING, _WHO),
    "mailbox.unwatched": ("unwatched", Severity.WARNING, "find out what the collector was doing"),
    "clock.jumped": ("clock", Severity.WARNING, "let NTP set the clock, before the service starts"),
    "log.key_changed": ("key_changed", Severity.WARNING, "find out who changed it, and publish it"),
}
EVENTS = tuple(_MOMENTS)
SKIPPING = {each.value for each in ServerKind if each.skips_uids}


def happened(situation: Situation) -> Iterator[Alarm]:
    """Raise what happened in the last day, by mailbox and hour."""
    hours: dict[tuple[str, str], list[Event]] = defaultdict(list)
    for event in situation.events:
        recent = event.name in _MOMENTS and situation.age_s(event.at) < MOMENT_S
        if recent and not _means_nothing(event):
            where = f"{event.mailbox} {event.at:%Y-%m-%d %H}h".strip()
            hours[event.name, where].append(event)
    for (name, where), events in hours.items():
        kind, severity, hint = _MOMENTS[name]
        yield Alarm(kind, where, severity, _told(name, events), hint)


def _means_nothing(event: Event) -> bool:
    """The first key replaces none, and servers that skip UIDs by themselves leave gaps."""
    if event.name == "log.key_changed":
        return event.keys.get("keys_count") == 1
    told = event.keys.get("evidence") == "expunged"
    return event.name == "mailbox.gap" and not told and event.keys.get("server") in SKIPPING


def _told(name: str, events: list[Event]) -> str:
    at = f"{min(each.at for each in events):%H:%M}Z"
    match name:
        case "mailbox.gap":
            count = sum(_count(each) for each in events)
            return f"{count} UID(s) that nobody accounts for, first seen {at}"
        case "log.key_changed":
            return f"the log is signed with another key, since {at}"
        case "message.vanished" | "message.flagged":
            count = sum(_count(each) for each in events)
            return f"{count} message(s), first seen {at}"
        case "message.replaced":
            return f"{len(events)} message(s), first seen {at}"
        case _:
            return f"{KINDS[_MOMENTS[name][0]]}, seen {at}"


def _count(event: Event) -> int:
    return int(event.keys.get("uids_count") or event.keys.get("seqs_count") or 1)


SOURCE = RuleSource(kinds=KINDS, rules=(happened,), moments=frozenset(KINDS))
