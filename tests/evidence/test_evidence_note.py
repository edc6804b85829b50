"""Signed notes: the vectors of golang.org/x/mod/sumdb/note, and notes of sum.golang.org."""

import base64
from pathlib import Path

import pytest
from evidence_samples import signer_of
from hypothesis import given
from hypothesis import strategies as st

from collector.domain.errors import ConfigError
from collector.evidence.keys import KeyPlace, load_signer
from collector.evidence.note import (
    NOTE_BYTES_MAX,
    SIGNATURES_MAX,
    Note,
    NoteError,
    Signature,
    VerifierKey,
    decode_note,
    encode_note,
    verify_note,
)

PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETER_PRIVATE = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
ENOCH = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"
TEXT = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
)
PETER_LINE = (
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpR"
    "Zb6KE6RyyBwJnAM=\n"
)
ENOCH_LINE = (
    "— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox3"
    "3WWd1RvMc+QQ=\n"
)
GO_SUM = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"
GO_SUM_NOTES = [
    path.read_text(encoding="utf-8")
    for path in sorted((Path(__file__).parent / "vectors").glob("sum.golang.org-*.note"))
]
NAMES = st.text(st.characters(codec="utf-8", exclude_characters="+"), min_size=1).filter(
    lambda name: not any(each.isspace() or each < " " for each in name)
)


def key_of(text):
    """Read a verifier key."""
    return VerifierKey.parse(text)


def verified(raw, *keys):
    """Return the names of those of ``keys`` that signed a note."""
    note = decode_note(raw.encode())
    return [key.name for key in verify_note(note, list(map(key_of, keys)))]


def test_the_vectors_are_there():
    """Three published notes, one of them cosigned."""
    assert [len(decode_note(raw.encode()).signatures) for raw in GO_SUM_NOTES] == [2, 1, 1]


@pytest.mark.parametrize("raw", GO_SUM_NOTES)
def test_notes_of_the_go_checksum_database_verify(raw):
    """Published notes verify with the published key; signatures of others are ignored."""
    assert verified(raw, GO_SUM) == ["sum.golang.org"]
    assert encode_note(decode_note(raw.encode())) == raw.encode()


@pytest.mark.parametrize("raw", GO_SUM_NOTES)
def test_a_changed_note_is_refused(raw):
    """One other digit in the text, and the signature is wrong."""
    with pytest.raises(NoteError, match="signature of a note is wrong"):
        verified(raw.replace("\n", "\n1", 1), GO_SUM)


def test_the_published_key_signs_the_published_note(tmp_path):
    """A private key in Go's form gives the note of Go's own test, byte for byte."""
    path = tmp_path / "key"
    path.touch(0o600)
    path.write_text(f"{PETER_PRIVATE}\n")
    signer = load_signer(KeyPlace(path, tmp_path), "PeterNeumann")
    assert str(signer.key) == PETER
    signature = Signature("PeterNeumann", signer.key.key_id, signer.sign(TEXT.encode()))
    assert encode_note(Note(TEXT, (signature,))).decode() == f"{TEXT}\n{PETER_LINE}"


def test_each_known_key_is_verified():
    """With one key known, its signature counts; with both, both do."""
    raw = f"{TEXT}\n{PETER_LINE}{ENOCH_LINE}"
    assert verified(raw, PETER) == ["PeterNeumann"]
    assert verified(raw, ENOCH, PETER) == ["PeterNeumann", "EnochRoot"]
    assert verified(f"{TEXT}\n{PETER_LINE * 2}", PETER) == ["PeterNeumann"]


def test_a_note_without_a_known_signature_is_refused():
    """No key, or another one, and the note means nothing."""
    for keys in ([], [GO_SUM]):
        with pytest.raises(NoteError, match="no known key signed"):
            verified(f"{TEXT}\n{PETER_LINE}", *keys)


def test_a_wrong_signature_by_a_known_key_spoils_the_note():
    """A second, right signature by another key does not save it."""
    broken = f"{PETER_LINE[:60]}ABCD{PETER_LINE[60:]}"
    with pytest.raises(NoteError, match="signature of a note is wrong"):
        verified(f"{TEXT}\n{broken}{ENOCH_LINE}", PETER, ENOCH)


def test_a_signature_with_the_name_or_the_id_alone_is_of_somebody_else():
    """Name and id must both fit; then the line is verified, else ignored."""
    for line in (PETER_LINE.replace("Peter", "Paul"), PETER_LINE.replace(" x08g", " x08h")):
        with pytest.raises(NoteError, match="no known key signed"):
            verified(f"{TEXT}\n{line}", PETER)


def test_two_keys_with_one_name_and_id_are_ambiguous(monkeypatch):
    """The same key twice is one; different ones that cannot be told apart are refused."""
    assert verified(f"{TEXT}\n{PETER_LINE}", PETER, PETER) == ["PeterNeumann"]
    peter, other = key_of(PETER), VerifierKey("PeterNeumann", signer_of().key.raw)
    monkeypatch.setattr(VerifierKey, "key_id", property(lambda _key: 1))
    with pytest.raises(ConfigError, match="share a name and an id"):
        verify_note(decode_note(f"{TEXT}\n{PETER_LINE}".encode()), [peter, other])


@pytest.mark.parametrize(
    "raw",
    [
        TEXT.encode(),
        f"{TEXT}\n".encode(),
        f"{TEXT}\n{PETER_LINE[:-1]}".encode(),
        f"\x01{TEXT}\n{PETER_LINE}".encode(),
        b"\xff" + f"{TEXT}\n{PETER_LINE}".encode(),
        f"{TEXT}\n{PETER_LINE.replace('PeterNeumann', 'Bad Name')}".encode(),
        f"{TEXT}\n{PETER_LINE.replace('PeterNeumann', 'a+b')}".encode(),
        f"{TEXT}\n{PETER_LINE.replace('PeterNeumann ', '')}".encode(),
        f"{TEXT}\n{PETER_LINE}Unexpected line.\n".encode(),
        f"{TEXT}\n{PETER_LINE[2:]}".encode(),
        f"{TEXT}\r\n\r\n{PETER_LINE}".encode(),
        f"{TEXT}\n{PETER_LINE.replace('nAM=', 'nAN=')}".encode(),
        f"{TEXT}\n— PeterNeumann x08gow==\n".encode(),
        f"{TEXT}\n{PETER_LINE * (SIGNATURES_MAX + 1)}".encode(),
        b"a" * NOTE_BYTES_MAX + f"{TEXT}\n{PETER_LINE}".encode(),
        b"",
    ],
)
def test_what_is_no_note_is_refused(raw):
    """The malformed notes of Go's test and some more."""
    with pytest.raises(NoteError, match="not a signed note"):
        decode_note(raw)


def test_every_part_of_a_verifier_key_counts():
    """No piece of a key string, and no key with one character changed, is a key."""
    pieces = [PETER[i:j] for i in range(len(PETER)) for j in range(i + 1, len(PETER) + 1)]
    changed = [f"{PETER[:i]}{chr(ord(PETER[i]) + 1)}{PETER[i + 1 :]}" for i in range(len(PETER))]
    accepted = []
    for text in [*pieces, *changed, ""]:
        try:
            accepted.append(str(key_of(text)))
        except ConfigError:
            continue
    assert accepted == [PETER]


@pytest.mark.parametrize(
    "text",
    [
        "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==",
        "PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
    ],
)
def test_a_key_of_another_length_or_kind_is_refused(text):
    """Even when its id is right (both from Go's test)."""
    with pytest.raises(ConfigError, match="verifier key cannot be used"):
        key_of(text)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\u2003b", "a\nb", "a\x00b", "\ud800"])
def test_a_key_name_that_cannot_be_written_is_refused(name):
    """White space, plus signs and what is not text would break the line."""
    with pytest.raises(ConfigError, match="key name"):
        VerifierKey(name, bytes(32))


@pytest.mark.parametrize("text", ["no newline", "control \x00\n", "lone \ud800\n"])
def test_a_text_that_is_no_note_is_not_encoded(text):
    """What could not be read back is not written."""
    with pytest.raises(NoteError):
        encode_note(Note(text, (Signature("a", 1, b"x"),)))
    with pytest.raises(NoteError):
        encode_note(Note(TEXT, ()))


@given(
    st.text(st.characters(codec="utf-8", min_codepoint=32)),
    st.lists(
        st.builds(Signature, NAMES, st.integers(0, 2**32 - 1), st.binary(min_size=1, max_size=99)),
        min_size=1,
        max_size=5,
    ),
)
def test_a_note_read_back_is_the_same_note(text, signatures):
    """Encode and decode are a pair for any text and any names."""
    note = Note(f"{text}\n", tuple(signatures))
    assert decode_note(encode_note(note)) == note


@given(st.binary(max_size=300) | st.builds(lambda a, b: f"{a}\n\n— {b}\n".encode(), NAMES, NAMES))
def test_reading_never_fails_otherwise(raw):
    """Any bytes are a note or a NoteError."""
    try:
        note = decode_note(raw)
    except NoteError:
        return
    assert encode_note(note) == raw


def test_a_key_is_written_as_it_was_read():
    """Parse and str are a pair, and the id is the one that was published."""
    for text in (PETER, ENOCH, GO_SUM):
        assert str(key_of(text)) == text
    assert key_of(GO_SUM).key_id == int.from_bytes(base64.b64decode("Az3grg=="), "big")
