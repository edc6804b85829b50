"""The commands of docs/auditor.md, as they stand there, on a sound archive and on changed ones."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from collector_program import Collector
from evidence_authority import Authority, serve
from smtp_server import SmtpServer

from collector.config import Settings, load
from collector.custody.indexing import index
from collector.custody.intake import Arrived
from collector.custody.watch import utc_now
from collector.domain.blob import RawBytes
from collector.domain.journal import UNCONFIGURED
from collector.domain.mailbox import Announced, Fetched, MailboxId, MessageRef
from collector.service.assemble import open_house
from collector.service.evidence import known_keys
from collector.service.outside import outside_jobs

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
                arrived.append(Arrived(Fetched(announced, raw), NOW, index(raw, UNCONFIGURED)))
            with house.intake.turn():
                house.intake.commit(house.intake.store(arrived, NOW))
            house.intake.attest(NOW)
            if uids[0] == 1:
                house.intake.writer.roll(bytes_min=1)
                house.intake.seal()
                house.intake.finish_sealing(lambda: False)
    return collector


def passed(collector: Collector, tmp_path: Path, published: str = "", **known: str) -> list[str]:
    """Run the commands of the page; return the numbers of the checks that end with ``ok``."""
    return re.findall(
        r"^(\d+) [a-z]+: ok$", printed(collector, tmp_path, published, **known), re.MULTILINE
    )


def printed(collector: Collector, tmp_path: Path, published: str = "", **known: str) -> str:
    """Run the commands of the page; return what they print."""
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
            **known,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout


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


def test_what_was_mailed_is_compared(archived: Collector, tmp_path: Path, smtp: SmtpServer) -> None:
    """The attachment as it came; an archive put back to an older state fails the third check."""
    settings = with_evidence(
        archived, "[evidence.mail]", 'recipients = ["a@example.org"]', f"port = {smtp.port}"
    )
    old = tmp_path / "old"
    shutil.copytree(archived.archive, old)
    show(settings)
    kept = tmp_path / "kept"
    kept.mkdir()
    (note,) = smtp.delivered[0].message.iter_attachments()
    (kept / "note").write_bytes(note.get_content())
    assert passed(archived, tmp_path, KEPT=str(kept)) == ALL
    shutil.rmtree(archived.archive)
    old.rename(archived.archive)
    assert passed(archived, tmp_path) == ALL
    assert set(ALL) - set(passed(archived, tmp_path, KEPT=str(kept))) == {"3"}


def test_stamps_are_checked_and_a_late_one_is_told(archived: Collector, tmp_path: Path) -> None:
    """The second came five hours after the oldest it is the first to date; both are true."""
    home = tmp_path / "authority"
    home.mkdir()
    authority = Authority(home)
    (tmp_path / "tsa.pem").write_bytes(authority.root)
    with serve(authority) as url:
        certificates = f'stamp_certificates = "{tmp_path}/tsa.pem"'
        settings = with_evidence(archived, f'stamp_urls = ["{url}"]', certificates)
        show(settings)
        with open_house(settings) as house:
            house.ledger.record_event("service.started", utc_now() - timedelta(hours=5, minutes=2))
        show(settings)
    first, second = sorted((archived.archive / "checkpoints").glob("*.tsr"))
    told = printed(archived, tmp_path, CERTIFICATES=str(tmp_path / "tsa.pem"))
    assert "9 events: ok" in told
    (late,) = re.findall("^late: .*", told, re.MULTILINE)
    leaf = int(first.name.partition(".")[0])
    said = rf"late: checkpoints/{second.name} came 30[12] minutes after leaf {leaf}"
    assert re.fullmatch(said, late)
    shutil.copy(second, second.with_name(second.name.replace("127.0.0.1", "second.example")))
    two = printed(archived, tmp_path, CERTIFICATES=str(tmp_path / "tsa.pem"))
    assert (two.count("late: "), "9 events: ok" in two) == (1, True)
    assert "9 events: ok" not in printed(archived, tmp_path)  # without certificates
    told = printed(archived, tmp_path, CERTIFICATES=str(home / "server.crt"))
    assert all(f"wrong: checkpoints/{each.name}" in told for each in (first, second))
    assert "9 events: ok" not in told


def with_evidence(collector: Collector, *lines: str) -> Settings:
    """Add a section about evidence to the configuration."""
    path = collector.home / "collector.toml"
    with path.open("a") as file:
        file.write("\n".join(["", "[evidence]", *lines, ""]))
    return load(path)


def show(settings: Settings) -> None:
    """Show the newest checkpoint to everybody outside."""
    with open_house(settings) as house:
        house.record("service.started")
        house.intake.attest(NOW)
        (job,) = outside_jobs(settings)
        job.work(house.intake, lambda: False)
