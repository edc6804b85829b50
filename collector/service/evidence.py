"""The log's name and keys: configured, or made at the first start.

Rule: the public keys of all checkpoints lie beside them, one a line, the present
one last; for a stranger that is a hint, not evidence: he compares them with what
was published.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

from collector.config import EvidenceSettings, Settings
from collector.custody.checkpoints import Checkpoints, checkpoint_files
from collector.domain.errors import ConfigError
from collector.domain.finding import Finding, Grade
from collector.evidence.checkpoint import Signer
from collector.evidence.command import CommandSigner
from collector.evidence.keys import KeyPlace, create_key_file, load_signer
from collector.evidence.note import VerifierKey
from collector.store import durable

CHECKPOINTS = "checkpoints"
KEY = "log.key"
KEYS = "log.vkeys"
KEYS_BYTES_MAX = 1024 * 1024


def directory_of(root: Path) -> Path:
    """Return where the checkpoints of an archive lie."""
    return root / CHECKPOINTS


def open_checkpoints(settings: Settings, record: Callable[..., None]) -> Checkpoints:
    """Return the checkpoints of the archive that this process writes; make a key if need be.

    ``record`` writes a change of the key down.

    Raises:
        ConfigError: the key cannot be used, or the origin is another than before.
        CycleError: the disk is full.
    """
    directory = directory_of(settings.archive.path)
    try:
        durable.make_directory(directory)
        known = known_keys(settings.archive.path)
        signer = _signer(settings.evidence, directory, known)
        if signer.key not in known:
            _refuse_other_origin(signer.key, known)
            known = [*known, signer.key]
            lines = "".join(f"{key}\n" for key in known)
            durable.publish(directory / KEYS, lines.encode())
            record("log.key_changed", key=str(signer.key), keys_count=len(known))
    except OSError as error:
        raise durable.write_error(error, directory) from error
    return Checkpoints(directory, signer, known)


def known_keys(root: Path) -> list[VerifierKey]:
    """Return the keys that lie beside the checkpoints, the present one last.

    Raises:
        ConfigError: a line is no verifier key, or the file cannot be read.
    """
    path = directory_of(root) / KEYS
    try:
        with path.open("rb") as file:
            text = file.read(KEYS_BYTES_MAX).decode("utf-8", errors="replace")
    except FileNotFoundError:
        return []
    except OSError as error:
        what = f"the verifier keys cannot be read: {error.strerror}"
        raise ConfigError(what, subject=str(path)) from error
    return [VerifierKey.parse(line) for line in text.splitlines() if line]


def check_evidence(settings: Settings) -> Finding:
    """Say whether somebody who has the archive can sign in its name."""
    evidence, root = settings.evidence, settings.archive.path
    try:
        if evidence.key_command is not None:
            return _fine(f"signed by a command, as {_expected(evidence).name}")
        if evidence.key_file is None:
            return Finding(
                "evidence",
                str(directory_of(root) / KEY),
                Grade.WARNING,
                "the key that signs lies in the archive: who can change one can use the other",
                "set key_file or key_command in [evidence], and publish the verifier key",
            )
        known = known_keys(root)
        place = _place(evidence, evidence.key_file)
        key = load_signer(place, _origin(evidence, known)).key
    except ConfigError as error:
        return Finding("evidence", error.subject, Grade.FAILED, error.what, error.hint)
    return _fine(f"signed by a key outside the archive, as {key.name}")


def _fine(detail: str) -> Finding:
    return Finding("evidence", "checkpoints", Grade.OK, detail)


def _signer(evidence: EvidenceSettings, directory: Path, known: list[VerifierKey]) -> Signer:
    if evidence.key_command is not None:
        return CommandSigner(evidence.key_command, _expected(evidence))
    origin = _origin(evidence, known)
    if evidence.key_file is not None:
        signer = load_signer(_place(evidence, evidence.key_file), origin)
        if evidence.public_key is not None and _expected(evidence) != signer.key:
            what = "the key file holds another key than public_key names"
            raise ConfigError(what, subject=str(evidence.key_file))
        return signer
    own = KeyPlace(Path(KEY), directory)
    if not own.path.exists():
        if any(checkpoint_files(directory)):
            raise ConfigError(
                "the key that signed the checkpoints is gone",
                subject=str(own.path),
                hint="bring it back, or set key_file in [evidence] to a new one",
            )
        _make_key(own.path, origin)
    return load_signer(own, origin)


def _make_key(path: Path, origin: str) -> None:
    """Make a key, whole under its name or not at all."""
    unfinished = path.with_name(f"{path.name}.new")
    unfinished.unlink(missing_ok=True)
    create_key_file(unfinished, origin, durable.sync_file)
    durable.move(unfinished, path)


def _expected(evidence: EvidenceSettings) -> VerifierKey:
    if evidence.public_key is None:
        raise ConfigError(
            "the verifier key of the signing command is missing",
            subject="[evidence] public_key",
            hint="its signatures are checked with it; write it as name+id+key",
        )
    key = VerifierKey.parse(evidence.public_key)
    if evidence.origin not in {None, key.name}:
        raise ConfigError("origin and public_key name different logs", subject=key.name)
    return key


def _origin(evidence: EvidenceSettings, known: list[VerifierKey]) -> str:
    """Return the log's name: as configured, as it always was, or a new one nobody else has."""
    if evidence.origin is not None:
        return evidence.origin
    return known[-1].name if known else f"journal-collector/{uuid4().hex}"


def _place(evidence: EvidenceSettings, name: Path) -> KeyPlace:
    credentials = os.environ.get("CREDENTIALS_DIRECTORY")
    return KeyPlace(name, evidence.directory, Path(credentials) if credentials else None)


def _refuse_other_origin(key: VerifierKey, known: list[VerifierKey]) -> None:
    if known and key.name != known[-1].name:
        raise ConfigError(
            "the log has another origin than before",
            subject=key.name,
            hint=f"it is {known[-1].name}; a key may change, the name of a log may not",
        )
