"""What the time stamps and anchors of an archive say: verified, judged, counted.

Rule: a stamp that does not verify is a problem; one that came late is told, for it is
as true as any other and only says less.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from collector.config import Settings
from collector.custody.anchored import Anchored
from collector.custody.audit import Problem, Signed
from collector.custody.checkpoints import checkpoint_file, checkpoint_sizes, read_file
from collector.domain.errors import IntegrityError
from collector.domain.evidence import Checkpoint, SignedCheckpoint, StampState
from collector.domain.finding import Finding, Grade
from collector.evidence.comparison import compare_anchors, read_anchors
from collector.evidence.lateness import Judged, judge_stamps, span
from collector.evidence.note import VerifierKey
from collector.evidence.timestamp import Authority
from collector.ledger.log import Log
from collector.service.outside import authorities, stamp_files, stamps_of

REMARKS_MAX = 100
"""Late stamps told of one authority; the rest is counted."""


@dataclass(slots=True)
class Outside:
    """What others know of an archive, as it was looked at.

    Attributes:
        checkpoints: that lie in the archive.
        stamped: of these, that have a stamp of their own that was verified.
        late: stamps that came late.
        missing: checkpoints older than the limit that no stamp dates; ``None`` when no
            authority is configured.
        anchored: checkpoints that were copied elsewhere.
        judged: what is to be said of the stamps, by authority.
        agreed: notes that were kept elsewhere and agree with the log.
        newest_agreed: leaves of the newest of them.
    """

    checkpoints: int = 0
    stamped: int = 0
    late: int = 0
    missing: int | None = None
    anchored: int = 0
    judged: dict[str, list[Judged]] = field(default_factory=dict)
    agreed: int = 0
    newest_agreed: int = 0
    problems: list[Problem] = field(default_factory=list)
    remarks: list[Finding] = field(default_factory=list)


def look_outside(
    settings: Settings,
    log: Log,
    signed: Signed,
    now: datetime,
    *,
    anchors: Sequence[Path] = (),
    since: datetime | None = None,
) -> Outside:
    """Verify the stamps, compare the notes in ``anchors``, judge and count.

    Args:
        since: of checkpoints made at this instant or later only; ``None``: of all.

    Raises:
        ConfigError: certificates or anchors cannot be read.
        IntegrityError: the checkpoints cannot be listed.
    """
    seen = count_outside(signed.directory)
    made_at = log.instants(checkpoint_sizes(signed.directory))
    if since is not None:
        made_at = {size: at for size, at in made_at.items() if at >= since}
    _look_at_stamps(settings, made_at, signed, now, seen)
    for path in anchors:
        _look_at_anchors(path, log, signed.keys, seen)
    return seen


def count_outside(directory: Path) -> Outside:
    """Return what can be counted without reading: checkpoints, stamped, anchored."""
    sizes = set(checkpoint_sizes(directory))
    anchored = Anchored(directory).sizes()
    return Outside(checkpoints=len(sizes), anchored=len(sizes & anchored))


def _look_at_stamps(
    settings: Settings,
    made_at: Mapping[int, datetime],
    signed: Signed,
    now: datetime,
    seen: Outside,
) -> None:
    """Verify and judge the stamps of the checkpoints in ``made_at``, and those without one."""
    known = authorities(settings)
    oldest = min(made_at, default=0)
    stamped = {
        size: names for size, names in stamp_files(signed.directory).items() if size >= oldest
    }
    by_authority: dict[str, dict[int, datetime]] = {each.name: {} for each in known}
    own: set[int] = set()
    for size, names in stamped.items():
        for name in names & by_authority.keys():
            authority = next(each for each in known if each.name == name)
            at = _verified(signed, size, authority, seen)
            if at is not None:
                by_authority[name][size] = at
                own.add(size)
    seen.stamped = len(own)
    late_after = timedelta(seconds=settings.evidence.stamp_late_after_s)
    missing: set[int] | None = None
    for name, stamped_at in by_authority.items():
        judged = judge_stamps(made_at, stamped_at, now=now, late_after=late_after)
        seen.judged[name] = judged
        seen.late += sum(each.state is StampState.LATE for each in judged)
        seen.remarks += _remarks(name, judged, late_after)
        undated = _undated(made_at, stamped_at, now - late_after)
        missing = undated if missing is None else missing & undated
    seen.missing = None if missing is None else len(missing)
    seen.remarks += _unknown(stamped, by_authority)


def _verified(signed: Signed, size: int, authority: Authority, seen: Outside) -> datetime | None:
    """Return the time in a stamp, ``None`` when it is told as a problem instead."""
    path = checkpoint_file(signed.directory, size)
    try:
        (stamp,) = stamps_of(signed.directory, _read(path, signed.keys), [authority])
    except FileNotFoundError:
        what = "the checkpoint of a time stamp is missing"
        seen.problems.append(Problem(what, f"time stamp of checkpoint {path.name}"))
    except IntegrityError as error:
        subject = f"time stamp of checkpoint {path.name} by {authority.name}"
        seen.problems.append(Problem(error.what, subject))
    else:
        return stamp.stamped_at
    return None


def _read(path: Path, keys: Sequence[VerifierKey]) -> SignedCheckpoint:
    if not path.exists():
        raise FileNotFoundError
    return read_file(path, keys)


def _undated(
    made_at: Mapping[int, datetime], stamped_at: Mapping[int, datetime], before: datetime
) -> set[int]:
    """Return the checkpoints from before an instant that no stamp of an authority dates."""
    dated = max(stamped_at, default=0)
    return {size for size, at in made_at.items() if size > dated and at < before}


def _remarks(authority: str, judged: list[Judged], late_after: timedelta) -> Iterator[Finding]:
    told = [each for each in judged if each.state is not StampState.AWAITED]
    for each in told[-REMARKS_MAX:]:
        yield _remark(authority, each, late_after)
    if len(told) > REMARKS_MAX:
        detail = f"{len(told) - REMARKS_MAX} older ones of this authority were late as well"
        yield Finding("time-stamp", authority, Grade.WARNING, detail)


def _remark(authority: str, judged: Judged, late_after: timedelta) -> Finding:
    subject, by, hint = f"checkpoint {judged.size} by {authority}", span(judged.by), ""
    match judged.state:
        case StampState.LATE:
            detail = (
                f"late: it came {by} after checkpoint {judged.first}, the oldest of "
                f"{judged.count} that it is the first to date (limit {span(late_after)})"
            )
        case StampState.AHEAD:
            detail = f"it came {by} before the time in the log: this machine's clock was ahead"
        case _:
            subject = authority
            detail = (
                f"no time stamp for {by}: the {judged.count} checkpoints from "
                f"{judged.first} on have none"
            )
            hint = "can the authority be reached? look for `checkpoint.unseen` in the log"
    return Finding("time-stamp", subject, Grade.WARNING, detail, hint)


def _unknown(stamped: Mapping[int, Collection[str]], known: Collection[str]) -> Iterator[Finding]:
    """Yield the authorities whose stamps were not looked at."""
    names = sorted({name for each in stamped.values() for name in each} - set(known))
    for name in names:
        count = sum(name in each for each in stamped.values())
        detail = f"{count} time stamps were not checked: the authority is not configured"
        yield Finding("time-stamp", name, Grade.WARNING, detail)


def _look_at_anchors(path: Path, log: Log, keys: Sequence[VerifierKey], seen: Outside) -> None:
    """Compare the log with notes that were kept outside."""

    def agrees(checkpoint: Checkpoint) -> None:
        seen.agreed += 1
        seen.newest_agreed = max(seen.newest_agreed, checkpoint.size)

    subject = f"anchors {path}"
    try:
        head = Checkpoint(keys[-1].name if keys else "", *log.head())
        for found in compare_anchors(read_anchors(path), head, log.root, keys, agrees):
            if found.grade is Grade.FAILED:
                seen.problems.append(Problem(found.detail, subject))
            elif found.grade is Grade.WARNING:
                told = Finding("anchors", str(path), found.grade, found.detail, found.hint)
                seen.remarks.append(told)
    except IntegrityError as error:
        seen.problems.append(Problem(error.what, subject))
