"""The completeness report of a period: ``collector report``.

Rule: figures that add up, and what they cannot show said beside them.  Nothing in
it names a person or a subject.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import Enum

from collector.config import Settings
from collector.custody.audit import Signed
from collector.custody.checkpoints import checkpoint_files
from collector.custody.watch import utc_now
from collector.domain.evidence import Event
from collector.ledger.query import DayFigures
from collector.service.assemble import open_reading
from collector.service.evidence import directory_of, known_keys
from collector.service.facts import Facts, finding_facts, instant, problem_facts
from collector.service.outside import stamped_sizes
from collector.service.stamps import Outside, look_outside

TOLD = (
    "mailbox.gap",
    "message.vanished",
    "mailbox.renumbered",
    "mailbox.restored",
    "archive.exported",
    "archive.recovered",
    "archive.verified",
    "ledger.rebuilt",
    "log.key_changed",
    "proof.written",
    "service.started",
    "service.stopped",
)
EVENTS_MAX = 1_000


class Language(Enum):
    """What a report is written in."""

    ENGLISH = "en"
    GERMAN = "de"


@dataclass(frozen=True, slots=True)
class Report:
    """All that is reported of [since, before).

    Attributes:
        events: newest first, at most ``EVENTS_MAX`` of those in ``TOLD``.
        set_aside: messages that the servers do not hand over, now.
        leaves, checkpoints, newest_leaves, stamped: of the log, now.
        outside: what stamps and anchors say of the checkpoints since the first day.
    """

    since: datetime
    before: datetime
    days: list[DayFigures]
    events: list[Event]
    set_aside: int
    leaves: int
    checkpoints: int
    newest_leaves: int
    stamped: int
    outside: Outside

    def facts(self) -> Facts:
        """Return the report as plain JSON values."""
        return {
            "since": instant(self.since),
            "before": instant(self.before),
            "days": [_day_facts(each) for each in self.days],
            "total": self.total(),
            "events": [
                {"number": each.number, "at": instant(each.at), "event": each.name,
                 "mailbox": each.mailbox, **each.keys}
                for each in self.events
            ],
            "set_aside": self.set_aside,
            "log": {
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

    def total(self) -> dict[str, int]:
        """Return the sums; ``difference`` is what is counted nowhere: always 0."""
        names = ("archived", "duplicates", "quarantined", *PLACES)
        sums = {name: sum(getattr(day, name) for day in self.days) for name in names}
        return {**sums, "difference": sums["archived"] - sum(sums[name] for name in PLACES)}


PLACES = ("expunged", "vanished", "superseded", "in_mailbox")


def report(settings: Settings, since: datetime, before: datetime) -> Report:
    """Return what is known of a period.

    Raises:
        ConfigError: there is no archive.
    """
    directory = directory_of(settings.archive.path)
    sizes = [int(path.stem) for path in checkpoint_files(directory)]
    with open_reading(settings) as (_archive, ledger):
        events = ledger.events(names=TOLD, since=since, limit=EVENTS_MAX)
        return Report(
            since=since,
            before=before,
            days=ledger.day_figures(since, before),
            events=[each for each in events if each.at < before],
            set_aside=ledger.set_aside_count(),
            leaves=ledger.log.size(),
            checkpoints=len(sizes),
            newest_leaves=max(sizes, default=0),
            stamped=len(stamped_sizes(directory)),
            outside=look_outside(
                settings,
                ledger.log,
                Signed(directory, known_keys(settings.archive.path)),
                utc_now(),
                since=since,
            ),
        )


WORDS = {
    Language.ENGLISH: {
        "title": "Completeness report, {since} to {before} (UTC)",
        "head": "day        archived duplicate quarant. deleted vanished superseded in mailbox "
        "exposed silence  mailbox",
        "sum": "{archived} archived = {expunged} deleted + {vanished} vanished + {superseded} "
        "superseded + {in_mailbox} in the mailbox; difference {difference}",
        "aside": "{set_aside} messages are set aside: the server does not hand them over",
        "log": "log: {leaves} leaves, {checkpoints} checkpoints, the newest over {newest_leaves}; "
        "{stamped} with a time stamp",
        "late": "since the first day: {late} stamps came late, {missing} checkpoints are dated by "
        "none; {anchored} checkpoints were copied elsewhere",
        "verified": "last full verification in this period: {at}, {broken} broken",
        "unverified": "no full verification in this period",
        "events": "events",
        "limits": "Not shown: mail that never reached the journal mailbox; what was removed "
        "there before it had a UID; what happened to an archive replaced as a whole, unless "
        "checkpoints are kept elsewhere. This report measures; it certifies nothing.",
    },
    Language.GERMAN: {
        "title": "Vollständigkeitsbericht, {since} bis {before} (UTC)",
        "head": "Tag        archiv.  doppelt   Quarant. gelöscht verschw. ersetzt   im Postf.  "
        "offen   Stille   Postfach",
        "sum": "{archived} archiviert = {expunged} gelöscht + {vanished} verschwunden + "
        "{superseded} ersetzt + {in_mailbox} im Postfach; Differenz {difference}",
        "aside": "{set_aside} Nachrichten sind zurückgestellt: der Server gibt sie nicht heraus",
        "log": "Protokoll: {leaves} Blätter, {checkpoints} Prüfpunkte, der neueste über "
        "{newest_leaves}; {stamped} mit Zeitstempel",
        "late": "seit dem ersten Tag: {late} Zeitstempel kamen verspätet, {missing} Prüfpunkte "
        "datiert keiner; {anchored} Prüfpunkte liegen auch anderswo",
        "verified": "letzte vollständige Prüfung in diesem Zeitraum: {at}, {broken} Fehler",
        "unverified": "keine vollständige Prüfung in diesem Zeitraum",
        "events": "Ereignisse",
        "limits": "Nicht zu sehen: Mails, die das Journalpostfach nie erreichten; was dort "
        "entfernt wurde, bevor es eine UID hatte; der Austausch des ganzen Archivs, wenn keine "
        "Prüfpunkte anderswo liegen. Dieser Bericht misst; er bescheinigt nichts.",
    },
}


def report_lines(told: Report, language: Language) -> Iterator[str]:
    """Yield the report as text."""
    words = WORDS[language]
    yield words["title"].format(since=f"{told.since:%Y-%m-%d}", before=f"{told.before:%Y-%m-%d}")
    yield ""
    yield words["head"]
    for day in told.days:
        yield (
            f"{day.day} {day.archived:8} {day.duplicates:9} {day.quarantined:8} "
            f"{day.expunged:8} {day.vanished:8} {day.superseded:10} {day.in_mailbox:10} "
            f"{_span(day.exposed_s_max):>7} {_span(day.silence_s_max):>7}  {day.mailbox}"
        )
    yield ""
    yield words["sum"].format(**told.total())
    yield words["aside"].format(set_aside=told.set_aside)
    yield words["log"].format(**{name: getattr(told, name) for name in LOG_FIGURES})
    outside = told.outside
    yield words["late"].format(
        late=outside.late, missing=outside.missing or 0, anchored=outside.anchored
    )
    for problem in outside.problems:
        yield f"  {problem.subject}: {problem.what}"
    for remark in outside.remarks:
        yield f"  {remark.subject}: {remark.detail}"
    yield _verification(told, words)
    yield ""
    yield f"{words['events']}:"
    for name in TOLD:
        count = sum(event.name == name for event in told.events)
        if count:
            yield f"{count:8}  {name}"
    yield ""
    yield words["limits"]


LOG_FIGURES = ("leaves", "checkpoints", "newest_leaves", "stamped")


def _verification(told: Report, words: dict[str, str]) -> str:
    for event in told.events:
        if event.name == "archive.verified" and event.keys.get("whole"):
            return words["verified"].format(at=instant(event.at), broken=event.keys["broken"])
    return words["unverified"]


def _day_facts(day: DayFigures) -> Facts:
    facts = asdict(day)
    mailbox = {"mailbox": day.mailbox.name, "folder": day.mailbox.folder}
    return {**facts, "day": day.day.isoformat(), **mailbox}


def _span(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f}{unit}"
    return f"{seconds:.0f}s"
