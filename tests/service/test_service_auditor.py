"""The commands of docs/auditor.md, as they stand there, on a sound archive and on changed ones."""

from __future__ import annotations

import os
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from collector_program import Collector

from collector.config import load
from collector.custody.intake import Arrived
from collector.domain.blob import RawBytes
from collector.domain.mailbox import Announced, Fetched, MailboxId, MessageRef
from collector.formats.unwrap import unwrap
from collector.service.assemble import open_house
from collector.service.evidence import known_keys

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "auditor.md"
FENCE = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NOW = datetime(2026, 3, 4, 5, 6, 7, 89, tzinfo=UTC)
INBOX = MailboxId("journal", "INBOX/Überläufe")


@pytest.fixture
def archived(collector: Collector) -> Collector:
    """Return a program whose archive holds a sealed segment, an open one, and a duplicate."""
    collector.configure()
    with open_house(load(collector.home / "collector.toml")) as house:
        for uids in ((1, 2, 3), (3, 4)):
            arrived = []
            for uid in uids:
                raw = RawBytes(b"Subject: %d\r\n\r\nbody\r\n" % uid)
                announced = Announced(MessageRef(INBOX, 7, uid), None, NOW)
                arrived.append(Arrived(Fetched(announced, raw), NOW, unwrap(raw)))
            with house.intake.turn():
                house.intake.commit(house.intake.store(arrived, NOW))
            house.intake.attest(NOW)
            if uids[0] == 1:
                house.intake.writer.roll(bytes_min=1)
                house.intake.seal()
                house.intake.finish_sealing(lambda: False)
    return collector


def passed(collector: Collector, tmp_path: Path, published: str = "") -> list[str]:
    """Run the commands of the page; return the numbers of the checks that end with ``ok``."""
    own = tmp_path / "bin"
    own.mkdir(exist_ok=True)
    program = own / "collector"
    program.write_text(f'#!/bin/sh\nexec {" ".join(collector.command())} "$@"\n')
    program.chmod(0o755)
    published = published or str(known_keys(collector.archive)[-1])
    done = subprocess.run(
        ["bash", "-c", "\n".join(FENCE.findall(PAGE.read_text(encoding="utf-8")))],
        cwd=collector.archive,
        env={
            **os.environ,
            "PATH": f"{own}:{os.environ['PATH']}",
            "PUBLISHED": published,
            "PYTHONPATH": str(ROOT),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    return re.findall(r"^(\d+) [a-z]+: ok$", done.stdout, re.MULTILINE)


ALL = [str(number) for number in range(1, 11)]


def test_a_sound_archive_passes_all_ten(archived: Collector, tmp_path: Path) -> None:
    """Every command does what the page says."""
    assert passed(archived, tmp_path) == ALL


CHANGES = [
    ("UPDATE receipts SET uid = 99 WHERE seq = 1", {"7", "10"}),
    ("UPDATE receipts SET digest = replace(digest, 'a', 'b') WHERE seq = 2", {"6", "10"}),
    ("DELETE FROM entries WHERE seq = 4", {"4", "10"}),
    ("DELETE FROM leaves WHERE position > 2", {"3", "10"}),
    ("UPDATE leaves SET hash = zeroblob(32) WHERE position = 0", {"8", "10"}),
]


@pytest.mark.parametrize(("sql", "fails"), CHANGES, ids=[each[0][:40] for each in CHANGES])
def test_what_was_changed_fails_its_check(
    archived: Collector, tmp_path: Path, sql: str, fails: set[str]
) -> None:
    """Each change is caught by the check that is about it, and by the last one."""
    database = archived.archive / "ledger.db"
    subprocess.run(["sqlite3", database, f"PRAGMA foreign_keys = 0; {sql}"], check=True)
    assert set(ALL) - set(passed(archived, tmp_path)) >= fails


def test_another_key_than_the_published_one_fails(archived: Collector, tmp_path: Path) -> None:
    """Key, signature and log are checked with the published key."""
    (key,) = known_keys(archived.archive)
    published = f"{key.name}+00000000+AQ{'A' * 42}="
    assert not {"1", "2", "10"} & set(passed(archived, tmp_path, published))
