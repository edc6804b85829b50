"""Signed notes and the keys that verify them (C2SP signed-note).

Rule: a note's text means nothing until ``verify_note`` has passed for a key
that came from elsewhere.  Bytes in, values out; what cannot be read exactly is
refused.

Only Ed25519 (type 0x01) is known; lines signed by other keys or in other ways
are kept and ignored, as the specification asks.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from collector.domain.errors import ConfigError, IntegrityError

NOTE_BYTES_MAX = 1_000_000
SIGNATURES_MAX = 100
"""Both as in golang.org/x/mod/sumdb/note, the field's first implementation."""

ED25519 = b"\x01"
"""Signature type of Ed25519 over the text (C2SP signed-note, Signature types)."""

_LINE_START = "— "
_KEY_ID_BYTES = 4
_CONTROL = re.compile("[\x00-\x09\x0b-\x1f]")
_NOT_IN_NAMES = re.compile("[\x00-\x1f+\ud800-\udfff]")


class NoteError(IntegrityError):
    """A note cannot be read, or no known key vouches for it."""


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key by its name (C2SP signed-note, Signatures).

    Attributes:
        name: schema-less URL, without white space and plus signs.
        raw: the 32 bytes of an Ed25519 public key (RFC 8032, section 5.1.5).

    Raises:
        ConfigError: the name or the length is not allowed.
    """

    name: str
    raw: bytes

    def __post_init__(self) -> None:
        if not is_key_name(self.name):
            raise ConfigError("a key name is not empty and has no space or plus sign")
        if len(self.raw) != 32:
            raise ConfigError("an Ed25519 public key has 32 bytes", subject=self.name)

    @property
    def key_id(self) -> int:
        """The number that goes before each signature; a hint, not a fingerprint."""
        hashed = hashlib.sha256(self.name.encode() + b"\n" + ED25519 + self.raw).digest()
        return int.from_bytes(hashed[:_KEY_ID_BYTES], "big")

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id:08x}+{base64.b64encode(ED25519 + self.raw).decode()}"

    @classmethod
    def parse(cls, text: str) -> VerifierKey:
        """Read ``name+id+key``; the opposite of ``str()``.

        Raises:
            ConfigError: it has another form, or the id does not fit name and key.
        """
        name, _, rest = text.partition("+")
        _, _, encoded = rest.partition("+")
        raw = decode_base64(encoded)
        if raw is None or raw[:1] != ED25519:
            raise _unusable_key(name, "it is not an Ed25519 verifier key")
        key = cls(name, raw[1:])
        if str(key) != text:
            raise _unusable_key(name, "its id does not fit its name and key")
        return key

    def verifies(self, signature: bytes, text: bytes) -> bool:
        """Say whether ``signature`` (64 bytes) is this key's over ``text``."""
        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, text)
        except (InvalidSignature, ValueError):
            return False
        return True


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line.

    Attributes:
        key_id: the four bytes before the signature, big-endian.
        raw: the signature itself; 64 bytes for Ed25519, others for other types.
    """

    name: str
    key_id: int
    raw: bytes


@dataclass(frozen=True, slots=True)
class Note:
    """A text with signatures, not verified yet.

    Attributes:
        text: ends with a newline.
    """

    text: str
    signatures: tuple[Signature, ...]


def encode_note(note: Note) -> bytes:
    """Return a note as it is published.

    Raises:
        NoteError: it would not be a valid note.
    """
    lines = [
        f"{_LINE_START}{signature.name} {_encode_signature(signature)}\n"
        for signature in note.signatures
    ]
    try:
        raw = f"{note.text}\n{''.join(lines)}".encode()
    except UnicodeEncodeError as error:
        raise _malformed("it is not UTF-8") from error
    if decode_note(raw) != note:
        raise _malformed("its text does not end with a newline")
    return raw


def decode_note(raw: bytes) -> Note:
    """Read a note; the opposite of ``encode_note``.

    Raises:
        NoteError: too long, not UTF-8, with control characters, without
            signatures or with a line that is none.
    """
    if len(raw) > NOTE_BYTES_MAX:
        raise _malformed("it is too long")
    try:
        whole = raw.decode()
    except UnicodeDecodeError as error:
        raise _malformed("it is not UTF-8") from error
    if _CONTROL.search(whole):
        raise _malformed("it has control characters")
    text, separator, signed = whole.rpartition("\n\n")
    if not separator or not signed.endswith("\n"):
        raise _malformed("it has no signature lines behind an empty line")
    lines = signed[:-1].split("\n")
    if len(lines) > SIGNATURES_MAX:
        raise _malformed("it has too many signatures")
    return Note(f"{text}\n", tuple(_decode_signature(line) for line in lines))


def verify_note(note: Note, keys: Sequence[VerifierKey]) -> tuple[VerifierKey, ...]:
    """Return those of ``keys`` that signed the note; signatures by others are ignored.

    Raises:
        NoteError: a signature by one of ``keys`` is wrong, or there is none.
        ConfigError: two different keys share name and id.
    """
    known = _by_name_and_id(keys)
    text = note.text.encode()
    signers: dict[VerifierKey, None] = {}
    for signature in note.signatures:
        key = known.get((signature.name, signature.key_id))
        if key is None:
            continue
        if not key.verifies(signature.raw, text):
            raise NoteError("the signature of a note is wrong", subject=_short(key))
        signers[key] = None
    if not signers:
        raise NoteError(
            "no known key signed this note",
            subject=", ".join(signature.name for signature in note.signatures[:3]),
            hint="give the verifier key that was published for this log",
        )
    return tuple(signers)


def is_key_name(name: str) -> bool:
    """Say whether a key may be called so (C2SP signed-note, Format)."""
    return bool(name) and not _NOT_IN_NAMES.search(name) and not any(map(str.isspace, name))


def decode_base64(text: str) -> bytes | None:
    """Decode standard base64 in its one canonical form (RFC 4648, section 4), else ``None``."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return raw if base64.b64encode(raw).decode() == text else None


def _encode_signature(signature: Signature) -> str:
    return base64.b64encode(
        signature.key_id.to_bytes(_KEY_ID_BYTES, "big") + signature.raw
    ).decode()


def _decode_signature(line: str) -> Signature:
    name, _, encoded = line.removeprefix(_LINE_START).partition(" ")
    raw = decode_base64(encoded)
    if not line.startswith(_LINE_START) or not is_key_name(name):
        raise _malformed("a line behind the empty line is not a signature")
    if raw is None or len(raw) <= _KEY_ID_BYTES:
        raise _malformed("a signature is not base64 of an id and a signature")
    return Signature(name, int.from_bytes(raw[:_KEY_ID_BYTES], "big"), raw[_KEY_ID_BYTES:])


def _by_name_and_id(keys: Iterable[VerifierKey]) -> dict[tuple[str, int], VerifierKey]:
    known: dict[tuple[str, int], VerifierKey] = {}
    for key in keys:
        if known.setdefault((key.name, key.key_id), key) != key:
            raise ConfigError("two different keys share a name and an id", subject=_short(key))
    return known


def _short(key: VerifierKey) -> str:
    return f"{key.name}+{key.key_id:08x}"


def _malformed(why: str) -> NoteError:
    return NoteError(f"this is not a signed note: {why}")


def _unusable_key(name: str, why: str) -> ConfigError:
    return ConfigError(
        f"a verifier key cannot be used: {why}",
        subject=name[:80],
        hint="give it whole, as name+id+key",
    )
