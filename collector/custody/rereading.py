"""What medium and database hold of entries now, read in a process beside this one.

Reading back is as much work as storing, and the interpreter does one thing at a time; so
it is done where it holds up neither fetching nor storing.  The other process has opened
ledger and segments itself: it can know nothing but what they say.

Rule: only reports.  ``verify`` compares, and makes the proofs.  When the other process is
gone, the same is read here.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from threading import Lock
from typing import NamedTuple

from collector.custody.worker import Worker, WorkerGoneError
from collector.ledger.database import LedgerDatabase
from collector.ledger.ledger import Ledger
from collector.store.archive import Archive


class Found(NamedTuple):
    """What was read back for one entry; plain values, to be handed on between processes.

    Attributes:
        leaf: of the receipt in the ledger's row.
        segment: where the row says the bytes lie now.
        blob_digest: hexadecimal, of the bytes that the row's location names.
        blob_bytes: their length there.
        digest: hexadecimal, of the bytes that lie there; ``None`` when they cannot be read.
        problem: why they are not those named; empty when they are.
    """

    leaf: bytes
    segment: str
    blob_digest: str
    blob_bytes: int
    digest: str | None
    problem: str


def read_back(seqs: Sequence[int], archive: Archive, ledger: Ledger) -> list[Found]:
    """Return what was found for each of these entries, in their order.

    Raises:
        IntegrityError: a row is missing or cannot be read.
    """
    rows = ledger.reread(seqs)
    rereads = {each.blob: each for each in archive.reread([row.blob for row in rows])}
    found = []
    for row in rows:
        reread = rereads.get(row.blob)
        digest = reread.digest.hex if reread and reread.digest else None
        problem = reread.problem if reread else "it was not read"
        place = row.blob.segment, row.blob.digest.hex, row.blob.size_bytes
        found.append(Found(row.leaf, *place, digest, problem))
    return found


class Rereading:
    """Reads back, for any number of threads; made by ``beside`` with another process."""

    def __init__(self) -> None:
        self._worker: Worker[Sequence[int], list[Found]] | None = None
        self._turn = Lock()

    @classmethod
    def beside(cls, root: Path, ledger: Path) -> Rereading:
        """Return one with a process of its own, if one can be made.

        Args:
            root: of the archive; need not be there before something is to be read.
            ledger: its database file.
        """
        rereading = cls()
        lasting = ExitStack()  # as long as the other process

        @cache
        def rooms() -> tuple[Archive, Ledger]:
            opened = Ledger(LedgerDatabase(ledger))
            lasting.enter_context(opened.session())
            return Archive(root), opened

        rereading._worker = Worker.started(lambda seqs: read_back(seqs, *rooms()))
        return rereading

    @property
    def worker_pid(self) -> int | None:
        """The other process, ``None`` when there is none."""
        return self._worker.pid if self._worker else None

    def read(self, seqs: Sequence[int], archive: Archive, ledger: Ledger) -> list[Found]:
        """Return what was found for each of these entries, in their order.

        Args:
            seqs: of the entries.
            archive, ledger: as this process has them open.

        Raises:
            IntegrityError: as ``read_back``.
        """
        with self._turn:
            if self._worker is not None:
                try:
                    self._worker.send(seqs)
                    return self._worker.receive()
                except WorkerGoneError:
                    self._worker.lost()
                    self._worker = None
        return read_back(seqs, archive, ledger)

    def close(self) -> None:
        """End the other process."""
        with self._turn:
            worker, self._worker = self._worker, None
            if worker is not None:
                worker.close()
