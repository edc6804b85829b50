"""Checkpoints: made with every change, never two that contradict each other, never in the way."""

from __future__ import annotations

import base64
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from collector.config import Settings, load
from collector.custody.intake import DAY
from collector.domain.errors import ConfigError, IntegrityError
from collector.domain.finding import Grade
from collector.evidence.note import VerifierKey
from collector.service.assemble import open_house, open_reading
from collector.service.evidence import check_evidence, known_keys

NOW = datetime(2026, 3, 4, 5, 6, 7, 89, tzinfo=UTC)


@pytest.fixture
def settings_with(tmp_path: Path) -> Callable[..., Settings]:
    """Return a maker of configurations of one archive, by the lines of ``[evidence]``."""

    def make(*lines: str) -> Settings:
        path = tmp_path / "collector.toml"
        text = f'[archive]\npath = "{tmp_path / "archive"}"\n[evidence]\n'
        path.write_text(text + "\n".join(lines))
        return load(path)

    return make


@pytest.fixture
def settings(settings_with: Callable[..., Settings]) -> Settings:
    """Return a configuration without a key."""
    return settings_with()


def run(settings: Settings) -> None:
    """Let the archive have one more event."""
    with open_house(settings) as house:
        house.record("service.started")


def checkpoints(settings: Settings) -> list[Path]:
    """Return the files of checkpoints, by size."""
    return sorted((settings.archive.path / "checkpoints").glob("*.checkpoint"))


def head(settings: Settings) -> tuple[int, bytes]:
    """Return size and root of the log."""
    with open_reading(settings) as (_archive, ledger):
        return ledger.log.head()


def tampered(settings: Settings, sql: str) -> None:
    """Change the ledger with another program."""
    subprocess.run(["sqlite3", settings.archive.path / "ledger.db", sql], check=True)


def test_every_run_with_changes_leaves_a_checkpoint_anyone_can_check(settings: Settings) -> None:
    """Name, size, root and signature are what C2SP says, read without our own reader."""
    run(settings)
    run(settings)
    paths = checkpoints(settings)
    assert len(paths) >= 2
    size, root = head(settings)
    text, _, signature = paths[-1].read_text().rpartition("\n\n")
    (key,) = known_keys(settings.archive.path)
    assert text.split("\n") == [key.name, str(size), base64.b64encode(root).decode()]
    assert paths[-1].name == f"{size:012d}.checkpoint"
    dash, name, encoded = signature.split(" ")
    assert (dash, name) == ("—", key.name)
    signed = base64.b64decode(encoded)[4:]
    Ed25519PublicKey.from_public_bytes(key.raw).verify(signed, f"{text}\n".encode())


def test_nothing_new_makes_no_checkpoint_but_a_day_does(settings: Settings) -> None:
    """A quiet cycle signs nothing; once a day the silence itself is signed."""
    with open_house(settings) as house:
        house.intake.attest(NOW + timedelta(days=9000))
        before = checkpoints(settings)
        house.intake.attest(NOW + timedelta(days=9000) + DAY / 2)
        assert checkpoints(settings) == before
        house.intake.attest(NOW + timedelta(days=9000) + DAY)
        assert len(checkpoints(settings)) == len(before) + 1
        assert house.ledger.events(limit=1)[0].name == "log.continued"


def test_an_archive_that_was_rolled_back_signs_nothing(settings: Settings, tmp_path: Path) -> None:
    """An old copy of ledger and segments beside newer checkpoints is refused at the start."""
    run(settings)
    old = tmp_path / "old"
    shutil.copytree(settings.archive.path, old)
    run(settings)
    signed = checkpoints(settings)
    for name in ("ledger.db", "segments"):
        place = settings.archive.path / name
        shutil.rmtree(place) if place.is_dir() else place.unlink()
        shutil.move(old / name, place)
    with pytest.raises(IntegrityError, match=r"the log has \d leaves, but \d were signed"):
        run(settings)
    assert checkpoints(settings) == signed


def test_a_log_that_was_written_anew_signs_nothing(settings: Settings) -> None:
    """Leaves under a checkpoint are others: the log does not continue it."""
    for _ in range(3):
        run(settings)
    signed = checkpoints(settings)
    tampered(settings, "UPDATE nodes SET hash = zeroblob(32)")
    with pytest.raises(IntegrityError, match="does not continue the checkpoint"):
        run(settings)
    assert checkpoints(settings) == signed


def test_a_forged_checkpoint_is_not_continued(settings: Settings) -> None:
    """The last checkpoint counts only with the signature of a known key."""
    run(settings)
    path = checkpoints(settings)[-1]
    path.write_bytes(path.read_bytes().replace(b"\n\n", b"\nmore\n\n"))
    with pytest.raises(IntegrityError, match="signature of a note is wrong"):
        run(settings)


def test_a_key_made_in_the_archive_is_ours_alone_and_told_of(settings: Settings) -> None:
    """Mode 0600, the public half beside it, and a warning that it should be elsewhere."""
    assert check_evidence(settings).grade is Grade.WARNING
    run(settings)
    key = settings.archive.path / "checkpoints" / "log.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    private = load_pem_private_key(key.read_bytes(), None)
    (known,) = known_keys(settings.archive.path)
    assert private.public_key().public_bytes_raw() == known.raw
    finding = check_evidence(settings)
    assert (finding.grade, finding.subject) == (Grade.WARNING, str(key))


def test_a_lost_key_is_not_replaced_by_the_way(settings: Settings) -> None:
    """A new key is a decision."""
    run(settings)
    (settings.archive.path / "checkpoints" / "log.key").unlink()
    with pytest.raises(ConfigError, match="the key that signed the checkpoints is gone"):
        run(settings)


def test_a_key_may_change_and_the_log_goes_on(
    settings: Settings, settings_with: Callable[..., Settings], tmp_path: Path
) -> None:
    """The change is an event; old checkpoints are read with the old key, new ones with the new."""
    run(settings)
    command = ["openssl", "genpkey", "-algorithm", "ed25519", "-out", tmp_path / "new.key"]
    subprocess.run(command, check=True, capture_output=True)
    (tmp_path / "new.key").chmod(0o600)
    changed = settings_with('key_file = "new.key"')
    run(changed)
    old, new = known_keys(settings.archive.path)
    assert (old.name, old != new) == (new.name, True)
    assert f"{new.name} " in checkpoints(settings)[-1].read_text()
    with open_reading(settings) as (_archive, ledger):
        events = ledger.events(names=["log.key_changed"])
    assert [event.keys["key"] for event in events] == [str(new), str(old)]
    assert check_evidence(changed).grade is Grade.OK


def test_the_origin_stays(settings: Settings, settings_with: Callable[..., Settings]) -> None:
    """Another name would be another log."""
    run(settings)
    with pytest.raises(ConfigError, match="another origin than before"):
        run(settings_with('origin = "other.example.net/log"'))


SIGNER = """
import base64, sys
from cryptography.hazmat.primitives.serialization import load_pem_private_key
text = sys.stdin.buffer.read()
private = load_pem_private_key(open({key!r}, "rb").read(), None)
print(base64.b64encode(private.sign(text)).decode())
"""


def test_a_signer_that_cannot_sign_now_holds_nothing_up(
    settings_with: Callable[..., Settings], tmp_path: Path
) -> None:
    """Events are logged all the same, and the next checkpoint covers them."""
    key = tmp_path / "far.key"
    command = ["openssl", "genpkey", "-algorithm", "ed25519", "-out", key]
    subprocess.run(command, check=True, capture_output=True)
    public = load_pem_private_key(key.read_bytes(), None).public_key().public_bytes_raw()
    script = tmp_path / "sign.py"
    lines = (
        f'key_command = ["{sys.executable}", "{script}"]',
        f'public_key = "{VerifierKey("example.net/log", public)}"',
    )
    settings = settings_with(*lines)
    run(settings)
    size, _root = head(settings)
    assert (size >= 2, checkpoints(settings)) == (True, [])
    script.write_text(SIGNER.format(key=str(key)))
    run(settings)
    assert checkpoints(settings)[-1].read_text().startswith("example.net/log\n")
    assert check_evidence(settings).grade is Grade.OK


def test_a_signing_command_needs_its_verifier_key(settings_with: Callable[..., Settings]) -> None:
    """What a command answers is checked with a key known before."""
    with pytest.raises(ConfigError, match="verifier key of the signing command is missing"):
        run(settings_with('key_command = ["true"]'))


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (('origin = "a b"',), "this origin cannot be used"),
        (('key_file = "a"', 'key_command = ["b"]'), "there are two keys"),
        (("key_command = []",), "at least 1 item"),
        (("kye_file = 1",), "unknown key"),
    ],
)
def test_a_wrong_section_is_refused(
    settings_with: Callable[..., Settings], lines: tuple[str, ...], told: str
) -> None:
    """One line says what is wrong."""
    with pytest.raises(ConfigError, match=told):
        settings_with(*lines)
