"""Alarms about one mailbox: whether it is reached, emptied, and has room.

Rule: as ``rule`` says.  A folder that the service does not work on raises none.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from collector.domain.alarm import Alarm, Severity
from collector.ledger.watched import FailureKind, Reading
from collector.watch.limits import BACKLOG_SPAN_S, CRITICAL_FACTOR, QUOTA_CRITICAL
from collector.watch.rule import RuleSource, lasting
from collector.watch.situation import FolderFigures, Situation

KINDS = {
    "login": "the server refuses the credentials; tried again once an hour",
    "configuration": "the mailbox cannot be worked off until a person changes a setting",
    "unreachable": "every cycle fails: network, TLS, the server, or the disk",
    "throttled": "the server asks for pauses: a daily limit, or too many connections",
    "stalled": "no cycle was begun or ended: the service is stopped or stuck",
    "backlog": "more mail comes than is taken away",
    "oldest": "a message has been in the mailbox for too long",
    "refused": "archived and proven, but the mailbox does not let messages go",
    "set_aside": "the server does not hand messages over",
    "quota": "the mailbox is nearly full; a full one bounces journal reports",
}
BACKLOG = "backlog"
_HINTS = {
    FailureKind.LOGIN: "check user name and password or token, and whether the account is locked",
    FailureKind.CONFIGURATION: "mend what the error names, then reload the service",
    FailureKind.UNREACHABLE: "`collector check` shows how far the connection comes",
    FailureKind.THROTTLED: "wait, or raise the limit on the server; see the guide of your provider",
}


def served(situation: Situation) -> Iterator[FolderFigures]:
    """Yield the folders that the service works on."""
    return (each for each in situation.figures.folders if each.served)


def failing(situation: Situation) -> Iterator[Alarm]:
    """Raise what keeps a folder from being worked off, by its kind."""
    limits = situation.limits
    patience_s = {
        FailureKind.LOGIN: 0.0,
        FailureKind.CONFIGURATION: 0.0,
        FailureKind.UNREACHABLE: limits.unreachable_s,
        FailureKind.THROTTLED: limits.throttled_s,
    }
    for folder in served(situation):
        failure = situation.reading(folder.mailbox, "failure")
        if failure is None:
            continue
        kind = FailureKind(failure.facts["kind"])
        since = datetime.fromisoformat(failure.facts["since"])
        lasts_s = max(situation.age_s(since), _resting_s(failure))
        if lasts_s < patience_s[kind]:
            continue
        long = lasts_s >= CRITICAL_FACTOR * limits.unreachable_s
        critical = kind in {FailureKind.LOGIN, FailureKind.CONFIGURATION} or long
        problem = f"for {lasting(lasts_s)}, {failure.facts['count']} time(s): "
        yield Alarm(
            kind.value,
            str(folder.mailbox),
            Severity.CRITICAL if critical else Severity.WARNING,
            problem + failure.facts["text"],
            _HINTS[kind],
        )


def _resting_s(failure: Reading) -> float:
    """A pause of hours need not be waited out before it is told."""
    return float(failure.facts["pause_s"])


def stalled(situation: Situation) -> Iterator[Alarm]:
    """Raise that nothing happens, though it should have."""
    for folder in served(situation):
        expected_s = max(situation.limits.not_polled_s, 2 * folder.poll_interval_s)
        failure = situation.reading(folder.mailbox, "failure")
        due = _last_sign(situation, folder) + timedelta(
            seconds=_resting_s(failure) * 1.1 if failure else 0.0
        )
        idle_s = situation.age_s(due)
        if idle_s > expected_s:
            yield Alarm(
                "stalled",
                str(folder.mailbox),
                Severity.CRITICAL,
                f"no cycle for {lasting(idle_s)}",
                "is the service running? `systemctl status collector`, then its log",
            )


def _last_sign(situation: Situation, folder: FolderFigures) -> datetime:
    """Return when a folder last showed that somebody works on it."""
    status = folder.status
    signs = [status.polled_at, status.last_cycle_at, status.last_proof_at, situation.since]
    signs += [
        min(each.hour + timedelta(hours=1), situation.now)
        for each in situation.traffic
        if each.mailbox == folder.mailbox and each.collected_count
    ]
    return max((each for each in signs if each is not None), default=situation.now)


def backlog(situation: Situation) -> Iterator[Alarm]:
    """Raise that more waits than allowed, and no fewer than an hour ago."""
    for folder in served(situation):
        waiting = backlog_of(folder)
        if waiting < situation.limits.backlog_count:
            continue
        before = _waiting_before(situation, folder)
        if before is not None and waiting >= before:
            yield Alarm(
                "backlog",
                str(folder.mailbox),
                Severity.WARNING,
                f"{waiting} messages wait, {before} an hour ago",
                "is the mailbox throttled, the disk slow, or far more mail sent than usual?",
            )


def backlog_of(folder: FolderFigures) -> int:
    """Return how many messages of the last listing are not ours yet, or not gone yet."""
    kept = 0 if folder.empties else _open_count(folder)
    return max(0, folder.status.waiting_count - kept)


def _open_count(folder: FolderFigures) -> int:
    counts = dict(folder.status.state_counts)
    return counts.get("committed", 0) + counts.get("cleared", 0)


def _waiting_before(situation: Situation, folder: FolderFigures) -> int | None:
    """Return the least that waited at least an hour ago, of what was kept of it."""
    seen = situation.reading(folder.mailbox, BACKLOG)
    samples = seen.facts["samples"] if seen else []
    old = [
        count
        for at, count in samples
        if situation.age_s(datetime.fromisoformat(at)) >= BACKLOG_SPAN_S
    ]
    return old[-1] if old else None


def oldest(situation: Situation) -> Iterator[Alarm]:
    """Raise that a message has not left the mailbox for too long."""
    for folder in served(situation):
        age_s, limit_s = folder.oldest_waiting_s, situation.limits.oldest_s
        if not folder.empties or age_s is None or age_s < limit_s:
            continue
        critical = age_s >= CRITICAL_FACTOR * limit_s
        yield Alarm(
            "oldest",
            str(folder.mailbox),
            Severity.CRITICAL if critical else Severity.WARNING,
            f"the oldest message has been there for {lasting(age_s)}",
            "`collector reconcile` says where it is and what happens next",
        )


def refused(situation: Situation) -> Iterator[Alarm]:
    """Raise that the last good cycle could not delete what it should have."""
    for folder in served(situation):
        summary = folder.status.last_summary
        if summary is not None and summary.refused:
            yield Alarm(
                "refused",
                str(folder.mailbox),
                Severity.WARNING,
                f"{summary.refused} proven message(s) stay in the mailbox",
                "the account needs the rights t and e, and the server UIDPLUS; `collector check`",
            )


def set_aside(situation: Situation) -> Iterator[Alarm]:
    """Raise that messages are not handed over."""
    for folder in served(situation):
        if count := folder.status.set_aside_count:
            yield Alarm(
                "set_aside",
                str(folder.mailbox),
                Severity.WARNING,
                f"{count} message(s) set aside; they stay in the mailbox and are tried again",
                "`collector reconcile` lists them; look at them with another mail client",
            )


def quota(situation: Situation) -> Iterator[Alarm]:
    """Raise that a mailbox is nearly full, by whichever limit is nearest."""
    for folder in served(situation):
        seen = situation.reading(folder.mailbox, "quota")
        used = [(100 * used / limit, name) for name, used, limit in _quotas(seen) if limit]
        percent, name = max(used, default=(0.0, ""))
        if percent >= situation.limits.quota_percent:
            yield Alarm(
                "quota",
                str(folder.mailbox),
                Severity.CRITICAL if percent >= QUOTA_CRITICAL else Severity.WARNING,
                f"{percent:.0f} % of the {name.lower()} quota is used",
                "raise the quota, or find out why the mailbox is not emptied",
            )


def _quotas(seen: Reading | None) -> list[tuple[str, int, int]]:
    return [(name, used, limit) for name, used, limit in (seen.facts["quotas"] if seen else ())]


SOURCE = RuleSource(
    kinds=KINDS,
    rules=(failing, stalled, backlog, oldest, refused, set_aside, quota),
)
