"""A test vector: a message, and what must be read out of it.

The expectation is stated by whoever wrote the message, never taken from the
program.  On disk it is NAME.eml (or .eml.gz) and NAME.json.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from collector.domain.journal import JournalFormat, JournalProfile, Recipient, Unwrapped

DIRECTORY = Path(__file__).parent / "vectors"
GZIP_FROM_BYTES = 100_000
MANY = 1_000


@dataclass(frozen=True)
class Vector:
    """One message and its expectation.

    Attributes:
        about: what it shows, one sentence.
        profile: settings that differ from the defaults.
        expect: as ``told`` makes it.
    """

    name: str
    about: str
    raw: bytes
    expect: dict[str, Any]
    profile: dict[str, Any] = field(default_factory=dict)

    def write(self, directory: Path = DIRECTORY) -> None:
        """Write both files."""
        if len(self.raw) >= GZIP_FROM_BYTES:
            packed = gzip.compress(self.raw, mtime=0)
            (directory / f"{self.name}.eml.gz").write_bytes(packed)
        else:
            (directory / f"{self.name}.eml").write_bytes(self.raw)
        text = json.dumps(self.description(), indent=1, ensure_ascii=True) + "\n"
        (directory / f"{self.name}.json").write_text(text, encoding="ascii")

    def description(self) -> dict[str, Any]:
        """Return the content of the .json file."""
        return {
            "about": self.about,
            "profile": self.profile,
            "expect": self.expect,
        }


def load(name: str, directory: Path = DIRECTORY) -> Vector:
    """Read a vector from disk."""
    packed = directory / f"{name}.eml.gz"
    plain = directory / f"{name}.eml"
    raw = gzip.decompress(packed.read_bytes()) if packed.exists() else plain.read_bytes()
    told = json.loads((directory / f"{name}.json").read_text(encoding="ascii"))
    return Vector(name, told["about"], raw, told["expect"], told["profile"])


def profile_of(settings: dict[str, Any]) -> JournalProfile:
    """Return a profile from the settings of a .json file."""
    values = {
        key: tuple(value) if isinstance(value, list) else value for key, value in settings.items()
    }
    if "format" in values:
        values["format"] = JournalFormat(values["format"])
    return JournalProfile(**values)


def recipient_line(recipient: Recipient) -> str:
    """Return a recipient as one line: kind, address, redirections, marks."""
    marks = [
        f"from {recipient.source}" if recipient.source != "report" else "",
        "derived" if recipient.derived else "",
        "undisclosed" if recipient.undisclosed else "",
        f"level {recipient.level}" if recipient.level else "",
    ]
    via = [f"{step.how} {step.address}" for step in recipient.via]
    words = [recipient.kind.value, recipient.address, *via, *filter(None, marks)]
    return " | ".join(words)


def told(unwrapped: Unwrapped) -> dict[str, Any]:
    """Return everything ``unwrap`` said, in the form of a .json file."""
    return {
        "kind": unwrapped.kind.value,
        "reason": unwrapped.reason,
        "flags": list(unwrapped.flags),
        "trust": unwrapped.trust.value,
        "trust_reasons": list(unwrapped.trust_reasons),
        "envelope": envelope_told(unwrapped.envelope),
        "nested": [envelope_told(each) for each in unwrapped.nested],
        "originals": [
            {**asdict(each), "digest": each.digest.hex, "role": each.role.value}
            for each in unwrapped.originals
        ],
    }


def envelope_told(envelope: Any) -> dict[str, Any]:
    """Return an envelope; of very many recipients their number, the first and the last."""
    lines = [recipient_line(each) for each in envelope.recipients]
    recipients: Any = lines
    if len(lines) > MANY:
        recipients = {"count": len(lines), "first": lines[0], "last": lines[-1]}
    raw_lines: Any = list(envelope.raw_lines)
    if len(raw_lines) > MANY:
        raw_lines = {"count": len(raw_lines), "first": raw_lines[0], "last": raw_lines[-1]}
    return {
        "sender": envelope.sender,
        "on_behalf_of": envelope.on_behalf_of,
        "subject": envelope.subject,
        "message_id": envelope.message_id,
        "level": envelope.level,
        "recipients": recipients,
        "raw_lines": raw_lines,
    }


def original(
    raw: bytes,
    inner: bytes,
    *,
    role: str = "original",
    level: int = 0,
    encoded: bytes | None = None,
    encoding: str = "identity",
    place: int = 0,
) -> dict[str, Any]:
    """Return how an original is told: where its bytes lie in ``raw``, and its digest."""
    stored = inner if encoded is None else encoded
    return {
        "offset": raw.index(stored, place),
        "length": len(stored),
        "digest": hashlib.sha256(inner).hexdigest(),
        "role": role,
        "transfer_encoding": encoding,
        "level": level,
    }
