"""The Merkle tree over entries and events (RFC 9162, section 2.1; the same as RFC 6962).

Rule: pure.  Knows hashes and positions, not what a leaf says (``encoding``) and
not where nodes are kept: who makes a proof hands in a function that reads them.

A tree only grows.  Node (level, index) is the root of the ``index``-th complete
subtree of 2**level leaves; once complete it never changes, so it is written once.
Every other hash is computed from these.  Making a proof of a tree of n leaves
reads at most log2(n) * log2(n) nodes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from collector.domain.evidence import InclusionProof

EMPTY_ROOT = hashlib.sha256(b"").digest()
ReadNode = Callable[[int, int], bytes]
"""(level, index) to hash, for complete subtrees."""


@dataclass(frozen=True, slots=True)
class Node:
    """A complete subtree."""

    level: int
    index: int
    hash: bytes


def leaf_hash(leaf: bytes) -> bytes:
    """Return the hash of a leaf's bytes (section 2.1.1)."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node (section 2.1.1)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class Tree:
    """The right edge of a growing tree: enough to append and to know the root.

    Args:
        size: number of leaves it has already.
        read: gives its complete nodes; not asked when ``size`` is 0.
    """

    def __init__(self, size: int = 0, read: ReadNode | None = None) -> None:
        self.size = size
        self._edge = [read(*place) for place in _subtrees(0, size)] if read else []
        if len(self._edge) != size.bit_count():
            raise ValueError("a tree with leaves needs its nodes")

    def append(self, leaf: bytes) -> list[Node]:
        """Add a leaf by its hash; return the nodes that are complete by it, leaf first."""
        nodes = [Node(0, self.size, leaf)]
        while self.size >> nodes[-1].level & 1:
            right = nodes[-1]
            both = node_hash(self._edge.pop(), right.hash)
            nodes.append(Node(right.level + 1, right.index >> 1, both))
        self._edge.append(nodes[-1].hash)
        self.size += 1
        return nodes

    def extend(self, leaves: Iterable[bytes]) -> Iterator[Node]:
        """Add leaves by their hashes; yield the nodes that are complete by them."""
        for leaf in leaves:
            yield from self.append(leaf)

    def root(self) -> bytes:
        """Return the root hash (section 2.1.1)."""
        return _fold(self._edge) if self._edge else EMPTY_ROOT


def root(size: int, read: ReadNode) -> bytes:
    """Return the root hash of the first ``size`` leaves."""
    return _root(0, size, read) if size else EMPTY_ROOT


def prove_inclusion(index: int, size: int, read: ReadNode) -> InclusionProof:
    """Return the way from leaf ``index`` to the root of ``size`` leaves (section 2.1.3.1).

    Raises:
        ValueError: there is no such leaf.
    """
    if not 0 <= index < size:
        raise ValueError(f"there is no leaf {index} in a tree of {size}")
    hashes: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        split = _split(start, end)
        if index < split:
            hashes.append(_root(split, end, read))
            end = split
        else:
            hashes.append(_root(start, split, read))
            start = split
    return InclusionProof(index, tuple(reversed(hashes)))


def prove_consistency(old: int, new: int, read: ReadNode) -> tuple[bytes, ...]:
    """Return that the first ``old`` of ``new`` leaves are still the same (section 2.1.4.1).

    Nothing needs to be proven of an empty tree, or of two of the same size.

    Raises:
        ValueError: the old tree is the larger one.
    """
    if not 0 <= old <= new:
        raise ValueError(f"a tree of {new} leaves does not contain one of {old}")
    if old in {0, new}:
        return ()
    hashes: list[bytes] = []
    start, end = 0, new
    while end != old:
        split = _split(start, end)
        if old <= split:
            hashes.append(_root(split, end, read))
            end = split
        else:
            hashes.append(_root(start, split, read))
            start = split
    if start:
        hashes.append(_root(start, end, read))
    return tuple(reversed(hashes))


def verify_inclusion(leaf: bytes, proof: InclusionProof, size: int, root_hash: bytes) -> bool:
    """Say whether a leaf hash is in a tree, by the numbered steps of section 2.1.3.2."""
    if not 0 <= proof.index < size:  # 1
        return False
    fn, sn, found = proof.index, size - 1, leaf  # 2, 3
    for sibling in proof.hashes:  # 4
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            found = node_hash(sibling, found)
            fn, sn = _skip(fn, sn)
        else:
            found = node_hash(found, sibling)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and found == root_hash  # 5


def verify_consistency(
    old: int, new: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes
) -> bool:
    """Say whether the new tree begins with the old one, by the steps of section 2.1.4.2."""
    if not 0 <= old <= new:
        return False
    if old in {0, new}:  # beyond the RFC, which wants 0 < old < new
        same = old < new or old_root == new_root
        return not proof and same and (old > 0 or old_root == EMPTY_ROOT)
    hashes = [old_root, *proof] if old & (old - 1) == 0 else list(proof)  # 2
    if not proof:  # 1
        return False
    fn, sn = old - 1, new - 1  # 3
    while fn & 1:  # 4
        fn, sn = fn >> 1, sn >> 1
    found_old = found_new = hashes[0]  # 5
    for sibling in hashes[1:]:  # 6
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            found_old = node_hash(sibling, found_old)
            found_new = node_hash(sibling, found_new)
            fn, sn = _skip(fn, sn)
        else:
            found_new = node_hash(found_new, sibling)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and (found_old, found_new) == (old_root, new_root)  # 7


def _skip(fn: int, sn: int) -> tuple[int, int]:
    """Go up past the levels at which the node has no sibling."""
    while fn and not fn & 1:
        fn, sn = fn >> 1, sn >> 1
    return fn, sn


def _split(start: int, end: int) -> int:
    """Return where a subtree divides: the largest power of two below its number of leaves."""
    return start + (1 << (end - start - 1).bit_length() - 1)


def _subtrees(start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield (level, index) of the complete subtrees of a range, widest first."""
    while start < end:
        level = (end - start).bit_length() - 1
        yield level, start >> level
        start += 1 << level


def _root(start: int, end: int, read: ReadNode) -> bytes:
    return _fold([read(*place) for place in _subtrees(start, end)])


def _fold(hashes: Sequence[bytes]) -> bytes:
    found = hashes[-1]
    for left in reversed(hashes[:-1]):
        found = node_hash(left, found)
    return found
