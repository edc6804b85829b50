"""Verifies an archive as a person asked for it: ``collector verify``.

Rule: runs beside the service, and writes nothing but that it ran, and how far a full
verification is.  What an interrupted one has read is not read again; what it found is
told again.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from collector.config import Settings
from collector.custody import resumption
from collector.custody.audit import Audit, Follower, Problem, Signed
from collector.custody.resumption import Position
from collector.custody.watch import utc_now
from collector.domain.custody import LedgerEntry
from collector.domain.errors import CollectorError, ConfigError, IntegrityError
from collector.domain.evidence import Event
from collector.domain.finding import Finding
from collector.evidence.note import VerifierKey
from collector.ledger.ledger import Ledger
from collector.service.assemble import open_reading
from collector.service.evidence import directory_of, known_keys
from collector.service.outside import authorities
from collector.service.stamps import Outside, count_outside, look_outside
from collector.store.layout import is_sealed

SAVE_S = 10.0
"""Between two notes of how far a full verification is."""

SEED_MAX = 2**32
STORED_STEP = 500

Move = Callable[[int, int | None], None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is verified.

    Attributes:
        sample: so many entries, drawn at random; ``None``: all.
        seed: of the draw; ``None``: a new one.
        since: entries committed at this instant or later; ``None``: all.
        bodies: read the messages, too.
        full_every: everything instead, when the last full verification is older than
            this or was interrupted.
        anew: do not go on with an interrupted full verification.
        keys: verifier keys that were published; none: those beside the checkpoints.
        anchors: files and folders of notes that were kept outside.
    """

    sample: int | None = None
    seed: int | None = None
    since: datetime | None = None
    bodies: bool = True
    full_every: timedelta | None = None
    anew: bool = False
    keys: tuple[str, ...] = ()
    anchors: tuple[Path, ...] = ()

    @property
    def full(self) -> bool:
        """Nothing is left out."""
        return self.bodies and self.sample is None and self.since is None


@dataclass(frozen=True, slots=True)
class Verified:
    """What was looked at and what came of it.

    Attributes:
        wanted: what was verified in the end; with the seed of the draw.
        finished: ``False``: it was stopped before its end.
        entries: whose rows, or bytes, were compared.
        resumed: how many of these by runs that were interrupted.
        problems: everything that is not as it was recorded.
        remarks: what is not broken; one with a hint needs a person.
    """

    wanted: Wanted
    finished: bool
    began_at: datetime
    entries: int
    resumed: int
    problems: list[Problem]
    outside: Outside

    @property
    def remarks(self) -> list[Finding]:
        """What is not broken, but should be known."""
        return self.outside.remarks


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
        saved = None if wanted.anew else resumption.load(root, ledger.log, now)
        wanted = _what_is_due(wanted, ledger, saved is not None, now)
        position = (saved if wanted.full else None) or _beginning(ledger, now)
        run = _Run(root, position, wanted, _total(ledger, wanted), move, stop)
        signed = Signed(directory_of(root), keys)
        audit = Audit(archive, ledger, signed, run)
        resumed, problems, finished = position.entries_count, list[Problem](), True
        try:
            run.audit(audit, problems)
        except _StoppedError:
            finished = False
        if finished:
            anchors = _anchors(settings, wanted)
            outside = look_outside(settings, ledger.log, signed, now, anchors=anchors)
            problems += outside.problems
        else:
            outside = count_outside(signed.directory)
        entries = run.entries if wanted.bodies else ledger.last_seq()
        verified = Verified(
            wanted, finished, position.began_at, entries, resumed, problems, outside
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


def _beginning(ledger: Ledger, now: datetime) -> Position:
    try:
        return Position(now, *ledger.log.head())
    except IntegrityError:  # the audit will name it
        return Position(now, 0, b"")


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


def _chosen(ledger: Ledger, wanted: Wanted) -> Iterator[LedgerEntry]:
    """Yield the entries that were asked for, in order."""
    draw = random.Random(wanted.seed)  # noqa: S311 - a sample, not a secret
    if wanted.since is None:
        last = ledger.last_seq()
        for seq in sorted(draw.sample(range(1, last + 1), min(wanted.sample or last, last))):
            yield from ledger.entries(seq, seq)
        return
    since = wanted.since
    entries = (each for each in ledger.entries() if each.receipt.committed_at >= since)
    yield from entries if wanted.sample is None else _sample(entries, wanted.sample, draw)


def _sample(entries: Iterator[LedgerEntry], size: int, draw: random.Random) -> list[LedgerEntry]:
    """Return ``size`` entries, each as likely as any other (reservoir), in order."""
    kept: list[LedgerEntry] = []
    for count, entry in enumerate(entries, 1):
        if len(kept) < size:
            kept.append(entry)
        elif (place := draw.randrange(count)) < size:
            kept[place] = entry
    return sorted(kept, key=lambda entry: entry.seq)


class _StoppedError(Exception):
    """Somebody wants the verification to end now."""


class _Run(Follower):
    """Follows an audit: counts, moves the bar, saves how far it is, stops."""

    def __init__(
        self,
        root: Path,
        position: Position,
        wanted: Wanted,
        total: int,
        move: Move,
        stop: Callable[[], bool],
    ) -> None:
        self._root, self._position, self._wanted = root, position, wanted
        self._total, self._move, self._stop = total, move, stop
        self._done = position.entries_count if wanted.full else 0
        self._stored = 0
        self._save_at_s = time.monotonic() + SAVE_S
        self.entries = position.entries_count if wanted.full else 0

    def audit(self, audit: Audit, problems: list[Problem]) -> None:
        """Put everything that is found into ``problems``."""
        found = self._position.problems
        known = set(found)
        problems.extend(found)
        problems.extend(audit.without_bodies())
        if not self._wanted.full:
            chosen = _chosen(audit.ledger, self._wanted) if self._wanted.bodies else ()
            problems.extend(audit.messages(chosen))
            return
        problems.extend(audit.foreign_files())
        remaining = audit.ledger.entries(self._position.seq + 1)
        walked = frozenset(self._position.segments)
        for steps in (audit.messages(remaining), audit.segments(walked)):
            for problem in steps:
                if problem not in known:  # a segment that was half scanned is scanned again
                    known.add(problem)
                    found.append(problem)
                    problems.append(problem)

    def close(self, *, finished: bool) -> None:
        """Keep how far it is, or forget it when it is done."""
        if self._wanted.full:
            with suppress(OSError):  # a read-only copy
                resumption.clear(self._root) if finished else self._save()

    def leaves(self, count: int) -> None:
        """So many more leaves were compared."""
        self._step(count)

    def reread(self, entries: Sequence[LedgerEntry]) -> None:
        """The bytes of these were compared."""
        self.entries += len(entries)
        if self._wanted.full:
            self._position.seq = entries[-1].seq
            self._position.entries_count = self.entries
        self._step(len(entries))

    def stored(self, count: int) -> None:
        """So many more stored messages were compared."""
        self._stored += count
        if self._stored >= STORED_STEP:
            self._step(self._stored)
            self._stored = 0

    def scanned(self, segment: str) -> None:
        """All of a segment was; one that is still open may grow, and is walked again."""
        if is_sealed(segment):
            self._position.segments.append(segment)
        self._step(self._stored)
        self._stored = 0

    def _step(self, count: int) -> None:
        self._done += count
        self._move(min(self._done, self._total), self._total)
        if self._stop():
            raise _StoppedError
        if self._wanted.full and time.monotonic() >= self._save_at_s:
            self._save_at_s = time.monotonic() + SAVE_S
            with suppress(OSError):
                self._save()

    def _save(self) -> None:
        resumption.save(self._root, self._position, utc_now())
