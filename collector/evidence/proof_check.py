"""Checks the files of a proof offline, without the archive.

Rule: nothing in the directory is trusted because it lies there.  Keys and
certificates count when the caller gives them; those of the bundle are used for
want of better, and then said to be unconfirmed.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from io import BufferedReader
from pathlib import Path

from collector.domain.errors import CollectorError, IntegrityError
from collector.domain.evidence import SignedCheckpoint, StampState, TimeStamp
from collector.domain.finding import Finding, Grade
from collector.evidence.checkpoint import read_checkpoint
from collector.evidence.keys import decode_public_key
from collector.evidence.lateness import span
from collector.evidence.note import VerifierKey
from collector.evidence.proof_bundle import (
    CHECKPOINT,
    DIGEST_IN_RECORD,
    KEYS,
    MESSAGE,
    PROOF,
    RECORD,
)
from collector.evidence.timestamp import stamp_state, verify_stamp
from collector.evidence.tlog_proof import decode_tlog_proof, includes

FILE_BYTES_MAX = 1024 * 1024
"""Limit of every file but the message."""

STAMPS_MAX = 20

LATE_AFTER = timedelta(hours=2)
"""As the archive has it by default: authorities are asked once an hour."""

_COMMITTED_IN_RECORD = re.compile(rb'"committed_at": ?"([0-9T:.Z-]{20,32})"')


@dataclass(frozen=True, slots=True)
class Trust:
    """What the checker knows from elsewhere.

    Attributes:
        keys: verifier keys published for the archive.
        certificates: PEM by name of authority.
        late_after: a stamp that comes later than this after the commit is named as late.
    """

    keys: Sequence[VerifierKey] = ()
    certificates: Mapping[str, bytes] = field(default_factory=dict)
    late_after: timedelta = LATE_AFTER


def check_proof(directory: Path, trust: Trust | None = None) -> list[Finding]:
    """Check every file of a proof and return one finding for each step, in order."""
    check = _Check(directory, trust or Trust())
    return [
        check.step("message", MESSAGE, check.message),
        check.step("inclusion", PROOF, check.inclusion),
        check.step("signature", CHECKPOINT, check.signature),
        *check.stamps(),
    ]


@dataclass(frozen=True, slots=True)
class _Doubt:
    """A step that holds if what it rests on is confirmed elsewhere."""

    detail: str
    hint: str


@dataclass(frozen=True, slots=True)
class _Check:
    directory: Path
    trust: Trust

    def step(self, name: str, subject: str, look: Callable[[], str | _Doubt]) -> Finding:
        """Run one step; what it cannot believe becomes a finding."""
        try:
            seen = look()
        except CollectorError as error:
            return Finding(name, subject, Grade.FAILED, str(error))
        if isinstance(seen, _Doubt):
            return Finding(name, subject, Grade.WARNING, seen.detail, seen.hint)
        return Finding(name, subject, Grade.OK, seen)

    def message(self) -> str:
        """The message has the digest that the record names."""
        named = DIGEST_IN_RECORD.findall(self._read(RECORD))
        with self._open(MESSAGE) as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if named != [found.encode()]:
            raise IntegrityError("the record is of another message", subject=f"sha256:{found}")
        return f"sha256:{found} is the digest in the record"

    def inclusion(self) -> str:
        """The record is in the tree of the checkpoint beside it."""
        proof = decode_tlog_proof(self._read(PROOF))
        if proof.note != self._read(CHECKPOINT):
            raise IntegrityError("the inclusion proof is for another checkpoint", subject=PROOF)
        tree = self._checkpoint().checkpoint
        index = proof.inclusion.index
        if not includes(self._read(RECORD), proof.inclusion, tree.size, tree.root):
            raise IntegrityError("the record is not in the tree", subject=f"entry {index}")
        return f"the record is entry {index} of {tree.size}"

    def signature(self) -> str | _Doubt:
        """A known key signed the checkpoint."""
        tree = self._checkpoint().checkpoint
        detail = f"signed for {tree.origin} with {tree.size} entries"
        if self.trust.keys:
            return detail
        keys = ", ".join(map(str, self._keys()))
        return _Doubt(
            f"{detail}, by the key that lies in the proof itself",
            f"compare it with the one published for this archive: {keys}",
        )

    def stamps(self) -> Iterator[Finding]:
        """Every time stamp holds for the checkpoint."""
        names = sorted(path.name for path in self.directory.glob("*.tsr"))
        for name in names[:STAMPS_MAX]:
            yield self.step("time-stamp", name, lambda name=name: self._stamp(name))  # type: ignore[misc]
        if not names:
            yield Finding(
                "time-stamp",
                CHECKPOINT,
                Grade.WARNING,
                "no time stamp: the time is only what the archive says",
            )

    def _stamp(self, name: str) -> str | _Doubt:
        authority = name.removesuffix(".tsr")
        given = self.trust.certificates.get(authority)
        certificates = given or self._read(f"{authority}.pem")
        stamp = verify_stamp(authority, self._read(name), self._read(CHECKPOINT), certificates)
        detail = f"stamped at {stamp.stamped_at.isoformat()}, serial {stamp.serial:x}"
        distance, is_in_time = self._distance(stamp)
        detail += f", {distance}"
        if not given:
            return _Doubt(
                f"{detail}, by certificates that lie in the proof itself",
                f"compare {authority}.pem with the authority's own publication",
            )
        if not is_in_time:
            hint = "the stamp is true; the time between commit and stamp is the archive's word"
            return _Doubt(detail, hint)
        return detail

    def _distance(self, stamp: TimeStamp) -> tuple[str, bool]:
        """Return how the stamp stands to the time in the record, and whether that is in order."""
        found = _COMMITTED_IN_RECORD.search(self._read(RECORD))
        try:
            committed_at = datetime.fromisoformat(found[1].decode()) if found else None
        except ValueError:
            committed_at = None
        if committed_at is None or committed_at.tzinfo is None:
            return "the record names no time to compare it with", False
        late_after, stamped_at = self.trust.late_after, stamp.stamped_at
        state = stamp_state(committed_at, stamped_at, now=stamped_at, late_after=late_after)
        by = span(abs(stamped_at - committed_at))
        match state:
            case StampState.LATE:
                return f"late: {by} after the commit (limit {span(late_after)})", False
            case StampState.AHEAD:
                return f"{by} before the commit: the archive's clock was ahead", False
        return f"{by} after the commit", True

    def _checkpoint(self) -> SignedCheckpoint:
        return read_checkpoint(self._read(CHECKPOINT), self.trust.keys or self._keys())

    def _keys(self) -> list[VerifierKey]:
        """Return the bundle's own keys, each of which lies there in both forms."""
        keys = [
            VerifierKey.parse(line) for line in self._read(KEYS).decode(errors="replace").split()
        ]
        for key in keys:
            name = f"key-{key.key_id:08x}.pem"
            if decode_public_key(key.name, self._read(name)) != key:
                raise IntegrityError("a key file holds another key than keys.vkey", subject=name)
        return keys

    def _read(self, name: str) -> bytes:
        with self._open(name) as file:
            content = file.read(FILE_BYTES_MAX + 1)
        if len(content) > FILE_BYTES_MAX:
            raise IntegrityError("a file of the proof is too long", subject=name)
        return content

    def _open(self, name: str) -> BufferedReader:
        """Open a regular file; a link, pipe or device would lead elsewhere or never end."""
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            file = os.fdopen(os.open(self.directory / name, flags), "rb")
        except OSError as error:
            what = f"a file of the proof cannot be read: {error.strerror}"
            raise IntegrityError(what, subject=name) from error
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            file.close()
            raise IntegrityError("this is not a regular file", subject=name)
        return file
