"""What canaries say about the journal: the grade of one, and the alarms of a path.

Rule: pure functions of what is known and the present instant.  A stranger's message
never gets here: whoever calls has checked the signature.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from collector.domain.alarm import Alarm, Severity
from collector.domain.canary import Canary, CanaryGrade, CanaryPath
from collector.domain.journal import Recipient, Unwrapped
from collector.formats.unite import unite

OVERDUE_INTERVALS = 3
"""Intervals are jittered up to one and a half."""

ADVICE = {
    CanaryGrade.SENDER_DIFFERS: "see whether the envelope sender is rewritten on its way",
    CanaryGrade.LIST_NOT_EXPANDED: "journal after lists are expanded; see docs/guides",
    CanaryGrade.BCC_MISSING: "use a journal that records the envelope; see docs/guides",
    CanaryGrade.RECIPIENTS_MISSING: "compare `collector show` of the copy with the path",
    CanaryGrade.ENVELOPE_MISSING: "set `server` of the mailbox, or journal with an envelope",
}


@dataclass(frozen=True, slots=True)
class CanaryFacts:
    """A path and its latest canaries, newest first."""

    path: CanaryPath
    canaries: Sequence[Canary]


def grade(path: CanaryPath, copies: Sequence[Unwrapped]) -> CanaryGrade:
    """Return what the copies of one canary tell together.

    Servers send several reports of a message when its recipients are on several servers.
    """
    recorded = [each for each in unite(copies) if not (each.derived or each.claimed)]
    known = {each.address.lower() for each in recorded}
    if not copies:
        return CanaryGrade.COPY_MISSING
    if not known:
        return CanaryGrade.ENVELOPE_MISSING
    if not _all_in(path.to, known) or not _lists_known(path, recorded, known):
        return CanaryGrade.RECIPIENTS_MISSING
    if not _all_in(path.bcc, known):
        return CanaryGrade.BCC_MISSING
    if not _all_in(path.members, known):
        return CanaryGrade.LIST_NOT_EXPANDED
    senders = {each.envelope.sender.lower() for each in copies}
    return CanaryGrade.COMPLETE if path.sender.lower() in senders else CanaryGrade.SENDER_DIFFERS


def _all_in(addresses: Iterable[str], known: set[str]) -> bool:
    return all(each.lower() in known for each in addresses)


def _lists_known(path: CanaryPath, recorded: Iterable[Recipient], known: set[str]) -> bool:
    """Return whether every list is told of, by its address or by who is on it."""
    ways = {step.address.lower() for each in recorded for step in each.via}
    told = known | ways
    members = bool(path.members) and _all_in(path.members, known)
    return members or _all_in(path.lists, told)


def alarms(facts: CanaryFacts, now: datetime) -> list[Alarm]:
    """Return what is wrong on a path."""
    found = (_unsent(facts, now), _late(facts, now), _lost(facts, now), _graded(facts))
    return [alarm for alarm in found if alarm]


def _unsent(facts: CanaryFacts, now: datetime) -> Alarm | None:
    """Return an alarm when the last one could not be sent, or none was for long."""
    path, newest = facts.path, next(iter(facts.canaries), None)
    if newest is None:
        return None
    if newest.error and not newest.arrived_at:
        problem = f"the last canary could not be sent: {newest.error}"
    elif newest.age_s(now) > OVERDUE_INTERVALS * path.interval_s:
        problem = f"no canary was sent for {_duration(newest.age_s(now))}"
    else:
        return None
    hint = "try `collector canary send`; while none travels, a dead journal goes unnoticed"
    return Alarm("canary-unsent", path.name, Severity.WARNING, problem, hint)


def _late(facts: CanaryFacts, now: datetime) -> Alarm | None:
    path = facts.path
    late = [
        each
        for each in facts.canaries
        if each.accepted_at
        and not each.arrived_at
        and path.late_after_s < each.age_s(now) <= path.lost_after_s
    ]
    if not late:
        return None
    return Alarm(
        "canary-late",
        path.name,
        Severity.WARNING,
        f"a canary sent {_duration(late[-1].age_s(now))} ago has not reached {path.mailbox}",
        "look at the mail server's queue and its journal rule; it counts as lost after "
        f"{_duration(path.lost_after_s)}",
    )


def _lost(facts: CanaryFacts, now: datetime) -> Alarm | None:
    """Return an alarm while the newest canary whose fate is decided is a lost one."""
    path, lost_count = facts.path, 0
    for each in facts.canaries:
        if each.arrived_at:
            break
        lost_count += bool(each.accepted_at) and each.age_s(now) > path.lost_after_s
    if not lost_count:
        return None
    return Alarm(
        "canary-lost",
        path.name,
        Severity.CRITICAL,
        f"{lost_count} canaries in a row never reached {path.mailbox}"
        if lost_count > 1
        else f"a canary never reached {path.mailbox}",
        "mail is not journaled on this path: look at the journal rule, its target and the "
        "spam folder, now",
    )


def _graded(facts: CanaryFacts) -> Alarm | None:
    """Return an alarm while the newest whole result is worse than this source can do."""
    path = facts.path
    arrived = (each for each in facts.canaries if each.arrived_at and each.closed_at)
    newest = next(arrived, None)
    if newest is None or newest.grade is None or not newest.grade.worse_than(path.expected):
        return None
    return Alarm(
        "canary-envelope",
        path.name,
        Severity.WARNING,
        f"the journal copy is graded {newest.grade.value}, not {path.expected.value}",
        ADVICE.get(newest.grade, ""),
    )


def _duration(seconds: float) -> str:
    """Return a time as a person says it."""
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes / 60:.0f} h"
