"""Mistakes in how things are made durable and read back."""

from __future__ import annotations

import os
import stat

from mutants import mutant, replace


@mutant
def no_file_fsync() -> None:
    """What was appended to a segment is never synced."""
    from collector.store import durable

    replace(durable, "sync", lambda _: lambda _fd, _path: None)


@mutant
def fsync_of_the_wrong_file() -> None:
    """The lock is synced in the segment's place."""
    from collector.store import durable

    def make(_original):
        def sync(_fd, path):
            fd = os.open(path.parent.parent / "lock", os.O_RDONLY)
            os.fdatasync(fd)
            os.close(fd)

        return sync

    replace(durable, "sync", make)


@mutant
def no_directory_fsync() -> None:
    """The names of new files are never synced."""
    from collector.store import durable

    def make(original):
        def fsync(fd, path):
            if not stat.S_ISDIR(os.fstat(fd).st_mode):
                original(fd, path)

        return fsync

    replace(durable, "_fsync", make)


@mutant
def fsync_error_ignored() -> None:
    """A failed sync of a segment is passed over."""
    from collector.store import durable

    def make(original):
        def sync(fd, path):
            try:
                original(fd, path)
            except durable.DurabilityError:
                return

        return sync

    replace(durable, "sync", make)


@mutant
def fsync_retried() -> None:
    """A failed sync of a segment is tried once more, and the second answer believed."""
    from collector.store import durable

    def make(original):
        def sync(fd, path):
            try:
                original(fd, path)
            except durable.DurabilityError:
                original(fd, path)

        return sync

    replace(durable, "sync", make)


@mutant
def row_before_blob() -> None:
    """The ledger is committed first; the bytes are written to the segment after it."""
    from collector.custody.intake import Intake
    from collector.store import durable, segment

    late: list[tuple[int, bytes]] = []

    def make_append(original):
        def append(self, batch):
            write, sync = durable.write, durable.sync
            durable.write = lambda fd, piece: late.append((fd, bytes(piece)))
            durable.sync = lambda _fd, _path: None
            try:
                return original(self, batch)
            finally:
                durable.write, durable.sync = write, sync

        return append

    def make_commit(original):
        def commit(self, pending):
            entries = original(self, pending)
            for fd, piece in late:
                durable.write(fd, piece)
            for fd in {fd for fd, _ in late}:
                os.fdatasync(fd)
            late.clear()
            return entries

        return commit

    replace(segment.OpenSegment, "append", make_append)
    replace(Intake, "commit", make_commit)


@mutant
def proof_from_the_page_cache() -> None:
    """What is read back may be what the kernel remembers."""
    from collector.store import durable

    replace(durable, "drop_cache", lambda _: lambda *_arguments: None)


@mutant
def appended_behind_a_torn_tail() -> None:
    """After an unclean stop the segment is simply continued."""
    from collector.store import writer

    def make(original):
        def build(self, layout, lock):
            lock.found = writer.CLOSED
            original(self, layout, lock)

        return build

    whole = "_whole" if hasattr(writer, "_whole") else "is_whole"
    replace(writer, whole, lambda _: lambda *_arguments: True)
    replace(writer.ArchiveWriter, "__init__", make)


@mutant
def ledger_synchronous_normal() -> None:
    """The ledger's commits are durable only after a checkpoint."""
    from collector.ledger import database

    database.PRAGMAS["synchronous"] = "normal"
    database.IN_FORCE["synchronous"] = 1


@mutant
def ledger_rollback_journal() -> None:
    """The ledger keeps a rollback journal, as peewee does unless told otherwise."""
    from collector.ledger import database

    database.PRAGMAS["journal_mode"] = database.IN_FORCE["journal_mode"] = "delete"


@mutant
def write_error_swallowed() -> None:
    """A write that fails is taken for done."""
    from collector.store import durable

    def make(original):
        def write(fd, piece):
            try:
                original(fd, piece)
            except OSError:
                return

        return write

    replace(durable, "write", make)
