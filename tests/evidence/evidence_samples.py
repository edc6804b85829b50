"""Keys, trees and checkpoints that the tests of the evidence room share."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from collector.domain.evidence import Checkpoint, InclusionProof, SignedCheckpoint
from collector.evidence.checkpoint import sign_checkpoint
from collector.evidence.keys import KeySigner

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
ORIGIN = "archive.example/journal"


def signer_of(name: str = ORIGIN, seed: int = 1) -> KeySigner:
    """Return a signer whose key depends on ``seed`` alone."""
    return KeySigner(name, Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32))


def root_of(leaves: Sequence[bytes]) -> bytes:
    """Return MTH(D[n]) straight from its definition (RFC 9162, section 2.1.1)."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    split = _split(len(leaves))
    return hashlib.sha256(b"\x01" + root_of(leaves[:split]) + root_of(leaves[split:])).digest()


def path_of(index: int, leaves: Sequence[bytes]) -> tuple[bytes, ...]:
    """Return PATH(m, D[n]) straight from its definition (RFC 9162, section 2.1.3.1)."""
    if len(leaves) == 1:
        return ()
    split = _split(len(leaves))
    if index < split:
        return (*path_of(index, leaves[:split]), root_of(leaves[split:]))
    return (*path_of(index - split, leaves[split:]), root_of(leaves[:split]))


def inclusion_of(index: int, leaves: Sequence[bytes]) -> InclusionProof:
    """Return the inclusion proof of one of ``leaves``."""
    return InclusionProof(index, path_of(index, leaves))


def checkpoint_of(leaves: Sequence[bytes], *signers: KeySigner) -> SignedCheckpoint:
    """Return the signed head of the tree over ``leaves``."""
    checkpoint = Checkpoint(ORIGIN, len(leaves), root_of(leaves))
    return sign_checkpoint(checkpoint, signers or (signer_of(),))


def sync(fd: int, _path: Path) -> None:
    """Make an open file or directory durable, as the store does."""
    os.fsync(fd)


def _split(count: int) -> int:
    """Return the largest power of two below ``count``."""
    return 1 << (count - 1).bit_length() - 1
