"""Selects a folder, and reads what the server says of it then.

Rule: with QRESYNC (RFC 7162, section 3.2.5) one command tells what was expunged and
flagged since the last listing; without it the same command tells only how the folder
stands.  What the server tells is bounded; where it tells more, it counts as not told.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, field

from collector.domain.errors import CycleError
from collector.domain.mailbox import Flagged, Horizon
from collector.domain.uids import UidRange, union
from collector.source.client import Client, quoted
from collector.source.lines import (
    Facts,
    begin_facts,
    exists_of,
    foreign_flags,
    uid_of,
    vanished_of,
)
from collector.source.refusal import Refused

DELETED = rb"\Deleted"
FLAGGED_MAX = 1_000
MODSEQ_MAX = 2**63 - 1
"""RFC 7162, section 7."""
VANISHED_MAX = 20_000
"""Ranges; a line of the answer holds at most about 260,000."""

_CODE = re.compile(
    rb"\* OK \[(?:(UIDVALIDITY|UIDNEXT) (\d{1,10})|(HIGHESTMODSEQ) (\d{1,19}))\]", re.IGNORECASE
)
_PERMANENT = re.compile(rb"\* OK \[PERMANENTFLAGS \(([^)]*)\)\]", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Selected:
    """What the server said of the folder when it was selected (RFC 9051, section 6.3.2).

    Attributes:
        uidnext: 0 when it did not say.
        writable: the folder was opened READ-WRITE.
        permanent_flags: ``None`` when it did not say: then all flags can be changed.
        modseq: HIGHESTMODSEQ, 0 when it did not say.
        vanished, flagged: as in ``Listing``.
    """

    uidvalidity: int
    uidnext: int
    exists: int
    writable: bool
    permanent_flags: tuple[bytes, ...] | None
    modseq: int = 0
    vanished: tuple[UidRange, ...] | None = None
    flagged: tuple[Flagged, ...] = ()

    @property
    def deletable(self) -> bool:
        r"""Whether \Deleted can be set for good; a missing right ``t`` shows here."""
        flags = self.permanent_flags
        return flags is None or DELETED.lower() in [flag.lower() for flag in flags]


def select(client: Client, folder: str, horizon: Horizon | None = None) -> Selected:
    """Select ``folder`` for writing, whatever was selected before (RFC 9051, section 6.3.2).

    Args:
        horizon: what changed since is asked for, where the server can tell.

    Raises:
        CycleError: it has no UIDVALIDITY, so its UIDs mean nothing.
        ValueError: the answer is not well formed.
        OSError, imaplib.IMAP4.error: it cannot be selected.
    """
    command = b"SELECT " + quoted(folder)
    asks = horizon if client.resyncs else None
    if asks is not None:
        command += b" (QRESYNC (%d %d))" % (asks.uidvalidity, asks.modseq)
    answer = _Answer()
    for line in client.run(command):
        answer.take(line)
    client.wire.state = "SELECTED"
    codes = answer.codes
    if not codes.get(b"UIDVALIDITY"):
        raise CycleError("the server does not number its messages for good", subject=folder)
    modseq = codes.get(b"HIGHESTMODSEQ", 0) if client.resyncs else 0
    modseq = modseq if modseq <= MODSEQ_MAX else 0
    same = asks is not None and asks.uidvalidity == codes[b"UIDVALIDITY"]
    told = same and modseq > 0 and len(answer.vanished) <= VANISHED_MAX
    return Selected(
        uidvalidity=codes[b"UIDVALIDITY"],
        uidnext=codes.get(b"UIDNEXT", 0),
        exists=answer.exists,
        writable=b"[READ-WRITE]" in client.concluded.upper(),
        permanent_flags=answer.permanent_flags,
        modseq=modseq,
        vanished=tuple(union(sorted(answer.vanished), ())) if told else None,
        flagged=tuple(answer.flagged) if same else (),
    )


def enable_resync(client: Client) -> None:
    """Let the server tell of expunged UIDs, where it can; once for every connection.

    Raises:
        OSError, imaplib.IMAP4.error: the connection is lost.
    """
    if client.has_capability("ENABLE") and client.has_capability("QRESYNC"):
        with suppress(Refused):
            client.resyncs = any(
                line.upper().startswith(b"* ENABLED") and b"QRESYNC" in line.upper().split()
                for line in client.ask(b"ENABLE QRESYNC")
            )


@dataclass(slots=True)
class _Answer:
    exists: int = 0
    codes: dict[bytes, int] = field(default_factory=dict)
    permanent_flags: tuple[bytes, ...] | None = None
    vanished: list[UidRange] = field(default_factory=list)
    flagged: list[Flagged] = field(default_factory=list)

    def take(self, line: bytes) -> None:
        """Take one untagged line."""
        facts: Facts = {}
        if (count := exists_of(line)) is not None:
            self.exists = count
        elif found := _CODE.match(line):
            self.codes[(found[1] or found[3]).upper()] = int(found[2] or found[4])
        elif found := _PERMANENT.match(line):
            self.permanent_flags = tuple(found[1].split())
        elif gone := vanished_of(line):
            self.vanished += gone[0][: VANISHED_MAX + 1 - len(self.vanished)]
        elif b"\\" in line and len(self.flagged) < FLAGGED_MAX and begin_facts(line, facts):
            uid, flags = uid_of(facts), foreign_flags(facts)
            if uid is not None and flags:
                self.flagged.append(Flagged(uid, flags))
