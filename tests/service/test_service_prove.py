"""``prove`` and ``check-proof``, through the program, and the commands of HOW-TO-CHECK.md."""

from __future__ import annotations

import re
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from collector_program import Collector

from collector.config import Settings, load
from collector.custody.anchored import Anchored
from collector.custody.indexing import index
from collector.custody.intake import Arrived
from collector.domain.blob import RawBytes
from collector.domain.journal import UNCONFIGURED
from collector.domain.mailbox import Announced, Fetched, MailboxId, MessageRef
from collector.evidence.note import VerifierKey
from collector.service.assemble import open_house, open_reading
from collector.service.evidence import known_keys

NOW = datetime(2026, 3, 4, 5, 6, 7, 89, tzinfo=UTC)
INBOX = MailboxId("journal", "INBOX/Überläufe")
FENCE = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def raw_of(uid: int) -> bytes:
    """Return one message."""
    return b"Subject: secret %d\r\n\r\nbody of %d\r\n" % (uid, uid)


@pytest.fixture
def archived(collector: Collector) -> tuple[Collector, Settings]:
    """Return a program with five entries, two and three under a checkpoint each."""
    collector.configure()
    settings = load(collector.home / "collector.toml")
    with open_house(settings) as house:
        for first, count in ((1, 2), (3, 3)):
            arrived = []
            for uid in range(first, first + count):
                announced = Announced(MessageRef(INBOX, 7, uid), None, NOW)
                raw = RawBytes(raw_of(uid))
                arrived.append(Arrived(Fetched(announced, raw), NOW, index(raw, UNCONFIGURED)))
            with house.intake.turn():
                house.intake.commit(house.intake.store(arrived, NOW))
            house.intake.attest(NOW)
    return collector, settings


def test_a_proof_checks_with_our_command_and_without_us(
    archived: tuple[Collector, Settings], tmp_path: Path
) -> None:
    """Every step is ok with the published key, and every command of the guide agrees."""
    collector, settings = archived
    (key,) = known_keys(settings.archive.path)
    for seq in (1, 2, 5):
        proof = tmp_path / f"proof-{seq}"
        assert collector.run("prove", str(seq), "-o", str(proof)).code == 0
        assert (proof / "message.eml").read_bytes() == raw_of(seq)
        done = collector.run("check-proof", str(proof), "--key", str(key), "--json")
        grades = {each["name"]: each["result"] for each in done.json()["findings"]}
        expected = {"message": "ok", "inclusion": "ok", "signature": "ok", "time-stamp": "warning"}
        assert (done.code, grades) == (0, expected)
        guide = (proof / "HOW-TO-CHECK.md").read_text()
        script = "\n".join(FENCE.findall(guide))
        shown = subprocess.run(
            ["bash", "-c", script], cwd=proof, capture_output=True, text=True, check=False
        )
        assert "FAILED" not in shown.stdout, shown.stdout + shown.stderr
        assert shown.stdout.count("ok") >= 3, shown.stdout + shown.stderr
        others = b"".join(path.read_bytes() for path in proof.iterdir())
        assert all(raw_of(uid)[9:18] not in others for uid in range(1, 6) if uid != seq)


def test_a_proof_is_under_the_first_checkpoint_and_is_an_event(
    archived: tuple[Collector, Settings], tmp_path: Path
) -> None:
    """The first checkpoint dates an entry best; that it was handed out is recorded."""
    collector, settings = archived
    collector.run("prove", "2", "-o", str(tmp_path / "proof"))
    first, second, *_ = sorted((settings.archive.path / "checkpoints").glob("*.checkpoint"))
    note = (tmp_path / "proof" / "checkpoint").read_bytes()
    with open_reading(settings) as (_archive, ledger):
        position = ledger.log.position(2)
        event = ledger.events(names=["proof.written"])[0]
    assert note == (first if int(first.stem) > position else second).read_bytes()
    assert event.keys["seq"] == 2


def test_a_checkpoint_that_is_thinned_out_just_now_is_not_handed_out(
    archived: tuple[Collector, Settings], tmp_path: Path
) -> None:
    """The next one is: what somebody outside holds is found here as well."""
    collector, settings = archived
    directory = settings.archive.path / "checkpoints"
    first, second, *_ = sorted(directory.glob("*.checkpoint"))
    with Anchored(directory).frozen():
        proving = collector.start("prove", "1", "-o", str(tmp_path / "proof"))
        while not waited_for(directory):
            assert proving.process.poll() is None, "it did not wait"
            time.sleep(0.01)
        first.unlink()
    assert proving.end().code == 0
    assert (tmp_path / "proof" / "checkpoint").read_bytes() == second.read_bytes()


def waited_for(directory: Path) -> bool:
    """Say whether some process waits for the lock of a directory (proc_locks(5))."""
    inode = f":{directory.stat().st_ino} "
    lines = Path("/proc/locks").read_text().splitlines()
    return any("-> FLOCK" in line and inode in line for line in lines)


@pytest.mark.parametrize("name", ["message.eml", "record.json", "checkpoint", "proof.tlog-proof"])
def test_a_proof_that_was_changed_is_broken(
    archived: tuple[Collector, Settings], tmp_path: Path, name: str
) -> None:
    """One byte of any file, and the exit code says so."""
    collector, _settings = archived
    proof = tmp_path / "proof"
    collector.run("prove", "3", "-o", str(proof))
    content = bytearray((proof / name).read_bytes())
    content[len(content) // 2] ^= 1
    (proof / name).write_bytes(content)
    done = collector.run("check-proof", str(proof))
    assert done.code == 3
    assert "failed" in done.text


def test_another_key_than_the_published_one_is_broken(
    archived: tuple[Collector, Settings], tmp_path: Path
) -> None:
    """Without a key the proof is a warning, with another one it is broken."""
    collector, settings = archived
    proof = tmp_path / "proof"
    collector.run("prove", "3", "-o", str(proof))
    without = collector.run("check-proof", str(proof))
    assert (without.code, "compare it with the one published" in without.text) == (0, True)
    (key,) = known_keys(settings.archive.path)
    other = str(VerifierKey(key.name, bytes(32)))
    assert collector.run("check-proof", str(proof), "--key", other).code == 3


def test_what_cannot_be_proven_is_said(
    archived: tuple[Collector, Settings], tmp_path: Path
) -> None:
    """No such entry, no empty folder, no checkpoint yet."""
    collector, settings = archived
    missing = collector.run("prove", "9", "-o", str(tmp_path / "a"))
    assert (missing.code, "there is no such entry" in missing.err) == (2, True)
    assert collector.run("prove", "1", "-o", str(collector.home)).code == 2
    for path in (settings.archive.path / "checkpoints").glob("*.checkpoint"):
        path.unlink()
    unsigned = collector.run("prove", "1", "-o", str(tmp_path / "b"))
    assert (unsigned.code, "no checkpoint covers" in unsigned.err) == (1, True)
