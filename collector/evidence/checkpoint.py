"""The text of a checkpoint (C2SP tlog-checkpoint), signed and read back.

Rule: a checkpoint that is signed was encoded, signed and verified here; one
that is read was verified before it is a value.  Whether one tree continues
another is for the ledger to say, before ``sign_checkpoint`` is called.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from typing import Protocol

from collector.domain.errors import ConfigError
from collector.domain.evidence import HASH_BYTES, TREE_SIZE_MAX, Checkpoint, SignedCheckpoint
from collector.evidence.note import (
    Note,
    NoteError,
    Signature,
    VerifierKey,
    decode_base64,
    decode_note,
    encode_note,
    verify_note,
)

_NOT_ONE_LINE = re.compile("^$|[\x00-\x1f\ud800-\udfff]")
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")


class Signer(Protocol):
    """Whoever holds a private key: this process, a token, another host."""

    @property
    def key(self) -> VerifierKey:
        """The public key its signatures are checked with."""

    def sign(self, text: bytes) -> bytes:
        """Return the Ed25519 signature of ``text``, 64 bytes.

        Raises:
            CycleError: it cannot sign now.
        """


def encode_checkpoint(checkpoint: Checkpoint) -> str:
    """Return the text that is signed.

    Raises:
        ConfigError: the origin or an extension is empty or not one line.
    """
    lines = (checkpoint.origin, str(checkpoint.size), _root(checkpoint), *checkpoint.extensions)
    if any(_NOT_ONE_LINE.search(line) for line in lines):
        raise ConfigError(
            "a checkpoint's origin and extensions are single lines", subject=checkpoint.origin[:80]
        )
    return "".join(f"{line}\n" for line in lines)


def decode_checkpoint(text: str) -> Checkpoint:
    """Read a checkpoint's text; the opposite of ``encode_checkpoint``.

    Raises:
        NoteError: it has another form.
    """
    lines = text.split("\n")
    if len(lines) < 4 or lines.pop() or not all(lines):
        raise _malformed("it is not three or more lines, each with content")
    origin, size, root, *extensions = lines
    if not _SIZE.fullmatch(size) or int(size) > TREE_SIZE_MAX:
        raise _malformed("the second line is not a tree size")
    hashed = decode_base64(root)
    if hashed is None or len(hashed) != HASH_BYTES:
        raise _malformed("the third line is not a root hash")
    return Checkpoint(origin, int(size), hashed, tuple(extensions))


def sign_checkpoint(checkpoint: Checkpoint, signers: Sequence[Signer]) -> SignedCheckpoint:
    """Sign with every one of ``signers`` and verify what came back.

    Raises:
        CycleError: a signer cannot sign now.
        ConfigError: a signer signs with another key than the one known for it.
    """
    text = encode_checkpoint(checkpoint)
    note = Note(text, tuple(_sign(text.encode(), signer) for signer in signers))
    return SignedCheckpoint(checkpoint, encode_note(note))


def read_checkpoint(raw: bytes, keys: Sequence[VerifierKey]) -> SignedCheckpoint:
    """Read a signed checkpoint that at least one of ``keys`` vouches for.

    Raises:
        NoteError: it cannot be read, or its signature is missing or wrong.
    """
    note = decode_note(raw)
    verify_note(note, keys)
    return SignedCheckpoint(decode_checkpoint(note.text), raw)


def _sign(text: bytes, signer: Signer) -> Signature:
    signature = signer.sign(text)
    if not signer.key.verifies(signature, text):
        raise ConfigError(
            "a checkpoint was signed with another key than configured",
            subject=f"{signer.key.name}+{signer.key.key_id:08x}",
            hint="compare the verifier key with the key file or the signing command",
        )
    return Signature(signer.key.name, signer.key.key_id, signature)


def _root(checkpoint: Checkpoint) -> str:
    return base64.b64encode(checkpoint.root).decode()


def _malformed(why: str) -> NoteError:
    return NoteError(f"this is not a checkpoint: {why}")
