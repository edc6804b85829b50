"""All rules, and what they raise in a situation.

Rule: to add rules, write a module as ``rule`` says and add its ``SOURCE`` to ``SOURCES``.
One rule that fails does not keep the others from being heard.
"""

from __future__ import annotations

from collector.domain.alarm import Alarm, Severity
from collector.watch import (
    archive_rules,
    canary_rules,
    event_rules,
    mailbox_rules,
    traffic_rules,
)
from collector.watch.rule import RuleSource
from collector.watch.situation import Situation

OWN = RuleSource(
    kinds={
        "broken": "stored bytes are not what was recorded, or an fsync failed; the service stopped",
        "rule": "an alarm could not be judged; please report it",
    },
    rules=(),
)
"""Raised by the service itself, not by a rule."""

SOURCES: tuple[RuleSource, ...] = (
    mailbox_rules.SOURCE,
    traffic_rules.SOURCE,
    event_rules.SOURCE,
    archive_rules.SOURCE,
    canary_rules.SOURCE,
    OWN,
)

KINDS: dict[str, str] = {kind: text for each in SOURCES for kind, text in each.kinds.items()}
"""Every kind of alarm and what it means."""

MOMENTS: frozenset[str] = frozenset().union(*(each.moments for each in SOURCES))
"""Kinds that tell of something that happened, not of a state."""


def alarms(situation: Situation) -> list[Alarm]:
    """Return what is wrong now, critical first, then by kind and subject."""
    found: dict[str, Alarm] = {}
    for rule in (rule for source in SOURCES for rule in source.rules):
        try:
            found.update((alarm.key, alarm) for alarm in rule(situation))
        except Exception as error:  # noqa: BLE001 - the others must be heard
            failed = _failed(rule.__name__, error)
            found[failed.key] = failed
    order = [Severity.CRITICAL, Severity.WARNING]
    return sorted(found.values(), key=lambda each: (order.index(each.severity), each.key))


def _failed(name: str, error: Exception) -> Alarm:
    problem = f"it ended with {type(error).__name__}"
    return Alarm("rule", name, Severity.WARNING, problem, "please report it as an error")
