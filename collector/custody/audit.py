"""Checks an archive: every entry against its bytes, ledger and segments against each other.

Rule: names everything that is broken and goes on; reads, and changes nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from collector.custody.checkpoints import checkpoint_files, read_file
from collector.custody.derivation import History
from collector.custody.index import Difference, IndexAudit, Uncompared, by_blob
from collector.domain.blob import BlobRef
from collector.domain.custody import LedgerEntry
from collector.domain.errors import IntegrityError
from collector.domain.evidence import Event
from collector.evidence.note import VerifierKey
from collector.ledger.ledger import Ledger
from collector.store.archive import Archive, Damage, StoredEvents, StoredReceipt

WINDOW_MESSAGES = 500


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is not as it was recorded.

    Attributes:
        seq: the entry concerned, ``None`` when it is not one entry.
        subject: segment, file or table.
    """

    what: str
    subject: str
    seq: int | None = None
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Signed:
    """The checkpoints of an archive, and the keys that count.

    Attributes:
        directory: where they lie.
        keys: those that were published, or for want of better those that lie there.
    """

    directory: Path
    keys: Sequence[VerifierKey]

    def read(self, roots: dict[int, bytes]) -> Iterator[Problem]:
        """Put the roots that were signed into ``roots``, by size; yield what cannot be believed."""
        for path in checkpoint_files(self.directory):
            try:
                checkpoint = read_file(path, self.keys).checkpoint
                roots[checkpoint.size] = checkpoint.root
            except IntegrityError as error:
                if path.exists():  # otherwise it was thinned meanwhile
                    yield Problem(error.what, f"checkpoint {path.name}")


class Follower:
    """Is told how far an audit is; this one does not care."""

    def leaves(self, count: int) -> None:
        """So many more leaves of the log were compared."""

    def reread(self, entries: Sequence[LedgerEntry]) -> None:
        """The bytes of these entries were compared, and of all before them."""

    def otherwise(self, entry: LedgerEntry) -> None:
        """Its index tells something else than its bytes; version or settings were others."""

    def uncompared(self, entry: LedgerEntry) -> None:
        """Its index could not be compared with its bytes now."""

    def stored(self, count: int) -> None:
        """So many more stored messages were compared with their rows."""

    def scanned(self, segment: str) -> None:
        """All of a segment was."""


@dataclass(frozen=True, slots=True)
class Audit:
    """What is compared.

    Attributes:
        signed: the checkpoints to compare the log with; ``None``: with none.
        follower: is told how far it is.
        history: of how the index was derived, to compare it with the bytes; ``None``: it
            is not compared.
    """

    archive: Archive
    ledger: Ledger
    signed: Signed | None = None
    follower: Follower = field(default_factory=Follower)
    history: History | None = None

    def everything(self) -> Iterator[Problem]:
        """Yield all problems: rows, log, checkpoints, foreign files, bytes, segments."""
        yield from self.without_bodies()
        yield from self.foreign_files()
        yield from self.messages(self.ledger.entries(readable=True))
        yield from self.segments()

    def without_bodies(self) -> Iterator[Problem]:
        """Yield where rows, log and checkpoints contradict each other; reads no message."""
        for text in self.ledger.check_consistency():
            yield Problem(text, "ledger.db")
        roots: dict[int, bytes] = {}
        if self.signed is not None:
            yield from self.signed.read(roots)
        for found in self.ledger.check_log(roots, self.follower.leaves):
            yield Problem(found.what, "ledger.db", found.seq)

    def foreign_files(self) -> Iterator[Problem]:
        """Yield the files among the segments that are none."""
        for name in self.archive.foreign_files():
            yield Problem("this file does not belong to the archive", name)

    def messages(self, entries: Iterable[LedgerEntry]) -> Iterator[Problem]:
        """Re-read and re-hash the bytes of entries, as a proof does; yield what is not theirs.

        What they turn out to be is compared with the index, where ``history`` is given.
        """
        remaining = iter(entries)
        while window := list(islice(remaining, WINDOW_MESSAGES)):
            yield from self._window(window)
            self.follower.reread(window)

    def _window(self, window: Sequence[LedgerEntry]) -> Iterator[Problem]:
        history, entries = self.history, by_blob(window)
        index = IndexAudit(self.archive, self.ledger, history) if history else None
        broken: dict[int, Problem] = {}
        for reread in self.archive.reread(entries, keep=index is not None):
            what = reread.problem or "its bytes have another digest"
            sound = []
            for entry in entries[reread.blob]:
                if reread.digest == entry.receipt.digest:
                    sound.append(entry)
                else:
                    broken[entry.seq] = _problem(entry, what)
            if index is not None:
                yield from self._differences(index.look(reread, sound))
        if index is not None:
            yield from self._differences(index.finish())
        yield from (broken[seq] for seq in sorted(broken))

    def _differences(self, found: Iterable[Difference | Uncompared]) -> Iterator[Problem]:
        for each in found:
            if isinstance(each, Uncompared):
                self.follower.uncompared(each.entry)
            elif each.is_damage:
                digest = str(each.entry.receipt.digest)
                what = (
                    f"the index tells another envelope of it than its bytes "
                    f"({', '.join(each.names)}); `collector rebuild` derives the index anew"
                )
                yield Problem(what, "ledger.db", each.entry.seq, digest)
            else:
                self.follower.otherwise(each.entry)

    def segments(self, without: Collection[str] = ()) -> Iterator[Problem]:
        """Compare what the segments say of themselves with the ledger, but for some of them."""
        for name in self.archive.names():
            if name not in without:
                yield from self._segment(name)
                self.follower.scanned(name)

    def _segment(self, name: str) -> Iterator[Problem]:
        for found in self.archive.scan_segment(name):
            match found:
                case Damage(torn_tail=False):
                    where = f"segment {found.segment}, byte {found.frame_offset}"
                    yield Problem(found.problem, where)
                case StoredReceipt():
                    yield from self._receipt(found)
                    self.follower.stored(1)
                case StoredEvents(events):
                    yield from self._events(events)

    def _events(self, events: Sequence[Event]) -> Iterator[Problem]:
        for event in events:
            if not self._is_known(event):
                what = f"the ledger's event {event.number} differs from the stored one"
                yield Problem(what, "ledger.db")

    def _is_known(self, event: Event) -> bool:
        try:
            return self.ledger.event(event.number) in {None, event}
        except IntegrityError:
            return False

    def _receipt(self, found: StoredReceipt) -> Iterator[Problem]:
        seq = found.receipt.seq
        try:
            entry = self._entry(seq)
            if entry is None and seq > self.ledger.last_seq():
                return  # stored, and about to be committed; or adopted at the next start
            entry = entry or self._entry(seq)  # it may have been committed in between
        except IntegrityError:
            what, digest = "its row in the ledger cannot be read", str(found.receipt.digest)
            yield Problem(what, "ledger.db", seq, digest)
            return
        if entry is None:
            yield Problem(
                "a stored message is not in the ledger; run `collector rebuild`",
                found.blob.segment if found.blob else "",
                seq,
                str(found.receipt.digest),
            )
        elif entry.receipt != found.receipt:
            yield _problem(entry, "the ledger's row differs from the stored receipt")
        elif found.blob is not None and _elsewhere(entry.blob, found.blob):
            yield _problem(entry, "the ledger names another place for these bytes")

    def _entry(self, seq: int) -> LedgerEntry | None:
        return next(self.ledger.entries(seq, seq), None)


def _elsewhere(recorded: BlobRef, found: BlobRef) -> bool:
    """Say whether a place is not the one found; in another segment it is read for itself."""
    return recorded.segment == found.segment and recorded != found


def _problem(entry: LedgerEntry, what: str) -> Problem:
    return Problem(what, f"segment {entry.blob.segment}", entry.seq, str(entry.receipt.digest))
