"""An inclusion proof in one text file (C2SP tlog-proof), and its check.

Rule: written from RFC 9162 and the C2SP text alone, and not with the code that
builds the tree: whoever computes the proof is not the one who checks it.
"""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass

from collector.domain.evidence import HASH_BYTES, TREE_SIZE_MAX, InclusionProof
from collector.evidence.note import NoteError, decode_base64

HASHES_MAX = 63
"""Height of the largest tree."""

_HEADER = "c2sp.org/tlog-proof@v1"
_INDEX = re.compile(r"index (0|[1-9][0-9]{0,18})")
_LEAF, _NODE = b"\x00", b"\x01"
"""Domain separation (RFC 9162, section 2.1.1)."""


@dataclass(frozen=True, slots=True)
class TlogProof:
    """What stands in a ``.tlog-proof`` file.

    Attributes:
        note: the signed checkpoint, not verified.
        extra: opaque bytes that nothing vouches for; we write none.
    """

    inclusion: InclusionProof
    note: bytes
    extra: bytes = b""


def encode_tlog_proof(proof: TlogProof) -> bytes:
    """Return the text of the file."""
    lines = [_HEADER]
    if proof.extra:
        lines.append(f"extra {base64.b64encode(proof.extra).decode()}")
    lines.append(f"index {proof.inclusion.index}")
    lines += [base64.b64encode(sibling).decode() for sibling in proof.inclusion.hashes]
    return "".join(f"{line}\n" for line in (*lines, "")).encode() + proof.note


def decode_tlog_proof(raw: bytes) -> TlogProof:
    """Read the text of the file; the opposite of ``encode_tlog_proof``.

    Raises:
        NoteError: it has another form.
    """
    head, separator, note = raw.partition(b"\n\n")
    header, *lines = head.decode(errors="replace").split("\n")
    if header != _HEADER or not separator or not note:
        raise _malformed("it does not begin as one")
    extra = b""
    if lines and lines[0].startswith("extra "):
        extra = decode_base64(lines.pop(0).removeprefix("extra ")) or b""
        if not extra:
            raise _malformed("its extra data is not base64")
    index = _INDEX.fullmatch(lines[0]) if lines else None
    if index is None or int(index[1]) > TREE_SIZE_MAX:
        raise _malformed("the index of the entry is missing")
    hashes = tuple(decode_base64(line) or b"" for line in lines[1:])
    if len(hashes) > HASHES_MAX or any(len(sibling) != HASH_BYTES for sibling in hashes):
        raise _malformed("a line is not a hash")
    return TlogProof(InclusionProof(int(index[1]), hashes), note, extra)


def hash_leaf(record: bytes) -> bytes:
    """Return the hash of a leaf (RFC 9162, section 2.1.1)."""
    return hashlib.sha256(_LEAF + record).digest()


def includes(record: bytes, inclusion: InclusionProof, size: int, root: bytes) -> bool:
    """Say whether ``record`` is the leaf at that index of the tree (RFC 9162, section 2.1.3.2)."""
    if not 0 <= inclusion.index < size:  # step 1
        return False
    position, last = inclusion.index, size - 1  # step 2
    node = hash_leaf(record)  # step 3
    for sibling in inclusion.hashes:  # step 4
        if last == 0:  # 4.1
            return False
        if position % 2 or position == last:  # 4.2
            node = hashlib.sha256(_NODE + sibling + node).digest()
            while position and not position % 2:
                position, last = position >> 1, last >> 1
        else:  # 4.3
            node = hashlib.sha256(_NODE + node + sibling).digest()
        position, last = position >> 1, last >> 1  # 4.4
    return last == 0 and node == root  # step 5


def _malformed(why: str) -> NoteError:
    return NoteError(f"this is not a tlog-proof: {why}")
