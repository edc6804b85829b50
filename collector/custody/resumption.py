"""How far a full verification is, so that one that was interrupted goes on from there.

Rule: kept beside the archive's other files, written whole or not at all, and believed
only for the log it was written for: one that was rolled back or written anew is
verified from the beginning.  Rows, tree and checkpoints are compared anew each time;
what is carried over is which bytes were read, and what was found.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from collector.custody.audit import Problem
from collector.domain.errors import IntegrityError
from collector.ledger.log import Log
from collector.store import durable

NAME = "verification.json"
FORM = "verification/1"
BYTES_MAX = 16 * 1024 * 1024
PROBLEMS_MAX = 10_000
"""More than these are counted only by the run that found them."""
SEQS_MAX = 10_000
"""More entries than these are counted, not named."""

VALID = timedelta(days=7)
"""What was read longer ago is read again."""


@dataclass(slots=True)
class Counted:
    """Entries that something is to be said of: how many, and the first of them."""

    count: int = 0
    seqs: list[int] = field(default_factory=list)

    def add(self, seq: int) -> None:
        """Count one more."""
        self.count += 1
        if len(self.seqs) < SEQS_MAX:
            self.seqs.append(seq)


@dataclass(slots=True)
class Position:
    """What of a full verification is done.

    Attributes:
        size, root: the log when it began.
        seq: the last entry whose bytes were read.
        entries_count: how many these are.
        segments: sealed ones that were walked through to their end.
        problems: found in bytes and segments so far.
        history: how the index was derived, and is compared; as ``History.mark``.
        otherwise: entries whose index tells something else for a reason that was logged.
        uncompared: entries whose index could not be compared.
    """

    began_at: datetime
    size: int
    root: bytes
    seq: int = 0
    entries_count: int = 0
    segments: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    history: str = ""
    otherwise: Counted = field(default_factory=Counted)
    uncompared: Counted = field(default_factory=Counted)


def save(root: Path, position: Position, now: datetime) -> None:
    """Write down how far it is, durably.

    Raises:
        OSError: not writable, or the disk is full.
        IntegrityError: an fsync failed.
    """
    told = {
        "form": FORM,
        "saved_at": now.isoformat(),
        **asdict(position),
        "began_at": position.began_at.isoformat(),
        "root": position.root.hex(),
        "problems": [asdict(each) for each in position.problems[:PROBLEMS_MAX]],
    }
    durable.publish(root / NAME, json.dumps(told).encode())


def load(root: Path, log: Log, history: str, now: datetime) -> Position | None:
    """Return where to go on, ``None`` when there is nothing, or nothing to be believed.

    Args:
        history: what ``Position.history`` would be now: with a rebuilt ledger, or under
            other settings, all is compared anew.
    """
    try:
        with (root / NAME).open("rb") as file:
            told = json.loads(file.read(BYTES_MAX))
        saved_at = datetime.fromisoformat(told["saved_at"])
        if told["form"] != FORM or not timedelta(0) <= now - saved_at <= VALID:
            return None
        position = _decode(told)
        if position.history != history or position.size > log.size():
            return None
        if log.root(position.size) != position.root:
            return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IntegrityError):
        return None
    return position


def clear(root: Path) -> None:
    """Forget it: the verification is done, or another one begins.

    Raises:
        OSError: not writable.
        IntegrityError: an fsync failed.
    """
    if (root / NAME).exists():
        durable.remove(root / NAME)


def _decode(told: dict[str, Any]) -> Position:
    return Position(
        began_at=datetime.fromisoformat(told["began_at"]),
        size=int(told["size"]),
        root=bytes.fromhex(told["root"]),
        seq=int(told["seq"]),
        entries_count=int(told["entries_count"]),
        segments=[str(each) for each in told["segments"]],
        problems=[Problem(**each) for each in told["problems"]],
        history=str(told["history"]),
        otherwise=_counted(told["otherwise"]),
        uncompared=_counted(told["uncompared"]),
    )


def _counted(told: dict[str, Any]) -> Counted:
    return Counted(int(told["count"]), [int(each) for each in told["seqs"]])
