"""Alarms about our own test mails: whether they travel, arrive in time, and whole.

Rule: as ``rule`` says; what makes an alarm of a path stands in ``canary``.
"""

from __future__ import annotations

from collections.abc import Iterator

from collector.domain.alarm import Alarm
from collector.watch import canary
from collector.watch.rule import RuleSource
from collector.watch.situation import Situation

KINDS = {
    "canary-unsent": "test mails of a path are not sent, so a dead journal goes unnoticed",
    "canary-late": "the journal copy of a test mail has not come in time",
    "canary-lost": "the journal copy of a test mail never came: mail is not journaled",
    "canary-envelope": "the journal tells less of the envelope than this source can",
}


def paths(situation: Situation) -> Iterator[Alarm]:
    """Raise what is wrong on each path."""
    for facts in situation.canaries:
        yield from canary.alarms(facts, situation.now)


SOURCE = RuleSource(kinds=KINDS, rules=(paths,))
