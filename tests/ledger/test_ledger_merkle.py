"""The Merkle tree against published vectors, the RFC's own definition, and forgeries."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.domain.evidence import InclusionProof
from collector.ledger import merkle
from collector.ledger.merkle import Tree, leaf_hash, node_hash

SIZE_MAX = 69
"""Six whole levels and a rest of more than one bit."""

# The reference tree of Certificate Transparency: leaves, root hashes by size, and proofs.
CT_LEAVES = (
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
)
CT_ROOTS = (
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)
CT_INCLUSION = {
    (0, 1): [],
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (5, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 3): ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"],
    (1, 5): [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}
CT_CONSISTENCY = {
    (1, 1): [],
    (1, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (6, 8): [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 5): [
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}


class Stored:
    """A tree whose nodes are kept, each written once and only when complete."""

    def __init__(self, leaves: Sequence[bytes]) -> None:
        self.nodes: dict[tuple[int, int], bytes] = {}
        self.leaves = [leaf_hash(leaf) for leaf in leaves]
        self.reads = 0
        self.tree = Tree()
        for node in self.tree.extend(self.leaves):
            assert (node.level, node.index) not in self.nodes
            assert (node.index + 1) << node.level <= self.tree.size
            self.nodes[node.level, node.index] = node.hash

    def read(self, level: int, index: int) -> bytes:
        """Return a kept node."""
        self.reads += 1
        return self.nodes[level, index]


@pytest.fixture(scope="module")
def published() -> Stored:
    """Return the reference tree."""
    return Stored([bytes.fromhex(leaf) for leaf in CT_LEAVES])


@pytest.fixture(scope="module")
def stored() -> Stored:
    """Return a tree large enough for every shape of edge."""
    return Stored([b"leaf %d" % number for number in range(SIZE_MAX)])


def tree_hash(leaves: Sequence[bytes]) -> bytes:
    """Return MTH of section 2.1.1, word for word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return node_hash(tree_hash(leaves[:k]), tree_hash(leaves[k:]))


def hexes(hashes: Sequence[bytes]) -> list[str]:
    """Return hashes as the vectors write them."""
    return [each.hex() for each in hashes]


def test_leaves_and_nodes_are_hashed_apart() -> None:
    """A leaf can never pass for an inner node (section 2.1.1)."""
    assert leaf_hash(b"ab") == hashlib.sha256(b"\x00ab").digest()
    assert node_hash(b"a", b"b") == hashlib.sha256(b"\x01ab").digest()


def test_published_root_hashes(published: Stored) -> None:
    """Of every size from empty to eight, grown and read from nodes."""
    assert [merkle.root(size, published.read).hex() for size in range(9)] == list(CT_ROOTS)
    grown = Tree()
    roots = [grown.root()]
    for leaf in published.leaves:
        grown.append(leaf)
        roots.append(grown.root())
    assert hexes(roots) == list(CT_ROOTS)


@pytest.mark.parametrize(("index", "size"), CT_INCLUSION)
def test_published_inclusion_proofs(published: Stored, index: int, size: int) -> None:
    """Made and verified as the reference has them."""
    proof = merkle.prove_inclusion(index, size, published.read)
    assert hexes(proof.hashes) == CT_INCLUSION[index, size]
    root = bytes.fromhex(CT_ROOTS[size])
    assert merkle.verify_inclusion(published.leaves[index], proof, size, root)


@pytest.mark.parametrize(("old", "new"), CT_CONSISTENCY)
def test_published_consistency_proofs(published: Stored, old: int, new: int) -> None:
    """Made and verified as the reference has them."""
    proof = merkle.prove_consistency(old, new, published.read)
    assert hexes(proof) == CT_CONSISTENCY[old, new]
    roots = (bytes.fromhex(CT_ROOTS[size]) for size in (old, new))
    assert merkle.verify_consistency(old, new, proof, *roots)


def test_every_root_is_the_one_the_definition_gives(stored: Stored) -> None:
    """Up to 69 leaves, against the recursive text of the RFC."""
    for size in range(SIZE_MAX + 1):
        assert merkle.root(size, stored.read) == tree_hash(stored.leaves[:size])


def test_a_tree_goes_on_where_it_was_left(stored: Stored) -> None:
    """Taken up from its nodes at any size, it grows into the same tree."""
    for size in range(SIZE_MAX + 1):
        resumed = Tree(size, stored.read)
        assert resumed.root() == tree_hash(stored.leaves[:size])
        for node in resumed.extend(stored.leaves[size:]):
            assert stored.nodes[node.level, node.index] == node.hash
        assert (resumed.size, resumed.root()) == (SIZE_MAX, stored.tree.root())


def test_every_leaf_is_proven_in_every_tree(stored: Stored) -> None:
    """All positions of all sizes verify, and nowhere else."""
    for size in range(1, SIZE_MAX + 1):
        root = tree_hash(stored.leaves[:size])
        for index in range(size):
            proof = merkle.prove_inclusion(index, size, stored.read)
            leaf = stored.leaves[index]
            assert merkle.verify_inclusion(leaf, proof, size, root)
            other = (index + 1) % size
            assert other == index or not merkle.verify_inclusion(
                leaf, replace(proof, index=other), size, root
            )
            assert not merkle.verify_inclusion(leaf_hash(b"other"), proof, size, root)


def test_every_tree_is_proven_to_grow_from_every_smaller_one(stored: Stored) -> None:
    """All pairs verify; with the root of another size none does."""
    roots = [tree_hash(stored.leaves[:size]) for size in range(SIZE_MAX + 1)]
    for new in range(SIZE_MAX + 1):
        for old in range(new + 1):
            proof = merkle.prove_consistency(old, new, stored.read)
            assert merkle.verify_consistency(old, new, proof, roots[old], roots[new])
            wrong = roots[(old + 1) % len(roots)]
            assert not merkle.verify_consistency(old, new, proof, wrong, roots[new])
            anything = merkle.verify_consistency(old, new, proof, roots[old], b"x" * 32)
            assert anything == (old == 0 < new), "every tree begins with the empty one"


@given(st.integers(1, SIZE_MAX), st.data())
def test_a_changed_inclusion_proof_is_refused(size: int, data: st.DataObject) -> None:
    """A hash that was flipped, dropped, added or swapped never verifies."""
    stored = Stored([b"%d" % number for number in range(size)])
    index = data.draw(st.integers(0, size - 1))
    proof = merkle.prove_inclusion(index, size, stored.read)
    for hashes in _forged(proof.hashes, data):
        forged = InclusionProof(index, hashes)
        assert not merkle.verify_inclusion(stored.leaves[index], forged, size, stored.tree.root())


@given(st.integers(1, SIZE_MAX), st.data())
def test_a_changed_consistency_proof_is_refused(new: int, data: st.DataObject) -> None:
    """A hash that was flipped, dropped, added or swapped never verifies."""
    stored = Stored([b"%d" % number for number in range(new)])
    old = data.draw(st.integers(0, new))
    old_root = merkle.root(old, stored.read)
    proof = merkle.prove_consistency(old, new, stored.read)
    for forged in _forged(proof, data):
        assert not merkle.verify_consistency(old, new, forged, old_root, stored.tree.root())


def _forged(hashes: tuple[bytes, ...], data: st.DataObject) -> list[tuple[bytes, ...]]:
    extra = data.draw(st.binary(min_size=32, max_size=32))
    forged = [(*hashes, extra), (extra, *hashes)]
    if hashes:
        place = data.draw(st.integers(0, len(hashes) - 1))
        flipped = bytes([hashes[place][0] ^ 1]) + hashes[place][1:]
        forged += [hashes[:place] + hashes[place + 1 :]]
        forged += [(*hashes[:place], flipped, *hashes[place + 1 :])]
    if len(hashes) > 1:
        forged.append(tuple(reversed(hashes)))
    return forged


def test_a_leaf_inserted_before_the_old_ones_is_not_consistent() -> None:
    """The forgery some libraries accept: the old root as one node of a rewritten tree."""
    honest = Stored([b"a", b"b"])
    forged = Stored([b"new", b"a", b"b"])
    proofs = [
        (),
        (honest.tree.root(),),
        (forged.leaves[0],),
        (leaf_hash(b"new"), honest.tree.root()),
        merkle.prove_consistency(2, 3, forged.read),
    ]
    for proof in proofs:
        assert not merkle.verify_consistency(2, 3, proof, honest.tree.root(), forged.tree.root())


@pytest.mark.parametrize(("index", "size"), [(0, 0), (5, 5), (-1, 5)])
def test_a_leaf_that_is_not_there_is_not_proven(stored: Stored, index: int, size: int) -> None:
    """Neither made nor believed."""
    with pytest.raises(ValueError, match="no leaf"):
        merkle.prove_inclusion(index, size, stored.read)
    proof = InclusionProof(index, ())
    assert not merkle.verify_inclusion(stored.leaves[0], proof, size, stored.leaves[0])


def test_a_tree_does_not_shrink(stored: Stored) -> None:
    """A smaller tree is never consistent with a larger one before it."""
    with pytest.raises(ValueError, match="does not contain"):
        merkle.prove_consistency(4, 3, stored.read)
    assert not merkle.verify_consistency(4, 3, (), merkle.EMPTY_ROOT, merkle.EMPTY_ROOT)
    with pytest.raises(ValueError, match="needs its nodes"):
        Tree(3)


def test_a_proof_reads_few_nodes() -> None:
    """Of 100,000 leaves a proof has at most 17 hashes and reads at most 17 * 17 nodes."""
    stored = Stored([b"%d" % number for number in range(100_000)])
    for index in (0, 65_535, 65_536, 99_999):
        stored.reads = 0
        proof = merkle.prove_inclusion(index, 100_000, stored.read)
        assert len(proof.hashes) <= 17
        assert stored.reads <= 17 * 17
        root = stored.tree.root()
        assert merkle.verify_inclusion(stored.leaves[index], proof, 100_000, root)
