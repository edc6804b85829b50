"""A report as a page: what is said, in which order, in which language.

Rule: nothing is computed and nothing is formatted for a medium here; ``report_text`` and
``report_html`` show the same document.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from collector import __version__
from collector.domain.evidence import Event
from collector.domain.mailbox import ServerKind
from collector.ledger.query import DayFigures, Exposure, Silence
from collector.service.outages import Outage
from collector.service.report import PLACES, SUMS, Report
from collector.service.report_words import WORDS, Language
from collector.service.stamps import Outside

ROWS_MAX = 5_000
DAY = timedelta(days=1)
NUMBERS_CHARS = 120
"""The JSON form has all of them."""
SECOND_CHARS = 19
"""Of an instant, up to the seconds."""

Row = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """One line at a glance.

    Attributes:
        is_fine: ``None``: it says nothing about that.
    """

    label: str
    text: str
    is_fine: bool | None


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under a head.

    Attributes:
        last_is_sum: the last row is the sum of those before it.
        numbers_from: columns from here on are numbers.
        note: said below; empty for none.
        nothing: said when there are no rows.
    """

    title: str
    head: Row
    rows: list[Row]
    note: str = ""
    nothing: str = ""
    last_is_sum: bool = False
    numbers_from: int = 99


@dataclass(frozen=True, slots=True)
class Document:
    """A report, ready to be shown."""

    language: Language
    title: str
    period: str
    made: str
    summary_title: str
    summary: list[Line]
    marks: tuple[str, str]
    tables: list[Table]
    limits_title: str
    limits: list[str]
    signature: str


def document(told: Report, language: Language) -> Document:
    """Return the page of a report."""
    words = WORDS[language]
    return Document(
        language=language,
        title=words["title"],
        period=words["period"].format(since=_day(told.since), before=_day(told.before - DAY)),
        made=words["made"].format(at=_second(told.made_at), version=__version__),
        summary_title=words["summary"],
        summary=list(_summary(told, words)),
        marks=(words["ok"], words["look"]),
        tables=[
            _days(told, words),
            _custody(told, words),
            _outages(told, words),
            _stamps(told.outside, words),
            _trouble(told, words),
            _acts(told, words),
        ],
        limits_title=words["limits"],
        limits=[*([words["cut"]] if told.is_cut else []), *words["limits_text"].split(" | ")],
        signature=words["signature"],
    )


def _summary(told: Report, words: dict[str, str]) -> Iterator[Line]:
    total = told.total()
    open_accounts = [each for each in told.period.balances if each.unexplained]
    named = ", ".join(f"{each.mailbox} {each.unexplained:+}" for each in open_accounts)
    balance = words["unbalanced" if named else "balanced"].format(**total, named=named)
    yield Line(words["balance"], balance, not named)
    yield Line(words["places"], words["placed"].format(**total), not total["difference"])
    aside = {"set_aside": told.set_aside, "still_asked": told.still_asked}
    yield Line(words["aside"], words["aside_text"].format(**aside), not any(aside.values()))
    quarantined = words["quarantine_text"].format(**total)
    yield Line(words["quarantine"], quarantined, not total["quarantined"])
    gaps = sum(_count(each) for each in told.custody if each.name == "mailbox.gap")
    removed = words["gone_text"].format(**total, gaps=gaps)
    text = removed if told.custody else words["gone_none"]
    yield Line(words["gone"], text, all(map(_is_ordinary, told.custody)))
    yield Line(words["exposed"], _exposed(told.period.exposure, words), None)
    yield Line(words["silence"], _silence(told.period.silences, words), None)
    yield _outage_line(told.outages, words)
    log = {name: getattr(told, name) for name in ("leaves", "checkpoints", "newest_leaves")}
    text = words["log_text"].format(**log, stamped=told.stamped)
    yield Line(words["log"], f"{text}; {told.origin}" if told.origin else text, None)
    yield _outside(told.outside, words)
    yield _verification(told, words)


def _outside(outside: Outside, words: dict[str, str]) -> Line:
    counts = {
        "late": outside.late,
        "missing": outside.missing or 0,
        "broken": len(outside.problems),
    }
    fine = None if outside.missing is None and not outside.anchored else not any(counts.values())
    text = words["stamps_text"].format(**counts, anchored=outside.anchored)
    return Line(words["stamps"], text, is_fine=fine)


def _exposed(exposure: Exposure, words: dict[str, str]) -> str:
    if not exposure.count:
        return words["exposed_none"]
    spans = {name: span(getattr(exposure, f"{name}_s")) for name in ("median", "p99", "max")}
    return words["exposed_text"].format(count=exposure.count, **spans)


def _silence(silences: Sequence[Silence], words: dict[str, str]) -> str:
    if not silences:
        return words["silence_none"]
    longest = max(silences, key=lambda each: each.seconds)
    return words["silence_text"].format(
        span=span(longest.seconds),
        mailbox=longest.mailbox,
        since=_second(longest.since),
        until=_second(longest.until),
    )


def _outage_line(outages: Sequence[Outage], words: dict[str, str]) -> Line:
    if not outages:
        return Line(words["outages"], words["outages_none"], is_fine=True)
    longest = span(max(each.seconds for each in outages))
    text = words["outages_text"].format(count=len(outages), span=longest)
    return Line(words["outages"], text, is_fine=False)


def _verification(told: Report, words: dict[str, str]) -> Line:
    if (event := told.verification) is None:
        return Line(words["verified"], words["unverified"], is_fine=False)
    broken = event.keys.get("broken", "?")
    text = words["verified_text"].format(at=_second(event.at), broken=broken)
    if count := event.keys.get("otherwise"):
        text += words["verified_otherwise"].format(count=count)
    text += "" if told.since <= event.at < told.before else words["verified_outside"]
    return Line(words["verified"], text, is_fine=not broken)


def _days(told: Report, words: dict[str, str]) -> Table:
    rows = [_day_row(each) for each in told.days]
    total = told.total()
    exposure = told.period.exposure
    numbers = [str(total[name]) for name in _COLUMNS]
    last = (words["sum"], "", *numbers, *_exposure_row(exposure))
    return Table(
        title=words["days"],
        head=tuple(words["days_head"].split(" | ")),
        rows=[*_capped(rows, words, len(last)), last] if rows else [],
        note=words["days_note"],
        nothing=words["none"],
        last_is_sum=True,
        numbers_from=2,
    )


_COLUMNS = (
    *("seen", "gone", "void", "archived", "duplicates", "quarantined", "set_aside", "waiting"),
    *PLACES,
)
assert {*_COLUMNS} == {*SUMS, *PLACES, "waiting"}  # noqa: S101 - every sum has its column


def _day_row(day: DayFigures) -> Row:
    numbers = (str(getattr(day, name)) for name in _COLUMNS)
    return (day.day.isoformat(), str(day.mailbox), *numbers, *_exposure_row(day.exposure))


def _exposure_row(exposure: Exposure) -> Row:
    return span(exposure.median_s), span(exposure.p99_s), span(exposure.max_s)


def _custody(told: Report, words: dict[str, str]) -> Table:
    rows = [
        (
            _window(each),
            each.mailbox,
            _numbers(each),
            str(_count(each)),
            _what(each, words),
        )
        for each in told.custody
    ]
    head = tuple(words["custody_head"].split(" | "))
    return Table(
        words["custody"], head, _capped(rows, words, len(head)), nothing=words["custody_none"]
    )


def _window(event: Event) -> str:
    since = event.keys.get("since")
    until = _second(event.at)
    return f"{_second(datetime.fromisoformat(since))} - {until}" if since else until


def _numbers(event: Event) -> str:
    """Return UIDs or sequence numbers, as many as a line holds."""
    keys = event.keys
    text = str(keys.get("uids") or keys.get("seqs") or keys.get("seq") or "").replace(",", ", ")
    if len(text) <= NUMBERS_CHARS:
        return text
    return text[:NUMBERS_CHARS].rpartition(", ")[0] + ", …"


def _count(event: Event) -> int:
    return int(event.keys.get("uids_count") or event.keys.get("seqs_count") or 1)


def _what(event: Event, words: dict[str, str]) -> str:
    """Return what is known, graded by the evidence and by the kind of server."""
    keys = event.keys
    evidence = str(keys.get("evidence", "unaccounted"))
    if event.name == "mailbox.gap":
        if evidence == "expunged":
            return words["gap_expunged"]
        server = _server(keys)
        skips = {True: "yes", False: "no", None: "unknown"}[server.skips_uids]
        return words[f"gap_unaccounted_{skips}"].format(server=server.value)
    if event.name == "message.vanished":
        return words["vanished" if keys.get("collected") else f"gone_{evidence}"]
    return words[event.name].format(flags=", ".join(map(str, keys.get("flags", ()))))


def _is_ordinary(event: Event) -> bool:
    """Say whether the kind of server alone explains it."""
    unseen = event.name == "mailbox.gap" and event.keys.get("evidence") == "unaccounted"
    return unseen and _server(event.keys).skips_uids is True


def _server(keys: dict[str, Any]) -> ServerKind:
    known = {each.value for each in ServerKind}
    name = keys.get("server")
    return ServerKind(name) if name in known else ServerKind.OTHER


def _outages(told: Report, words: dict[str, str]) -> Table:
    rows = [
        (
            each.mailbox,
            _second(each.since),
            _second(each.until) if each.until else words["still"],
            span(each.seconds),
            words[f"reason_{each.reason.value}"].format(error=each.error),
        )
        for each in told.outages
    ]
    head = tuple(words["outage_head"].split(" | "))
    return Table(
        words["outages"], head, _capped(rows, words, len(head)), nothing=words["outages_none"]
    )


def _stamps(outside: Outside, words: dict[str, str]) -> Table:
    """Return what stamps and copies elsewhere are to be looked at for; as ``verify`` says it."""
    rows: list[Row] = [(each.subject, each.what) for each in outside.problems]
    rows += [(each.subject, each.detail) for each in outside.remarks]
    head = tuple(words["stamps_head"].split(" | "))
    return Table(words["stamps"], head, _capped(rows, words, len(head)), nothing=words["none"])


def _trouble(told: Report, words: dict[str, str]) -> Table:
    rows = [
        (
            _second(each.at),
            _act(each.name, words),
            ", ".join(f"{key} {each.keys[key]}" for key in each.keys),
        )
        for each in told.trouble
    ]
    head = tuple(words["trouble_head"].split(" | "))
    return Table(words["trouble"], head, _capped(rows, words, len(head)), nothing=words["none"])


def _acts(told: Report, words: dict[str, str]) -> Table:
    rows = [(_act(name, words), who or "-", str(n)) for name, who, n in told.act_counts()]
    head = tuple(words["acts_head"].split(" | "))
    capped = _capped(rows, words, len(head))
    return Table(words["acts"], head, capped, nothing=words["none"], numbers_from=2)


def _act(name: str, words: dict[str, str]) -> str:
    return f"{words[name]} ({name})" if name in words else name


def _capped(rows: Sequence[Row], words: dict[str, str], columns: int) -> list[Row]:
    shown = list(rows[:ROWS_MAX])
    if len(rows) > ROWS_MAX:
        more = words["more"].format(count=len(rows) - ROWS_MAX)
        shown.append((more, *[""] * (columns - 1)))
    return shown


def span(seconds: float | None) -> str:
    """Return a length of time as a person says it."""
    if seconds is None:
        return "-"
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def _day(at: datetime) -> str:
    return f"{at:%Y-%m-%d}"


def _second(at: datetime) -> str:
    return at.isoformat()[:SECOND_CHARS].replace("T", " ")
