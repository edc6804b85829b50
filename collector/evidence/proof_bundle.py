"""The proof of one message, as files that a stranger can check without us.

Rule: everything is written as it was kept: message, record, checkpoint and time
stamp byte for byte.  HOW-TO-CHECK.md names every command, and the tests run
them as they stand there.
"""

from __future__ import annotations

import base64
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from collector.domain.blob import RawMessage, windows
from collector.domain.errors import ConfigError, CycleError, IntegrityError
from collector.domain.evidence import InclusionProof, SignedCheckpoint, TimeStamp
from collector.evidence.keys import encode_public_key
from collector.evidence.note import VerifierKey
from collector.evidence.tlog_proof import TlogProof, encode_tlog_proof, includes

MESSAGE, RECORD, CHECKPOINT = "message.eml", "record.json", "checkpoint"
PROOF, KEYS, GUIDE = "proof.tlog-proof", "keys.vkey", "HOW-TO-CHECK.md"

DIGEST_IN_RECORD = re.compile(rb'"digest": ?"sha256:([0-9a-f]{64})"')
"""How a record names its message; a record does so exactly once."""

_AUTHORITY = re.compile(r"[a-z0-9][a-z0-9.-]{0,62}")


@dataclass(frozen=True, slots=True)
class Stamped:
    """A time stamp of the checkpoint and the PEM certificates that vouch for it."""

    stamp: TimeStamp
    certificates: bytes


@dataclass(frozen=True, slots=True)
class ProofBundle:
    """All that is handed out.

    Attributes:
        record: the leaf of the tree; JSON with ``"digest":"sha256:…"`` once.
        keys: the keys that signed the checkpoint.
    """

    message: RawMessage
    record: bytes
    inclusion: InclusionProof
    checkpoint: SignedCheckpoint
    keys: tuple[VerifierKey, ...]
    stamps: tuple[Stamped, ...] = ()


def write_bundle(bundle: ProofBundle, directory: Path) -> tuple[Path, ...]:
    """Write the files of a proof into a new or empty directory.

    Raises:
        IntegrityError: message, record and tree do not belong together.
        ConfigError: the directory holds something already.
        CycleError: a file cannot be written.
    """
    _require_sound(bundle)
    written = []
    try:
        directory.mkdir(parents=True, exist_ok=True)
        if any(directory.iterdir()):
            raise ConfigError("a proof is written into an empty directory", subject=str(directory))
        for name, pieces in _contents(bundle):
            path = directory / name
            with path.open("xb") as file:
                file.writelines(pieces)
            written.append(path)
    except OSError as error:
        raise CycleError(
            f"a proof cannot be written: {error.strerror}", subject=str(directory)
        ) from error
    return tuple(written)


def _require_sound(bundle: ProofBundle) -> None:
    tree = bundle.checkpoint.checkpoint
    if DIGEST_IN_RECORD.findall(bundle.record) != [bundle.message.digest.hex.encode()]:
        raise IntegrityError(
            "a record does not name the digest of its message", subject=str(bundle.message.digest)
        )
    if not includes(bundle.record, bundle.inclusion, tree.size, tree.root):
        raise IntegrityError(
            "an entry is not in the tree of the checkpoint",
            subject=f"entry {bundle.inclusion.index}",
        )
    for stamped in bundle.stamps:
        if not _AUTHORITY.fullmatch(stamped.stamp.authority):
            raise ConfigError(
                "an authority's name is a file name: a-z, 0-9, dot and dash",
                subject=stamped.stamp.authority,
            )


def _contents(bundle: ProofBundle) -> Iterator[tuple[str, Iterator[bytes]]]:
    """Yield the name and content of each file."""
    note = bundle.checkpoint.raw
    yield MESSAGE, windows(bundle.message)
    yield RECORD, iter([bundle.record])
    yield PROOF, iter([encode_tlog_proof(TlogProof(bundle.inclusion, note))])
    yield CHECKPOINT, iter([note])
    yield KEYS, iter([f"{key}\n".encode() for key in bundle.keys])
    for key in bundle.keys:
        yield _key_file(key), iter([encode_public_key(key)])
    for stamped in bundle.stamps:
        yield f"{stamped.stamp.authority}.tsr", iter([stamped.stamp.raw])
        yield f"{stamped.stamp.authority}.pem", iter([stamped.certificates])
    yield GUIDE, iter([_guide(bundle).encode()])


def _key_file(key: VerifierKey) -> str:
    return f"key-{key.key_id:08x}.pem"


def _guide(bundle: ProofBundle) -> str:
    tree = bundle.checkpoint.checkpoint
    text = files(__package__).joinpath(GUIDE).read_text(encoding="utf-8")
    no_stamps = "No time stamp was at hand when this proof was written.\n"
    for place, value in {
        "@ORIGIN@": tree.origin,
        "@SIZE@": str(tree.size),
        "@INDEX@": str(bundle.inclusion.index),
        "@SIGNATURES@": "\n".join(map(_signature_steps, bundle.keys)),
        "@STAMPS@": "\n".join(map(_stamp_steps, bundle.stamps)) or no_stamps,
    }.items():
        text = text.replace(place, value)
    return text


def _signature_steps(key: VerifierKey) -> str:
    """Return the commands that check one signature; its key id tells its line."""
    hint = base64.b64encode(key.key_id.to_bytes(4, "big")).decode()[:5]
    line = shlex.quote(f"— {key.name} {hint}")
    return f"""\
Signature by `{key.name}` with `{_key_file(key)}` (Ed25519 over all lines before the empty one):

```sh
work=$(mktemp -d)
sed '/^$/,$d' checkpoint > "$work/text"
grep -F -e {line} checkpoint | sed 's/.* //' | openssl base64 -d -A | tail -c 64 > "$work/signed"
if openssl pkeyutl -verify -pubin -inkey {_key_file(key)} -rawin \\
  -in "$work/text" -sigfile "$work/signed"
then echo "signature: ok"; else echo "signature: FAILED"; fi
```
"""


def _stamp_steps(stamped: Stamped) -> str:
    """Return the commands that check one time stamp, as of its own time."""
    stamp = stamped.stamp
    name = stamp.authority
    return f"""\
Stamped by `{name}` at {stamp.stamped_at.isoformat()}. The certificates in `{name}.pem`
count only when you got the same ones from the authority itself. Compare this time with
`committed_at` in `record.json`: what lies between them is the word of the archive alone. An
authority is asked once an hour; a longer time means that it, or the archive, was away.

```sh
openssl ts -reply -in {name}.tsr -text 2>&1 | grep 'Time stamp:'
if openssl ts -verify -data checkpoint -in {name}.tsr -CAfile {name}.pem \\
  -attime {int(stamp.stamped_at.timestamp())}
then echo "time stamp: ok"; else echo "time stamp: FAILED"; fi
```
"""
