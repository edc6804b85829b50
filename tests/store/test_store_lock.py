"""One process writes."""

import subprocess
import sys
import threading

import pytest
from store_samples import store, stored_messages
from store_tracing import environment

from collector.domain.errors import ConfigError, CycleError
from collector.store.writer import ArchiveWriter

HOLDER = """
import sys
from pathlib import Path
from collector.store.writer import ArchiveWriter
writer = ArchiveWriter.open(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def test_a_second_process_is_told_who_has_the_archive(tmp_path):
    """The holder is named by its process id; once it is killed the archive is free, but unclean."""
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment()
    ) as holder:
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(CycleError, match="in use by another process") as caught:
            ArchiveWriter.open(tmp_path)
        assert f"process {holder.pid} " in caught.value.hint
        assert caught.value.subject == str(tmp_path)
        holder.kill()
    with ArchiveWriter.open(tmp_path) as writer:
        assert writer.unclean


def test_the_same_process_does_not_get_it_twice(tmp_path):
    """A second writer in one process would append to the same segment."""
    with ArchiveWriter.open(tmp_path), pytest.raises(CycleError):
        ArchiveWriter.open(tmp_path)


def test_a_clean_stop_is_remembered_and_anything_else_is_not(tmp_path):
    """A missing or unreadable mark counts as unclean once there are segments."""
    with ArchiveWriter.open(tmp_path) as writer:
        assert not writer.unclean
        store(writer, 1, [b"one"])
    for content in (b"", b"closed", b"close", b"\0" * 32, b"open 1".ljust(31) + b"\n"):
        (tmp_path / "lock").write_bytes(content)
        with ArchiveWriter.open(tmp_path) as writer:
            assert writer.unclean
    (tmp_path / "lock").unlink()
    with ArchiveWriter.open(tmp_path) as writer:
        assert writer.unclean
    with ArchiveWriter.open(tmp_path) as writer:
        assert not writer.unclean
    assert stored_messages(tmp_path) == {1: b"one"}


def test_a_closed_writer_appends_nothing(tmp_path):
    """After the lock is gone somebody else may be writing."""
    writer = ArchiveWriter.open(tmp_path)
    writer.close()
    writer.close()
    with pytest.raises(CycleError, match="closed"):
        store(writer, 1, [b"late"])
    assert stored_messages(tmp_path) == {}


def test_batches_of_many_threads_do_not_mix(tmp_path):
    """A turn is held by one thread at a time, and numbers given in it are its own."""
    seqs = [0]

    def work(writer):
        for _ in range(5):
            with writer.turn():
                seq = seqs[-1] + 1
                store(writer, seq, [b"%d" % seq])
                seqs.append(seq)

    with ArchiveWriter.open(tmp_path) as writer:
        threads = [threading.Thread(target=work, args=(writer,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert stored_messages(tmp_path) == {seq: b"%d" % seq for seq in range(1, 21)}


def test_a_place_that_cannot_be_a_directory_is_a_matter_of_configuration(tmp_path):
    """The hint says what to do."""
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="writable"):
        ArchiveWriter.open(tmp_path / "file" / "archive")
    (tmp_path / "lock").mkdir()
    with pytest.raises(ConfigError, match="locked"):
        ArchiveWriter.open(tmp_path)
