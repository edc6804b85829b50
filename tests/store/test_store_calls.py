"""The order of system calls, and what happens when one of them fails or is the last."""

import random

import pytest
from store_samples import damages, seal_all, segment_file, store, stored_messages
from store_tracing import run, trace

from collector.store.archive import Archive
from collector.store.writer import ArchiveWriter

BEGIN = """
import os, random, sys
from pathlib import Path
from store_samples import store, seal_all, settlement_of
from collector.domain.errors import CollectorError
from collector.store.writer import ArchiveWriter
root = Path(sys.argv[1]) / "a"

def attempt(step):
    try:
        return step()
    except CollectorError as error:
        print(type(error).__mro__[-4].__name__, type(error).__name__, error.what, flush=True)
"""
WORK = (
    BEGIN
    + """
writer = ArchiveWriter.open(root)
for seq in (1, 2):
    store(writer, seq, [b"%d" % seq])
    os.write(1, b"promised %d\\n" % seq)
seal_all(writer)
store(writer, 3, [b"3"])
os.write(1, b"promised 3\\n")
writer.close()
"""
)
SEGMENT = "a/segments/000001.tar.zst"
SEALING = f"{SEGMENT}.sealing"
SEALED = "a/segments/000001.sealed.tar.zst"


def test_every_step_is_durable_before_the_next(tmp_path):
    """Directories and files are synced with their parents; a segment goes after its successor."""
    traced = trace(WORK, tmp_path)
    assert traced.returncode == 0, traced.stderr
    calls = [call for call in traced.calls if call[0] != "fadvise64"]
    assert calls[:7] == [
        ("mkdir", "."),
        ("mkdir", "a"),
        ("fsync", "."),
        ("mkdir", "a/segments"),
        ("fsync", "a"),
        ("mkdir", "a/spool"),
        ("fsync", "a"),
    ]
    assert calls[7:18] == [
        ("open", "a/lock"),
        ("flock", "a/lock"),
        ("pwrite64", "a/lock"),
        ("fsync", "a/lock"),
        ("fsync", "a"),
        ("unlink", "a/FORMAT.md.new"),
        ("create", "a/FORMAT.md.new"),
        ("write", "a/FORMAT.md.new"),
        ("fsync", "a/FORMAT.md.new"),
        ("rename", "a/FORMAT.md.new"),
        ("fsync", "a"),
    ]
    assert calls[18:25] == [
        ("create", SEGMENT),
        ("fsync", SEGMENT),
        ("fsync", "a/segments"),
        ("write", SEGMENT),
        ("fdatasync", SEGMENT),
        ("write", SEGMENT),
        ("fdatasync", SEGMENT),
    ]
    sealing = [call for call in calls[25:] if call != ("write", SEALING)]
    assert sealing[:6] == [
        ("create", SEALING),
        ("fsync", SEALING),
        ("fsync", "a/segments"),
        ("fchmod", SEALING),
        ("fsync", SEALING),
        ("linkat", SEALING),
    ]
    assert sealing[6:10] == [
        ("unlink", SEALING),
        ("fsync", "a/segments"),
        ("unlink", SEGMENT),
        ("fsync", "a/segments"),
    ]
    assert sealing[-2:] == [("pwrite64", "a/lock"), ("fsync", "a/lock")]
    dropped = traced.calls.index(("fadvise64", SEALING))
    assert traced.calls.index(("fchmod", SEALING)) < dropped
    assert dropped < traced.calls.index(("linkat", SEALING))


def test_a_proof_drops_the_cache_first(tmp_path):
    """What is proven was read from the medium, not remembered."""
    script = BEGIN + (
        "from collector.store.archive import Archive\n"
        "with ArchiveWriter.open(root) as writer: blobs = store(writer, 1, [b'1'])\n"
        "print([each.problem for each in Archive(root).reread(blobs)])\n"
    )
    traced = trace(script, tmp_path)
    assert traced.stdout == "['']\n"
    assert traced.calls[-1] == ("fadvise64", SEGMENT)


def test_an_unclean_stop_syncs_and_forgets_before_it_believes(tmp_path):
    """Dirty pages of a killed process would survive the dropping and prove nothing."""
    killed = run(WORK.replace("writer.close()", "os.kill(os.getpid(), 9)"), tmp_path / "work")
    assert killed.returncode == -9, killed.stderr
    traced = trace(BEGIN + "print(ArchiveWriter.open(root).unclean)", tmp_path)
    assert traced.stdout == "True\n"
    second = "a/segments/000002.tar.zst"
    on_second = [call for call, name in traced.calls if name == second]
    assert on_second == ["fsync", "fadvise64"]


@pytest.mark.parametrize(
    "call",
    ["fdatasync:error=EIO:when=2", "fdatasync:error=ENOSPC:when=2", "fsync:error=EIO:when=3"],
)
def test_after_a_failed_fsync_nothing_is_believed_any_more(tmp_path, call):
    """No second try, no later append, no closed mark; the next process knows."""
    with ArchiveWriter.open(tmp_path / "work" / "a"):
        pass  # the fsyncs of the script are then: lock, archive, segment, segments
    script = BEGIN + (
        "writer = ArchiveWriter.open(root)\n"
        "for seq in (1, 2, 3): attempt(lambda: store(writer, seq, [b'%d' % seq]))\n"
        "attempt(lambda: writer.append_settlements([settlement_of(1)]))\n"
        "attempt(lambda: writer.seal('000001', len))\n"
        "attempt(writer.check_sound)\n"
        "writer.close()\n"
    )
    traced = trace(script, tmp_path, "-e", f"inject={call}")
    assert traced.returncode == 0, traced.stderr
    lines = traced.stdout.splitlines()
    assert lines[0].startswith("CollectorError DurabilityError a write could not be made durable")
    assert all(
        line.endswith(lines[0].split("DurabilityError ")[1]) and " IntegrityError " in line
        for line in lines[1:]
    )
    assert len(lines) == (5 if call.startswith("fdatasync") else 6)
    failed = [index for index, (name, _) in enumerate(traced.calls) if name == call.split(":")[0]]
    when = int(call.rpartition("=")[2])
    assert traced.calls[failed[when - 1]] == (call.split(":")[0], SEGMENT)
    assert traced.calls[failed[when - 1] + 1 :] == []
    root = tmp_path / "work" / "a"
    assert (root / "lock").read_text().startswith("open ")
    with ArchiveWriter.open(root) as writer:
        assert writer.unclean
        (blob,) = store(writer, 9, [b"9"])
    assert blob.segment == ("000002" if segment_file(root).exists() else "000001")
    assert stored_messages(root)[9] == b"9"


@pytest.mark.parametrize(
    ("errno", "kind", "what"),
    [
        ("ENOSPC", "CycleError", "the disk is full"),
        ("EDQUOT", "CycleError", "the disk is full"),
        ("EIO", "IntegrityError", "writing failed: Input/output error"),
    ],
)
def test_a_failed_write_is_cut_off_and_the_next_one_succeeds(tmp_path, errno, kind, what):
    """The segment stays at a frame border, so nothing behind the failure is lost."""
    script = BEGIN + (
        "writer = ArchiveWriter.open(root)\n"
        "store(writer, 1, [b'1'])\n"
        "attempt(lambda: store(writer, 2, [os.urandom(1_000_000)]))\n"
        "writer.check_sound()\n"
        "store(writer, 2, [b'2'])\n"
        "writer.close()\n"
    )
    path = str(tmp_path / "work" / SEGMENT)
    traced = trace(script, tmp_path, "-P", path, "-e", f"inject=write:error={errno}:when=3")
    assert traced.returncode == 0, traced.stderr
    assert traced.stdout.split(maxsplit=1)[1] == f"{kind} {what}\n"
    assert ("ftruncate", SEGMENT) in traced.calls
    root = tmp_path / "work" / "a"
    assert stored_messages(root) == {1: b"1", 2: b"2"}
    assert damages(root) == []
    with ArchiveWriter.open(root) as writer:
        assert not writer.unclean


def test_a_tail_that_cannot_be_cut_off_ends_the_writing(tmp_path):
    """Whole frames that were never synced must not be found by the next scan of this process."""
    script = BEGIN + (
        "writer = ArchiveWriter.open(root)\n"
        "store(writer, 1, [b'1'])\n"
        "for seq in (2, 3): attempt(lambda: store(writer, seq, [os.urandom(500_000)]))\n"
        "writer.close()\n"
    )
    path = str(tmp_path / "work" / SEGMENT)
    options = ("-e", "inject=write:error=ENOSPC:when=3", "-e", "inject=ftruncate:error=EIO")
    traced = trace(script, tmp_path, "-P", path, *options)
    assert [line.split()[1] for line in traced.stdout.splitlines()] == [
        "DurabilityError",
        "IntegrityError",
    ]
    root = tmp_path / "work" / "a"
    assert (root / "lock").read_text().startswith("open ")
    assert stored_messages(root) == {1: b"1"}


def test_a_write_that_fails_while_sealing_loses_nothing(tmp_path):
    """The half-written file is removed, the segment stays, and sealing works later."""
    script = BEGIN + (
        "writer = ArchiveWriter.open(root)\n"
        "store(writer, 1, [random.Random(1).randbytes(3_000_000)])\n"
        "attempt(lambda: seal_all(writer))\n"
        "print(os.listdir(root / 'segments'))\n"
        "print(seal_all(writer))\n"
        "writer.close()\n"
    )
    path = str(tmp_path / "work" / SEALING)
    traced = trace(script, tmp_path, "-P", path, "-e", "inject=write:error=ENOSPC:when=2")
    assert traced.returncode == 0, traced.stderr
    assert traced.stdout.splitlines()[0].endswith("CycleError the disk is full")
    assert traced.stdout.splitlines()[1:] == ["['000001.tar.zst']", "['000001.sealed']"]
    assert stored_messages(tmp_path / "work" / "a") == {1: random.Random(1).randbytes(3_000_000)}


CHANGING = (
    *("mkdir", "pwrite64", "write", "fsync", "fdatasync"),
    *("fchmod", "rename", "linkat", "unlink"),
)


@pytest.mark.slow
def test_a_kill_at_any_call_leaves_a_valid_archive(tmp_path):
    """What was promised comes back, the next start goes on, and the segments are whole again."""
    (tmp_path / "whole").mkdir()
    calls = [name for name, _ in trace(WORK, tmp_path / "whole").calls]
    kills = [
        (name, when)
        for name in CHANGING
        for when in range(1, calls.count(name) + 6)  # some are of other files
    ]
    assert len(kills) > 30
    for name, when in kills:
        base = tmp_path / f"{name}{when}"
        base.mkdir()
        traced = trace(WORK, base, "-e", f"inject={name}:signal=KILL:when={when}")
        root = base / "work" / "a"
        promised = {int(line.split()[1]) for line in traced.stdout.splitlines()}
        check_recovery(root, promised)


def empty_segments(root):
    """Return the files in which a kill left no whole frame; nothing takes their place."""
    files = (root / "segments").glob("??????.tar.zst")
    return [path for path in files if path.stat().st_size < 20]


def check_recovery(root, promised):
    """Start again after a kill, go on, seal, and look at everything."""
    assert all(damage.torn_tail for damage in damages(root))
    with ArchiveWriter.open(root) as writer:
        found = stored_messages(root)
        assert promised <= set(found)
        store(writer, 10, [b"10"])
        seal_all(writer)
    assert stored_messages(root) == {seq: b"%d" % seq for seq in (*found, 10)}
    assert Archive(root).foreign_files() == []
    names = {path.name.partition(".")[2] for path in (root / "segments").iterdir()}
    assert names == {"sealed.tar.zst"} | ({"tar.zst"} if empty_segments(root) else set())
    with ArchiveWriter.open(root) as writer:
        assert not writer.unclean
