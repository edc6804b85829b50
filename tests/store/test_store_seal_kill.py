"""Sealing with the ledger's switch in it, killed at every call and failing at every call."""

import itertools
import shutil
from pathlib import Path

import pytest
from store_samples import sealed_file, segment_file
from store_tracing import run, trace

from collector.custody.adopt import adopt
from collector.custody.audit import Audit
from collector.custody.intake import Intake
from collector.ledger.ledger import Ledger
from collector.store.archive import Archive
from collector.store.durable import sync_directory
from collector.store.writer import ArchiveWriter

BEGIN = """
import random, sys
from datetime import UTC, datetime
from pathlib import Path
from collector.custody.indexing import index
from collector.custody.intake import Arrived, Intake
from collector.domain.blob import RawBytes
from collector.domain.journal import UNCONFIGURED
from collector.domain.mailbox import Announced, Fetched, MailboxId, MessageRef
from collector.ledger.ledger import Ledger
from collector.store.archive import Archive
from collector.store.durable import sync_directory
from collector.store.writer import ArchiveWriter

root = Path(sys.argv[1])
path = root / "ledger.db"
writer = ArchiveWriter.open(root)
ledger = Ledger.open(path, create=not path.exists(), sync_directory=sync_directory)
intake = Intake(writer, ledger, Archive(root))
NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)

def arrived(uid, raw):
    ref = MessageRef(MailboxId("journal", "INBOX"), 1, uid)
    announced = Announced(ref, len(raw), NOW)
    raw = RawBytes(raw)
    return Arrived(Fetched(announced, raw), NOW, index(raw, UNCONFIGURED))
"""
FILL = (
    BEGIN
    + """
large = random.Random(1).randbytes(600_000)
for first, raws in ((1, [b"one", b"two"]), (3, [large]), (4, [b"one", b"four"])):
    with intake.turn():
        batch = [arrived(uid, raw) for uid, raw in enumerate(raws, first)]
        intake.commit(intake.store(batch, NOW))
writer.roll(0)
with intake.turn():
    intake.commit(intake.store([arrived(6, b"two"), arrived(7, b"seven")], NOW))
ledger.close()
writer.close()
"""
)
SEAL = (
    BEGIN
    + """
intake.seal()
intake.finish_sealing(lambda: False)
ledger.close()
writer.close()
"""
)
"""Two entries have the bytes of another; one of them lies in the segment that stays open."""
POINTS = [
    *itertools.product(
        ("write", "pwrite64", "fsync", "fdatasync", "fchmod", "linkat", "unlink"),
        ("signal=KILL", "error=EIO"),
    ),
    *itertools.product(("write", "pwrite64", "openat"), ("error=ENOSPC",)),
]


@pytest.fixture(scope="module")
def filled(tmp_path_factory) -> Path:
    """An archive with a full segment, as a clean stop leaves it."""
    root = tmp_path_factory.mktemp("filled") / "archive"
    ran = run(FILL, root)
    assert ran.returncode == 0, ran.stderr
    return root


def facts(root):
    """Return what the ledger says but for the places, once everything was audited."""
    ledger = Ledger.open(root / "ledger.db", create=False, sync_directory=sync_directory)
    with ledger.session():
        assert list(Audit(Archive(root), ledger).everything()) == []
        entries = list(ledger.entries())
        assert [each.problem for each in Archive(root).reread(e.blob for e in entries)] == [""] * 5
    ledger.close()
    return [(each.receipt, each.blob.digest) for each in entries]


def recovered(root):
    """Start again, finish what was begun, and stop."""
    with ArchiveWriter.open(root) as writer:
        ledger = Ledger.open(root / "ledger.db", create=False, sync_directory=sync_directory)
        with ledger.session():
            writer.recover(ledger.last_blob())
            intake = Intake(writer, ledger, Archive(root))
            intake.seal()
            intake.finish_sealing(lambda: False)
        ledger.close()


def rebuilt(root, path):
    """Return what a ledger made of the segments alone says."""
    ledger = Ledger.open(path, create=True, sync_directory=sync_directory)
    with ledger.session():
        assert adopt(Archive(root), ledger).damages == []
        entries = [(each.receipt, each.blob.digest) for each in ledger.entries()]
    ledger.close()
    return entries


def paths(work):
    """Return strace's options for the files that sealing touches."""
    files = [
        segment_file(work),
        sealed_file(work),
        segment_file(work).with_suffix(".zst.sealing"),
        work / "segments",
        work / "ledger.db",
        work / "ledger.db-wal",
    ]
    return [option for file in files for option in ("-P", str(file))]


def test_places_are_switched_with_their_duplicates(filled, tmp_path):
    """All entries of the segment name the sealed one, also those that came later."""
    root = tmp_path / "archive"
    shutil.copytree(filled, root)
    before = facts(root)
    ran = run(SEAL, root)
    assert ran.returncode == 0, ran.stderr
    assert facts(root) == before == rebuilt(root, tmp_path / "fresh.db")
    assert not segment_file(root).exists()
    ledger = Ledger.open(root / "ledger.db", create=False, sync_directory=sync_directory)
    assert [each.blob.segment for each in ledger.entries()] == ["000001.sealed"] * 6 + ["000002"]
    ledger.close()


@pytest.mark.slow
@pytest.mark.parametrize(("call", "effect"), POINTS)
def test_wherever_it_ends_nothing_is_lost(filled, tmp_path, call, effect):
    """Both files, half a file, places switched or not: all can be read, the next start ends it."""
    before = facts(filled)
    for when in itertools.count(1):
        base = tmp_path / str(when)
        shutil.copytree(filled, base / "work")
        inject = f"inject={call}:{effect}:when={when}"
        traced = trace(SEAL, base, *paths(base / "work"), "-e", inject)
        assert facts(base / "work") == before
        recovered(base / "work")
        assert facts(base / "work") == before
        assert not segment_file(base / "work").exists()
        assert not list((base / "work" / "segments").glob("*.sealing"))
        hit = traced.returncode == -9 or "(INJECTED)" in (base / "strace.log").read_text()
        if not hit:
            break
        shutil.rmtree(base)
    assert when > 1
