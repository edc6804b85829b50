"""Signing keys in files and credentials."""

import os
import subprocess
from pathlib import Path

import pytest
from evidence_authority import openssl
from evidence_samples import ORIGIN, signer_of, sync

from collector.domain.errors import ConfigError
from collector.evidence.keys import (
    KeyPlace,
    create_key_file,
    decode_public_key,
    encode_public_key,
    load_signer,
)
from collector.evidence.note import VerifierKey

GO_KEY = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"


def place_of(path):
    """Return the place of a key file with a full path."""
    return KeyPlace(path, path.parent)


def write_key(path, content, mode=0o600):
    """Write a file with a mode."""
    path.write_bytes(content)
    path.chmod(mode)


def test_a_new_key_is_ours_alone_and_signs(tmp_path):
    """The file has mode 0600 whatever the umask, and its public half is what was returned."""
    path = tmp_path / "signing-key"
    umask = os.umask(0)
    try:
        key = create_key_file(path, ORIGIN, sync)
    finally:
        os.umask(umask)
    assert path.stat().st_mode & 0o7777 == 0o600
    signer = load_signer(place_of(path), ORIGIN)
    assert signer.key == key
    assert key.verifies(signer.sign(b"text"), b"text")
    assert not key.verifies(signer.sign(b"text"), b"other")


def test_a_new_key_is_durable_before_it_is_used(tmp_path):
    """The file is synced when it holds the key, then the directory that names it."""
    path = tmp_path / "signing-key"
    synced = []
    create_key_file(path, ORIGIN, lambda _fd, where: synced.append((where, path.stat().st_size)))
    assert synced == [(path, path.stat().st_size), (tmp_path, path.stat().st_size)]


def test_an_existing_key_is_never_overwritten(tmp_path):
    """Not a file, and not what a link points to."""
    path, link = tmp_path / "signing-key", tmp_path / "link"
    create_key_file(path, ORIGIN, sync)
    link.symlink_to(tmp_path / "elsewhere")
    before = path.read_bytes()
    for taken in (path, link):
        with pytest.raises(ConfigError, match="cannot be made"):
            create_key_file(taken, ORIGIN, sync)
    assert path.read_bytes() == before
    assert not (tmp_path / "elsewhere").exists()


def test_a_key_made_by_openssl_is_read(tmp_path):
    """PKCS #8 in PEM; and openssl verifies what it signed."""
    path = tmp_path / "signing-key"
    openssl("genpkey", "-algorithm", "ed25519", "-out", path)
    path.chmod(0o600)
    signer = load_signer(place_of(path), ORIGIN)
    text, signature, public = tmp_path / "text", tmp_path / "signature", tmp_path / "public.pem"
    text.write_bytes(b"signed text")
    signature.write_bytes(signer.sign(b"signed text"))
    public.write_bytes(encode_public_key(signer.key))
    checked = ("-pubin", "-inkey", public, "-rawin", "-in", text, "-sigfile", signature)
    assert b"Signature Verified Successfully" in openssl("pkeyutl", "-verify", *checked)
    assert decode_public_key(ORIGIN, openssl("pkey", "-in", path, "-pubout")) == signer.key


def test_a_key_made_by_go_is_read(tmp_path):
    """The one-line form, whose name is the log's."""
    write_key(tmp_path / "key", f"{GO_KEY}\n".encode())
    signer = load_signer(place_of(tmp_path / "key"), "PeterNeumann")
    assert signer.key.key_id == 0xC74F20A3
    with pytest.raises(ConfigError, match="it is named PeterNeumann, the log archive"):
        load_signer(place_of(tmp_path / "key"), ORIGIN)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o700 | 0o1])
def test_a_key_that_others_may_read_is_refused(tmp_path, mode):
    """A key file is for its owner alone."""
    path = tmp_path / "signing-key"
    create_key_file(path, ORIGIN, sync)
    path.chmod(mode)
    with pytest.raises(ConfigError, match="others may read it"):
        load_signer(place_of(path), ORIGIN)


def test_a_credential_is_looked_up_by_its_name(tmp_path):
    """Who may read a credential is systemd's affair; it sets mode 0440 with an access list."""
    credentials, beside = tmp_path / "credentials", tmp_path / "beside"
    credentials.mkdir()
    beside.mkdir()
    keys = [create_key_file(place / "key", ORIGIN, sync) for place in (credentials, beside)]
    (credentials / "key").chmod(0o440)
    assert load_signer(KeyPlace(Path("key"), beside, credentials), ORIGIN).key == keys[0]


def test_a_relative_name_is_else_looked_up_beside_the_configuration(tmp_path):
    """Outside a service, and when no credential has this name; then the mode counts."""
    key = create_key_file(tmp_path / "key", ORIGIN, sync)
    empty = tmp_path / "credentials"
    empty.mkdir()
    for credentials in (None, empty):
        assert load_signer(KeyPlace(Path("key"), tmp_path, credentials), ORIGIN).key == key
    (tmp_path / "key").chmod(0o440)
    with pytest.raises(ConfigError, match="others may read it"):
        load_signer(KeyPlace(Path("key"), tmp_path, empty), ORIGIN)
    absolute = KeyPlace(tmp_path / "key", tmp_path, tmp_path)
    with pytest.raises(ConfigError, match="others may read it"):
        load_signer(absolute, ORIGIN)


def other_key(tmp_path):
    """Return a private key that is not Ed25519."""
    path = tmp_path / "other"
    openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", path)
    return path.read_bytes()


def encrypted_key(tmp_path):
    """Return a private key behind a password."""
    path = tmp_path / "encrypted"
    encrypted = ("-aes-256-cbc", "-pass", "pass:secret")
    openssl("genpkey", "-algorithm", "ed25519", *encrypted, "-out", path)
    return path.read_bytes()


@pytest.mark.parametrize(
    "content",
    [
        lambda _place: b"",
        lambda _place: b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        lambda _place: b"PRIVATE+KEY+PeterNeumann+c74f20a4" + GO_KEY[33:].encode(),
        lambda _place: b"PRIVATE+KEY+PeterNeumann",
        lambda _place: b"PRIVATE+KEY+\xff+c74f20a3+AAAA",
        other_key,
        encrypted_key,
    ],
)
def test_what_is_no_signing_key_is_refused_without_showing_it(tmp_path, content):
    """The error names the file, and nothing that was in it."""
    raw = content(tmp_path)
    write_key(tmp_path / "key", raw)
    with pytest.raises(ConfigError, match="cannot be used") as caught:
        load_signer(place_of(tmp_path / "key"), "PeterNeumann")
    assert str(tmp_path / "key") in str(caught.value)
    assert all(line not in str(caught.value) for line in raw.decode(errors="ignore").split())


def test_a_missing_file_and_a_directory_are_refused(tmp_path):
    """Neither is a key."""
    for path in (tmp_path / "missing", tmp_path):
        with pytest.raises(ConfigError, match="cannot be used"):
            load_signer(place_of(path), ORIGIN)


@pytest.mark.parametrize(
    "pem", [b"", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----"]
)
def test_what_is_no_public_key_is_refused(pem):
    """Broken PEM."""
    with pytest.raises(ConfigError, match="not a public key"):
        decode_public_key(ORIGIN, pem)


def test_a_public_key_of_another_kind_is_refused(tmp_path):
    """Only Ed25519 signs notes of this kind."""
    write_key(tmp_path / "key", other_key(tmp_path))
    pem = subprocess.run(
        ["openssl", "pkey", "-in", tmp_path / "key", "-pubout"], check=True, capture_output=True
    ).stdout
    with pytest.raises(ConfigError, match="not an Ed25519 public key"):
        decode_public_key(ORIGIN, pem)


def test_a_public_key_is_written_as_it_is_read():
    """Encode and decode are a pair."""
    key = signer_of().key
    assert decode_public_key(ORIGIN, encode_public_key(key)) == key
    assert decode_public_key("other", encode_public_key(key)) == VerifierKey("other", key.raw)
