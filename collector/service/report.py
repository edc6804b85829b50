"""The completeness report of a period: ``collector report``.

Rule: figures that add up, with what does not add up named, and what they cannot show
said beside them.  Nothing in it names a person who wrote or got mail, or a subject.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, astuple, dataclass
from datetime import datetime

from collector import __version__
from collector.config import Settings
from collector.custody.audit import Signed
from collector.custody.checkpoints import checkpoint_files
from collector.custody.watch import utc_now
from collector.domain.evidence import Event
from collector.ledger.query import Balance, DayFigures, Period
from collector.service.assemble import UNWATCHED, open_reading
from collector.service.evidence import directory_of, known_keys
from collector.service.facts import Facts, finding_facts, instant, problem_facts
from collector.service.outages import SERVICE, Outage, outages
from collector.service.outside import stamped_sizes
from collector.service.prove import RecordIn
from collector.service.stamps import Outside, look_outside
from collector.service.verify import last_full_verification

CUSTODY = (
    "mailbox.gap",
    "message.vanished",
    "message.replaced",
    "mailbox.renumbered",
    "mailbox.restored",
    "message.flagged",
)
"""What happened to the mailbox without us."""
ACTS = (
    "archive.exported",
    "archive.listed",
    "archive.verified",
    "backfill.finished",
    "backfill.started",
    "checkpoints.thinned",
    "collect.finished",
    "config.changed",
    "ledger.rebuilt",
    "log.key_changed",
    "message.viewed",
    "proof.written",
    "report.written",
    *SERVICE,
)
"""What people did."""
TROUBLE = ("archive.recovered", "clock.jumped", "custody.broken")
EVENTS_MAX = 1_000
"""Of each kind, the newest."""

SUMS = ("seen", "gone", "void", "set_aside", "archived", "duplicates", "quarantined")
PLACES = ("expunged", "vanished", "superseded", "in_mailbox")


@dataclass(frozen=True, slots=True)
class Report:
    """All that is reported of [since, before).

    Attributes:
        custody, acts, trouble: events of the period, newest first.
        is_cut: there are more of them than are told.
        set_aside: messages that the servers do not hand over, now.
        still_asked: archived messages that the mailboxes did not let go, at the last cycle.
        verification: the last one of everything, within the period or not.
        origin: name of the log; empty while nothing was signed.
        leaves, checkpoints, newest_leaves, stamped: of the log, now.
        outside: what stamps and anchors say of the checkpoints since the first day.
    """

    since: datetime
    before: datetime
    made_at: datetime
    period: Period
    outages: list[Outage]
    custody: list[Event]
    acts: list[Event]
    trouble: list[Event]
    is_cut: bool
    set_aside: int
    still_asked: int
    verification: Event | None
    origin: str
    leaves: int
    checkpoints: int
    newest_leaves: int
    stamped: int
    outside: Outside

    @property
    def days(self) -> list[DayFigures]:
        """The figures by day and folder."""
        return self.period.days

    def total(self) -> dict[str, int]:
        """Return the sums; ``difference`` is what is archived and in no place: always 0."""
        sums = {name: sum(getattr(day, name) for day in self.days) for name in (*SUMS, *PLACES)}
        balances = self.period.balances
        return {
            "before": sum(each.before for each in balances),
            **sums,
            "waiting": sum(each.waiting for each in balances),
            "waiting_now": sum(each.waiting_now for each in balances),
            "unexplained": sum(abs(each.unexplained) for each in balances),
            "difference": sums["archived"] - sum(sums[name] for name in PLACES),
        }

    def facts(self) -> Facts:
        """Return the report as plain JSON values."""
        return {
            "since": instant(self.since),
            "before": instant(self.before),
            "made_at": instant(self.made_at),
            "version": __version__,
            "days": [_day_facts(each) for each in self.days],
            "balances": [_balance_facts(each) for each in self.period.balances],
            "total": self.total(),
            "exposure": asdict(self.period.exposure),
            "silences": [
                {"mailbox": each.mailbox.name, "folder": each.mailbox.folder,
                 "since": instant(each.since), "until": instant(each.until),
                 "seconds": each.seconds}
                for each in self.period.silences
            ],
            "outages": [each.facts() for each in self.outages],
            "events": [
                event_facts(each) for each in (*self.custody, *self.trouble, *self.acts)
            ],
            "is_cut": self.is_cut,
            "set_aside": self.set_aside,
            "still_asked": self.still_asked,
            "verification": event_facts(self.verification) if self.verification else None,
            "log": {
                "origin": self.origin,
                "leaves": self.leaves,
                "checkpoints": self.checkpoints,
                "newest_checkpoint_leaves": self.newest_leaves,
                "stamped": self.stamped,
                "late": self.outside.late,
                "missing": self.outside.missing,
                "anchored": self.outside.anchored,
                "remarks": [finding_facts(each) for each in self.outside.remarks],
                "problems": [problem_facts(each) for each in self.outside.problems],
            },
        }  # fmt: skip

    def act_counts(self) -> list[tuple[str, str, int]]:
        """Return how often each person did what, as (event, person, count)."""
        counted = Counter((each.name, person_text(each)) for each in self.acts)
        return sorted((*key, count) for key, count in counted.items())


def report(settings: Settings, since: datetime, before: datetime, record_in: RecordIn) -> Report:
    """Return what is known of a period.

    Args:
        since, before: midnights (UTC).
        record_in: returns what writes the act down in a ledger, before it takes effect.

    Raises:
        ConfigError: there is no archive.
    """
    directory = directory_of(settings.archive.path)
    now = utc_now()
    with open_reading(settings) as (_archive, ledger):
        record_in(ledger)("report.written", since=instant(since), before=instant(before))
        sizes = [int(path.stem) for path in checkpoint_files(directory)]
        told = [
            ledger.events(names=names, since=since, before=before, limit=EVENTS_MAX)
            for names in (CUSTODY, ACTS, TROUBLE)
        ]
        status = ledger.mailbox_status()
        folders = {(box.name, folder) for box in settings.mailboxes for folder in box.folders}
        watched = [each for each in status if astuple(each.mailbox) in folders]
        keys = known_keys(settings.archive.path)
        return Report(
            since=since,
            before=before,
            made_at=now,
            period=ledger.accounts.period(since, before, now),
            outages=outages(ledger, watched, since, before, now, UNWATCHED),
            custody=told[0],
            acts=told[1],
            trouble=told[2],
            is_cut=any(len(events) == EVENTS_MAX for events in told),
            set_aside=sum(each.set_aside_count for each in status),
            still_asked=sum(each.last_summary.refused for each in status if each.last_summary),
            verification=last_full_verification(ledger),
            origin=keys[-1].name if keys else "",
            leaves=ledger.log.size(),
            checkpoints=len(sizes),
            newest_leaves=max(sizes, default=0),
            stamped=len(stamped_sizes(directory)),
            outside=look_outside(settings, ledger.log, Signed(directory, keys), now, since=since),
        )


def person_text(event: Event) -> str:
    """Return who did it, in one line."""
    person = event.keys.get("person")
    if not isinstance(person, dict):
        return ""
    user = str(person.get("user", ""))
    if sudo_user := person.get("sudo_user"):
        user = f"{user} (sudo {sudo_user})"
    name = person.get("as")
    return f"{name} [{user}]" if name else user


def event_facts(event: Event) -> Facts:
    """Return an event as plain JSON values."""
    facts = {"number": event.number, "at": instant(event.at), "event": event.name}
    return {**facts, "mailbox": event.mailbox, **event.keys}


def _day_facts(day: DayFigures) -> Facts:
    facts = asdict(day)
    mailbox = {"mailbox": day.mailbox.name, "folder": day.mailbox.folder}
    return {**facts, "day": day.day.isoformat(), **mailbox}


def _balance_facts(balance: Balance) -> Facts:
    facts = asdict(balance)
    return {**facts, "mailbox": balance.mailbox.name, "folder": balance.mailbox.folder}
