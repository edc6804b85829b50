"""What lets a stranger check the archive without trusting us.

Rule: nothing here is a claim of ours alone; each value can be checked with
other people's tools (a C2SP or RFC 6962 verifier, ``openssl``, ``sha256sum``).

"Proof" without an adjective is the domain's ``Proof`` of custody; the Merkle
path of RFC 9162 is always called an inclusion proof.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any

HASH_BYTES = 32
"""Length of a leaf, node or root hash: SHA-256 (RFC 9162, section 2.1)."""

TREE_SIZE_MAX = 2**63 - 1
"""Largest number of leaves we read; every tool of the field holds it in a signed integer."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to the archive, as it was recorded.

    Attributes:
        number: counts from 1 in the order recorded.
        at: UTC.
        keys: values that JSON has a form for.
    """

    number: int
    at: datetime
    name: str
    mailbox: str
    keys: dict[str, Any] = field(hash=False)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The head of the Merkle tree over the ledger (C2SP tlog-checkpoint).

    Attributes:
        origin: the one name of this log, a URL without its scheme; the name of
            its key as well.
        size: number of leaves.
        root: root hash of RFC 9162, section 2.1.1, 32 bytes.
        extensions: further lines; we write none.

    Raises:
        ValueError: the size is out of range or the root not 32 bytes long.
    """

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.size <= TREE_SIZE_MAX:
            raise ValueError("a tree size lies between 0 and 2^63 - 1")
        if len(self.root) != HASH_BYTES:
            raise ValueError("a root hash has 32 bytes")


@dataclass(frozen=True, slots=True)
class SignedCheckpoint:
    """A checkpoint whose signature has been verified.

    Attributes:
        raw: the signed note as it was written, every signature line included;
            this is what is stored, time-stamped and anchored.
    """

    checkpoint: Checkpoint
    raw: bytes


@dataclass(frozen=True, slots=True)
class InclusionProof:
    """The way from one leaf up to the root (RFC 9162, section 2.1.3).

    Attributes:
        index: position of the leaf, from 0.
        hashes: the siblings, nearest to the leaf first, 32 bytes each.
    """

    index: int
    hashes: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class TimeStamp:
    """An authority's word that a checkpoint existed at an instant (RFC 3161).

    Attributes:
        authority: its name in the configuration.
        stamped_at: genTime, UTC.
        accuracy_s: how far genTime may be off, ``None`` when it does not say.
        serial: the authority's number for this stamp.
        policy: object identifier of the policy it was issued under.
        raw: the whole TimeStampResp, as received; the ``.tsr`` file of openssl.
    """

    authority: str
    stamped_at: datetime
    accuracy_s: float | None
    serial: int
    policy: str
    raw: bytes


class StampState(Enum):
    """How the time stamp of a checkpoint stands against the moment it was signed.

    ``AHEAD``: stamped before we say we signed; our clock was ahead.
    """

    AWAITED = "awaited"
    OVERDUE = "overdue"
    ON_TIME = "on-time"
    LATE = "late"
    AHEAD = "ahead"
