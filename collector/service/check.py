"""Looks at everything a collection needs before it starts: ``collector check``.

Rule: changes nothing, deletes nothing, ends in time, and goes on after a failure, so
that one run shows all there is to mend.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

from collector.config import MailboxSettings, Settings
from collector.custody.watch import utc_now
from collector.domain.custody import Policy
from collector.domain.errors import CollectorError
from collector.domain.finding import Finding, Grade
from collector.ledger.ledger import Ledger
from collector.service.assemble import account_of, open_reading, policy_of
from collector.service.check_machine import (
    check_clock,
    check_directory,
    check_disk,
    check_expiry,
    check_medium,
    check_metrics,
    check_secrets,
)
from collector.service.check_outside import check_canaries, check_outside
from collector.service.evidence import check_evidence
from collector.service.forecast import arrived_bytes_day
from collector.service.sample import SAMPLE_BYTES_MAX, Backlog, check_sample
from collector.service.situation import ledger_bytes_of
from collector.source.account import Limits
from collector.source.probe import probe
from collector.watch.growth import WINDOW, Growth, growth_of

MAILBOX_S_MAX = 180.0
"""For all folders of one mailbox; each wait within has an end of its own."""
LIMITS = Limits(connect_s=10.0, silence_s=30.0, grace_s=60.0, memory_bytes_max=2 * SAMPLE_BYTES_MAX)
"""Nothing is spooled: before the first start there is no place for it."""
WAY_IN = {"dns", "connection", "certificate", "token", "login", "folder"}
"""Without one of these no message can be looked at."""


class Readiness(Enum):
    """What all findings come to."""

    READY = "ready"
    READY_WITH_WARNINGS = "ready-with-warnings"
    NOT_READY = "not-ready"


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict and what a person should do, the worst first, each once."""

    verdict: Readiness
    todo: tuple[str, ...]


def judge(findings: Sequence[Finding]) -> Judgement:
    """Return what the findings come to."""
    failed = [each for each in findings if each.grade is Grade.FAILED]
    warned = [each for each in findings if each.grade is Grade.WARNING]
    todo = [f"{each.subject}: {each.hint or each.detail}" for each in [*failed, *warned]]
    verdict = Readiness.READY_WITH_WARNINGS if warned else Readiness.READY
    return Judgement(Readiness.NOT_READY if failed else verdict, tuple(dict.fromkeys(todo)))


def check(settings: Settings) -> Iterator[Finding]:
    """Yield one finding after the other: configuration, machine, evidence, mailboxes."""
    yield Finding(
        "configuration", str(settings.path), Grade.OK, f"{len(settings.mailboxes)} mailbox(es)"
    )
    root = settings.archive.path
    backlog = Backlog()
    with ExitStack() as stack:
        ledger = _ledger(settings, stack)
        yield check_directory(root)
        yield check_medium(root)
        yield check_clock(ledger)
        yield from check_secrets(settings)
        yield from check_expiry(settings)
        yield check_evidence(settings)
        yield from check_outside(settings)
        yield from check_canaries(settings)
        yield from check_metrics(settings)
        for mailbox in settings.mailboxes:
            yield from _mailbox(settings, mailbox, ledger, backlog)
        yield check_disk(root, backlog, _growth(root, ledger) if ledger is not None else None)


def _ledger(settings: Settings, stack: ExitStack) -> Ledger | None:
    """Return the ledger, ``None`` before the first run."""
    try:
        return stack.enter_context(open_reading(settings))[1]
    except CollectorError:
        return None


def _growth(root: Path, ledger: Ledger) -> Growth | None:
    now = utc_now()
    traffic = ledger.memory.traffic(now - WINDOW)
    return growth_of(traffic, ledger_bytes_of(root), ledger.last_seq(), now)


def _mailbox(
    settings: Settings, mailbox: MailboxSettings, ledger: Ledger | None, backlog: Backlog
) -> Iterator[Finding]:
    """Look at the folders of a mailbox, as long as there is time."""
    until_s = time.monotonic() + MAILBOX_S_MAX
    bytes_day = arrived_bytes_day(ledger, utc_now(), mailbox.name) if ledger is not None else None
    account = replace(account_of(settings, mailbox), limits=LIMITS)
    for folder in dict.fromkeys([*mailbox.folders, *mailbox.backfill_folders]):
        reached = True
        for finding in probe(account, folder, utc_now, bytes_day):
            reached &= finding.grade is not Grade.FAILED or finding.name not in WAY_IN
            yield finding
        if reached:
            yield from check_sample(account, folder, _policy(mailbox, folder), ledger, backlog)
        if time.monotonic() > until_s:
            yield Finding(
                "time",
                mailbox.name,
                Grade.WARNING,
                f"the rest was not looked at: over {MAILBOX_S_MAX:.0f} s",
                "the server is slow; run `collector check` again",
            )
            return


def _policy(mailbox: MailboxSettings, folder: str) -> Policy:
    """Return the policy of a folder; one that is only backfilled is never emptied."""
    policy = policy_of(mailbox)
    return policy if folder in mailbox.folders else replace(policy, delete=False)
