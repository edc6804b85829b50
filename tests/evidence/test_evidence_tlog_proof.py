"""Inclusion proofs: the text of the file, and the arithmetic of RFC 9162."""

import base64
import hashlib

import pytest
from evidence_samples import inclusion_of, root_of
from hypothesis import given
from hypothesis import strategies as st

from collector.domain.evidence import TREE_SIZE_MAX, InclusionProof
from collector.evidence.note import NoteError
from collector.evidence.tlog_proof import (
    HASHES_MAX,
    TlogProof,
    decode_tlog_proof,
    encode_tlog_proof,
    includes,
)

CT_LEAVES = [
    bytes.fromhex(leaf)
    for leaf in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOT_3 = "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"
ROOT_5 = "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4"
ROOT_8 = "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"
CT_PROOFS = [
    (
        0,
        8,
        ROOT_8,
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ),
    (
        5,
        8,
        ROOT_8,
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ),
    (2, 3, ROOT_3, "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"),
    (
        1,
        5,
        ROOT_5,
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ),
]
H1, H2 = (hashlib.sha256(text).digest() for text in (b"hash1", b"hash2"))
B1, B2 = (base64.b64encode(each).decode() for each in (H1, H2))
PUBLISHED = [
    (
        TlogProof(InclusionProof(5, (H1, H2)), b"test checkpoint\n"),
        f"c2sp.org/tlog-proof@v1\nindex 5\n{B1}\n{B2}\n\ntest checkpoint\n",
    ),
    (
        TlogProof(InclusionProof(10, (H1,)), b"checkpoint data\n", b"extra information"),
        (
            "c2sp.org/tlog-proof@v1\nextra ZXh0cmEgaW5mb3JtYXRpb24=\n"
            f"index 10\n{B1}\n\ncheckpoint data\n"
        ),
    ),
    (
        TlogProof(InclusionProof(0, ()), b"checkpoint\n"),
        "c2sp.org/tlog-proof@v1\nindex 0\n\ncheckpoint\n",
    ),
]


@pytest.mark.parametrize(("index", "size", "root", "path"), [(*p[:3], p[3:]) for p in CT_PROOFS])
def test_the_published_proofs_hold(index, size, root, path):
    """The vectors of Certificate Transparency lead to their roots."""
    proof = InclusionProof(index, tuple(map(bytes.fromhex, path)))
    assert includes(CT_LEAVES[index], proof, size, bytes.fromhex(root))
    assert inclusion_of(index, CT_LEAVES[:size]) == proof


def test_every_leaf_of_every_small_tree_has_its_place():
    """All proofs of all trees up to 40 leaves hold for their own leaf and index, and no other."""
    leaves = [bytes([number]) for number in range(40)]
    for size in range(1, len(leaves) + 1):
        root = root_of(leaves[:size])
        for index in range(size):
            proof = inclusion_of(index, leaves[:size])
            assert includes(leaves[index], proof, size, root)
            assert not includes(b"another", proof, size, root)
            for elsewhere in (index + 1, index - 1, index + size):
                moved = InclusionProof(elsewhere, proof.hashes)
                assert not includes(leaves[index], moved, size, root)


def test_a_changed_proof_does_not_hold():
    """Not with a hash more, less, or changed, nor for another root or size."""
    leaves = [bytes([number]) for number in range(11)]
    root, proof = root_of(leaves), inclusion_of(6, leaves)
    for changed in (
        (*proof.hashes, proof.hashes[0]),
        proof.hashes[:-1],
        (),
        proof.hashes[::-1],
        (bytes(32), *proof.hashes[1:]),
    ):
        assert not includes(leaves[6], InclusionProof(6, changed), len(leaves), root)
    assert not includes(leaves[6], proof, len(leaves), bytes(32))
    above = hashlib.sha256(b"\x01" + H1 + root_of(leaves[:1])).digest()
    assert not includes(leaves[0], InclusionProof(0, (H1,)), 1, above)
    for size in (0, 5, 6, 7, 8, TREE_SIZE_MAX):
        assert not includes(leaves[6], proof, size, root)


@pytest.mark.parametrize(("proof", "text"), PUBLISHED)
def test_the_published_files_are_written_and_read(proof, text):
    """The files of transparency-dev/formats, in both directions."""
    assert encode_tlog_proof(proof).decode() == text
    assert decode_tlog_proof(text.encode()) == proof


@given(
    st.integers(0, TREE_SIZE_MAX),
    st.lists(st.binary(min_size=32, max_size=32), max_size=HASHES_MAX),
    st.binary(min_size=1),
    st.binary(),
)
def test_a_file_read_back_is_the_same_proof(index, hashes, note, extra):
    """Encode and decode are a pair."""
    proof = TlogProof(InclusionProof(index, tuple(hashes)), note, extra)
    assert decode_tlog_proof(encode_tlog_proof(proof)) == proof


@pytest.mark.parametrize(
    "text",
    [
        "",
        "wrong-header\nindex 0\n\ncheckpoint\n",
        "c2sp.org/tlog-proof@v1\nextra !!notbase64!!\nindex 0\n\ncheckpoint\n",
        "c2sp.org/tlog-proof@v1\nextra \nindex 0\n\ncheckpoint\n",
        "c2sp.org/tlog-proof@v1\n\n\ncheckpoint\n",
        "c2sp.org/tlog-proof@v1\nindex notanumber\n\ncheckpoint\n",
        "c2sp.org/tlog-proof@v1\nindex -5\n\ncheckpoint\n",
        "c2sp.org/tlog-proof@v1\nindex 05\n\ncheckpoint\n",
        f"c2sp.org/tlog-proof@v1\nindex {TREE_SIZE_MAX + 1}\n\ncheckpoint\n",
        "c2sp.org/tlog-proof@v1\nindex 0\n!!notbase64!!\n\ncheckpoint\n",
        f"c2sp.org/tlog-proof@v1\nindex 0\n{base64.b64encode(bytes(64)).decode()}\n\ncheckpoint\n",
        f"c2sp.org/tlog-proof@v1\nindex 0\n{f'{B1}{chr(10)}' * 64}\ncheckpoint\n",
        "c2sp.org/tlog-proof@v1\nindex 0\n",
        "c2sp.org/tlog-proof@v1\nindex 0\n\n",
    ],
)
def test_what_is_no_proof_is_refused(text):
    """Malformed files, most of them from transparency-dev/formats."""
    with pytest.raises(NoteError, match="not a tlog-proof"):
        decode_tlog_proof(text.encode())
