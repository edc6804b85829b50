"""The text of checkpoints, signed and read back."""

import base64

import pytest
from evidence_samples import ORIGIN, checkpoint_of, signer_of
from hypothesis import given
from hypothesis import strategies as st
from test_evidence_note import GO_SUM, GO_SUM_NOTES

from collector.domain.errors import ConfigError
from collector.domain.evidence import TREE_SIZE_MAX, Checkpoint
from collector.evidence.checkpoint import (
    decode_checkpoint,
    encode_checkpoint,
    read_checkpoint,
    sign_checkpoint,
)
from collector.evidence.note import NoteError, VerifierKey

ROOT = "mb8QLQIs0Z0yP5Cstq6guj87oXWeC9gEM8oVikmm9Wk="
LINES = st.text(st.characters(codec="utf-8", min_codepoint=32), min_size=1)


def test_a_checkpoint_of_the_go_checksum_database_is_read():
    """A published checkpoint gives its origin, size and root."""
    signed = read_checkpoint(GO_SUM_NOTES[2].encode(), [VerifierKey.parse(GO_SUM)])
    root = base64.b64decode(ROOT)
    assert signed.checkpoint == Checkpoint("go.sum database tree", 6476701, root)
    assert signed.raw == GO_SUM_NOTES[2].encode()


def test_what_is_signed_is_read_back():
    """Sign and read are a pair, for one signer and for two."""
    old, new = signer_of(seed=1), signer_of(seed=2)
    signed = checkpoint_of([b"a", b"b"], old, new)
    for keys in ([old.key], [new.key], [old.key, new.key]):
        assert read_checkpoint(signed.raw, keys) == signed
    assert signed.raw.decode().count(f"\n— {ORIGIN} ") == 2


def test_a_checkpoint_nobody_known_signed_is_refused():
    """Well-formed is not enough."""
    signed = checkpoint_of([b"a", b"b"], signer_of(seed=1))
    with pytest.raises(NoteError, match="no known key"):
        read_checkpoint(signed.raw, [signer_of(seed=2).key])


def test_a_signer_with_another_key_is_noticed():
    """A signature that the known public key does not verify is not published."""

    class Impostor:
        key = signer_of(seed=1).key
        sign = signer_of(seed=2).sign

    checkpoint = checkpoint_of([b"a"]).checkpoint
    with pytest.raises(ConfigError, match="another key than configured"):
        sign_checkpoint(checkpoint, [Impostor()])


def test_a_checkpoint_without_signer_is_refused():
    """Nothing goes out unsigned."""
    with pytest.raises(NoteError):
        sign_checkpoint(checkpoint_of([b"a"]).checkpoint, [])


@given(LINES, st.integers(0, TREE_SIZE_MAX), st.binary(min_size=32, max_size=32), st.lists(LINES))
def test_a_text_read_back_is_the_same_checkpoint(origin, size, root, extensions):
    """Encode and decode are a pair, extension lines included."""
    checkpoint = Checkpoint(origin, size, root, tuple(extensions))
    assert decode_checkpoint(encode_checkpoint(checkpoint)) == checkpoint


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Head\n9944\n",
        f"\n9944\n{ROOT}\n",
        f"Log\n123\n{ROOT}",
        f"Log\nbananas\n{ROOT}\n",
        f"Log\n-34\n{ROOT}\n",
        f"Log\n+34\n{ROOT}\n",
        f"Log\n034\n{ROOT}\n",
        f"Log\n٣\n{ROOT}\n",
        f"Log\n{TREE_SIZE_MAX + 1}\n{ROOT}\n",
        f"Log\n3438945738945739845734895735\n{ROOT}\n",
        "Log\n123\nThisIsn'tBase64\n",
        "Log\n123\nYmFuYW5hcw==\n",
        f"Log\n123\n{ROOT}\n\n",
        f"Log\n123\n{ROOT}\n\nextension\n",
    ],
)
def test_what_is_no_checkpoint_is_refused(text):
    """Missing, empty and malformed lines (most from transparency-dev/formats)."""
    with pytest.raises(NoteError, match="not a checkpoint"):
        decode_checkpoint(text)


@pytest.mark.parametrize("origin", ["", "two\nlines", "a\x00b", "\ud800"])
def test_an_origin_that_is_no_line_is_refused(origin):
    """Such a checkpoint could not be read back."""
    with pytest.raises(ConfigError, match="single lines"):
        encode_checkpoint(Checkpoint(origin, 1, bytes(32)))


@pytest.mark.parametrize(("size", "root"), [(-1, bytes(32)), (2**63, bytes(32)), (1, bytes(31))])
def test_a_tree_head_that_cannot_be_is_refused(size, root):
    """Sizes are 0 to 2^63 - 1, roots 32 bytes."""
    with pytest.raises(ValueError, match=r"tree size|root hash"):
        Checkpoint(ORIGIN, size, root)
