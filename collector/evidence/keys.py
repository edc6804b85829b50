"""The key that signs checkpoints: in a file, as a credential, or behind a command.

Rule: a private key never leaves this module, not even in an error text.  Where
it must not be on this machine at all, ``CommandSigner`` sends the text to
whoever holds it and gets the signature back.

A key file holds either PKCS #8 in PEM, as ``openssl genpkey -algorithm ed25519``
writes it, or the one-line form of golang.org/x/mod/sumdb/note.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from collector.domain.errors import ConfigError
from collector.evidence.note import ED25519, VerifierKey, decode_base64

KEY_FILE_BYTES_MAX = 16 * 1024
KEY_FILE_MODE = 0o600

_GO_START = "PRIVATE+KEY+"
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class KeySigner:
    """Signs with a private key held in this process."""

    __slots__ = ("_private", "key")

    def __init__(self, name: str, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.key = VerifierKey(name, private.public_key().public_bytes_raw())

    def sign(self, text: bytes) -> bytes:
        """Return the Ed25519 signature of ``text`` (RFC 8032, section 5.1.6)."""
        return self._private.sign(text)


@dataclass(frozen=True, slots=True)
class KeyPlace:
    """Where a key file is looked for; a relative name among the credentials first.

    Attributes:
        name: as it stands in the configuration.
        directory: where the configuration file lies.
        credentials: what systemd names in ``$CREDENTIALS_DIRECTORY``, ``None``
            outside a service.
    """

    name: Path
    directory: Path
    credentials: Path | None = None

    @property
    def is_credential(self) -> bool:
        """Who may read it is then systemd's affair (systemd.exec(5), LoadCredential=)."""
        return (
            self.credentials is not None
            and not self.name.is_absolute()
            and (self.credentials / self.name).is_file()
        )

    @property
    def path(self) -> Path:
        """The file."""
        if self.credentials is not None and self.is_credential:
            return self.credentials / self.name
        return self.directory / self.name


def load_signer(place: KeyPlace, name: str) -> KeySigner:
    """Read the private key at ``place``; ``name`` is the log's origin.

    Raises:
        ConfigError: no such file, readable by others, not an Ed25519 key, or a
            key of another name.
    """
    raw = _read_private(place)
    if raw.startswith(_GO_START.encode()):
        signer = _decode_go_key(raw, place.path)
    else:
        signer = KeySigner(name, _decode_pem(raw, place.path))
    if signer.key.name != name:
        raise _unusable(place.path, f"it is named {signer.key.name}, the log {name}")
    return signer


def create_key_file(path: Path, name: str, sync: Callable[[int, Path], None]) -> VerifierKey:
    """Make a new key, readable by us alone, and return its public half.

    ``sync`` makes an open file or directory durable: what a key signed must
    never outlive it by a power cut.

    Raises:
        ConfigError: the file is there already or cannot be written.
    """
    private = Ed25519PrivateKey.generate()
    signer = KeySigner(name, private)
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        _write_new(path, pem, sync)
    except OSError as error:
        raise ConfigError(
            f"a key file cannot be made: {error.strerror}",
            subject=str(path),
            hint="an existing key is never overwritten; move it away or name another file",
        ) from error
    return signer.key


def encode_public_key(key: VerifierKey) -> bytes:
    """Return the public key as PEM (RFC 8410), as ``openssl pkeyutl -pubin`` reads it."""
    public = Ed25519PublicKey.from_public_bytes(key.raw)
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def decode_public_key(name: str, pem: bytes) -> VerifierKey:
    """Read a PEM public key; the opposite of ``encode_public_key``.

    Raises:
        ConfigError: it is not an Ed25519 public key.
    """
    try:
        public = load_pem_public_key(pem)
    except ValueError as error:
        raise ConfigError("this is not a public key in PEM", subject=name) from error
    if not isinstance(public, Ed25519PublicKey):
        raise ConfigError("this is not an Ed25519 public key", subject=name)
    return VerifierKey(name, public.public_bytes_raw())


def _read_private(place: KeyPlace) -> bytes:
    path = place.path
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise _unusable(path, "it is not a file")
            if status.st_mode & _OTHERS and not place.is_credential:
                raise _unusable(path, "others may read it; make its mode 0600")
            return file.read(KEY_FILE_BYTES_MAX)
    except OSError as error:
        raise _unusable(path, f"reading failed: {error.strerror}") from error


def _decode_pem(raw: bytes, path: Path) -> Ed25519PrivateKey:
    try:
        private = load_pem_private_key(raw, password=None)
    except (ValueError, TypeError) as error:
        raise _unusable(path, "it is not an unencrypted private key in PEM") from error
    if not isinstance(private, Ed25519PrivateKey):
        raise _unusable(path, "it is not an Ed25519 key")
    return private


def _decode_go_key(raw: bytes, path: Path) -> KeySigner:
    """Read ``PRIVATE+KEY+name+id+base64(type and seed)``."""
    text = raw.decode(errors="replace").strip()
    name, _, rest = text.removeprefix(_GO_START).partition("+")
    key_id, _, encoded = rest.partition("+")
    seed = decode_base64(encoded)
    if seed is None or len(seed) != 33 or seed[:1] != ED25519:
        raise _unusable(path, "it is not an Ed25519 signing key")
    signer = KeySigner(name, Ed25519PrivateKey.from_private_bytes(seed[1:]))
    if key_id != f"{signer.key.key_id:08x}":
        raise _unusable(path, "its id does not fit its name and key")
    return signer


def _write_new(path: Path, content: bytes, sync: Callable[[int, Path], None]) -> None:
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(path, flags, KEY_FILE_MODE)
    try:
        view = memoryview(content)
        while view:
            view = view[os.write(fd, view) :]
        sync(fd, path)
    finally:
        os.close(fd)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        sync(directory, path.parent)
    finally:
        os.close(directory)


def _unusable(path: Path, why: str) -> ConfigError:
    return ConfigError(f"a signing key cannot be used: {why}", subject=str(path))
