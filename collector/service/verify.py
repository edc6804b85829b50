"""Verifies an archive as a person asked for it: ``collector verify``.

Rule: runs beside the service, and writes nothing but that it ran, and how far a full
verification is.  What an interrupted one has read is not read again; what it found is
told again.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from collector.config import Settings
from collector.custody import resumption
from collector.custody.audit import Audit, Problem, Signed
from collector.custody.derivation import History
from collector.custody.resumption import Counted, Position
from collector.custody.watch import utc_now
from collector.domain.errors import CollectorError, ConfigError, IntegrityError
from collector.domain.evidence import Event
from collector.domain.finding import Finding, Grade
from collector.evidence.note import VerifierKey
from collector.ledger.ledger import Ledger
from collector.service.assemble import derivation_of, open_reading
from collector.service.evidence import directory_of, known_keys
from collector.service.facts import Facts, finding_facts, instant
from collector.service.outside import authorities
from collector.service.selection import Wanted
from collector.service.stamps import Outside, count_outside, look_outside
from collector.service.verify_run import Move, Run, StoppedError

SEED_MAX = 2**32
NAMED_MAX = 100
"""Entries named in one remark; the rest is counted."""


@dataclass(frozen=True, slots=True)
class Verified:
    """What was looked at and what came of it.

    Attributes:
        wanted: what was verified in the end; with the seed of the draw.
        finished: ``False``: it was stopped before its end.
        entries: whose rows, or bytes, were compared.
        resumed: how many of these by runs that were interrupted.
        problems: everything that is not as it was recorded.
        otherwise: entries whose index tells another envelope than their bytes do now, where
            the log says that they were taken in by another version or under other settings.
        uncompared: entries whose index could not be compared with their bytes.
        remarks: what is not broken; one with a hint needs a person.
    """

    wanted: Wanted
    finished: bool
    began_at: datetime
    entries: int
    resumed: int
    problems: list[Problem]
    outside: Outside
    otherwise: Counted
    uncompared: Counted

    @property
    def remarks(self) -> list[Finding]:
        """What is not broken, but should be known."""
        return [*self.outside.remarks, *self._of_the_index()]

    def _of_the_index(self) -> Iterator[Finding]:
        if count := self.otherwise.count:
            named = _named(self.otherwise)
            detail = (
                f"{count} entries taken in under other settings or by another version tell "
                f"another envelope now: seq {named}; `collector rebuild` derives all anew"
            )
            yield Finding("index", "ledger.db", Grade.WARNING, detail)
        if count := self.uncompared.count:
            named = _named(self.uncompared)
            detail = f"the index of {count} large messages was not compared: seq {named}"
            hint = "it needs room on the archive's disk, and the right to write there"
            yield Finding("index", "ledger.db", Grade.WARNING, detail, hint)


def verify(
    settings: Settings, wanted: Wanted, move: Move, stop: Callable[[], bool] = lambda: False
) -> Verified:
    """Verify what is wanted, or until ``stop`` says so.

    ``move`` is told (done, total) of leaves, entries and stored messages together.

    Raises:
        ConfigError: there is no archive, or a key, certificates or an anchor cannot be read.
    """
    root, now = settings.archive.path, utc_now()
    _require_readable(settings, wanted)  # before hours of reading, not behind them
    with open_reading(settings) as (archive, ledger):
        keys = [VerifierKey.parse(text) for text in wanted.keys] or known_keys(root)
        history = History(ledger, derivation_of(settings))
        saved = None
        if not wanted.anew:
            saved = resumption.load(root, ledger.log, history.mark(), now)
        wanted = _what_is_due(wanted, ledger, saved is not None, now)
        position = (saved if wanted.full else None) or _beginning(ledger, history, now)
        run = Run(root, position, wanted, _total(ledger, wanted), move, stop)
        signed = Signed(directory_of(root), keys)
        audit = Audit(archive, ledger, signed, run, history)
        resumed, problems, finished = position.entries_count, list[Problem](), True
        try:
            run.audit(audit, problems)
        except StoppedError:
            finished = False
        if finished:
            anchors = _anchors(settings, wanted)
            outside = look_outside(settings, ledger.log, signed, now, anchors=anchors)
            problems += outside.problems
        else:
            outside = count_outside(signed.directory)
        entries = run.entries if wanted.bodies else ledger.last_seq()
        verified = Verified(
            wanted,
            finished,
            position.began_at,
            entries,
            resumed,
            problems,
            outside,
            position.otherwise,
            position.uncompared,
        )
        run.close(finished=finished)
        if finished and wanted.bodies:
            with suppress(CollectorError):  # a read-only copy, or what was just found broken
                keys_told = _event_keys(verified)
                ledger.record_event("archive.verified", utc_now(), mailbox="", **keys_told)
        return verified


def _require_readable(settings: Settings, wanted: Wanted) -> None:
    authorities(settings)
    for path in wanted.anchors:
        if not path.exists():
            what = "the anchors to compare with are not there"
            raise ConfigError(what, subject=str(path), hint="name a file or a folder")


def last_full_verification(ledger: Ledger) -> Event | None:
    """Return the event of the last full verification that came to its end, if any did."""
    events = ledger.events(names=["archive.verified"])
    return next((each for each in events if each.keys.get("whole")), None)


def _event_keys(verified: Verified) -> dict[str, object]:
    wanted, outside = verified.wanted, verified.outside
    return {
        "whole": wanted.full,
        "began_at": verified.began_at.isoformat(),
        "entries_count": verified.entries,
        "broken": len(verified.problems),
        "otherwise": verified.otherwise.count,
        "sample": wanted.sample,
        "seed": wanted.seed,
        "checkpoints_count": outside.checkpoints,
        "stamped_count": outside.stamped,
        "late_count": outside.late,
        "agreed_count": outside.agreed,
    }


def _what_is_due(wanted: Wanted, ledger: Ledger, interrupted: bool, now: datetime) -> Wanted:  # noqa: FBT001
    """Return what is verified: with ``full_every``, everything when it is time for that."""
    if wanted.full_every is not None:
        last = last_full_verification(ledger)
        if interrupted or last is None or now - last.at >= wanted.full_every:
            return replace(wanted, sample=None, since=None)
    if wanted.sample is not None and wanted.seed is None:
        return replace(wanted, seed=random.randrange(SEED_MAX))  # noqa: S311 - not a secret
    return wanted


def _beginning(ledger: Ledger, history: History, now: datetime) -> Position:
    try:
        return Position(now, *ledger.log.head(), history=history.mark())
    except IntegrityError:  # the audit will name it
        return Position(now, 0, b"", history=history.mark())


def _named(entries: Counted) -> str:
    told = ", ".join(map(str, entries.seqs[:NAMED_MAX]))
    return told if entries.count <= NAMED_MAX else f"{told} and more"


def _total(ledger: Ledger, wanted: Wanted) -> int:
    """Return what there is to do; each message counts for its row, and where it is stored."""
    leaves, entries = ledger.log.size(), ledger.last_seq()
    if not wanted.bodies:
        return leaves
    if wanted.full:
        return leaves + 2 * entries
    return leaves + min(entries, wanted.sample or entries)


def _anchors(settings: Settings, wanted: Wanted) -> Sequence[Path]:
    """Return what the log is compared with; in full also the files it was anchored in."""
    own = settings.evidence.anchor_files if wanted.full else ()
    there = (each for each in own if each.exists() and each not in wanted.anchors)
    return [*wanted.anchors, *there]


def verified_facts(verified: Verified) -> Facts:
    """Return the result of ``verify --json``, without the problems themselves."""
    wanted, outside = verified.wanted, verified.outside
    return {
        "verified": verified.entries,
        "broken": len(verified.problems),
        "full": wanted.full,
        "finished": verified.finished,
        "began_at": instant(verified.began_at),
        "resumed": verified.resumed,
        "sample": wanted.sample,
        "seed": wanted.seed,
        "checkpoints": {
            "count": outside.checkpoints,
            "stamped": outside.stamped,
            "late": outside.late,
            "missing": outside.missing,
            "anchored": outside.anchored,
        },
        "index": {
            "otherwise": verified.otherwise.count,
            "otherwise_seqs": verified.otherwise.seqs,
            "uncompared": verified.uncompared.count,
        },
        "anchors": {"agreed": outside.agreed, "newest_leaves": outside.newest_agreed},
        "remarks": [finding_facts(each) for each in verified.remarks],
    }
