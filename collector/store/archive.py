"""The reading side of an archive: any number of processes, beside the one that writes.

Rule: bytes leave here only with their digest checked.  ``reread`` is what
proofs are made of: fresh handles, the page cache dropped, the medium asked.
A location is input, not truth: how much is decompressed is bounded by what
the locations can explain.

A segment may be sealed while it is read.  What its old name names is then
looked up by digest in the sealed one.
"""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from collector.domain.blob import BlobRef, Digest, RawBytes, RawMessage, RawSlice
from collector.domain.errors import ConfigError, IntegrityError
from collector.store import durable
from collector.store.contents import Damage, Frame, NoSegmentError, read_segment, reading
from collector.store.frame import Extent, FrameError, FrameReader, Stored, measure, stated
from collector.store.frames import FRAME_CONTENT_BYTES_MAX
from collector.store.layout import (
    Layout,
    in_force,
    is_half_sealed,
    is_sealed,
    number,
    sealed_name,
    segment_name,
)
from collector.store.member import member_bytes
from collector.store.receipt import JSON_BYTES_MAX
from collector.store.spool import spooled
from collector.store.stored import (
    Meaning,
    StoredEvents,
    StoredReceipt,
    StoredSettlements,
    interpret,
)

__all__ = [
    "Archive",
    "Damage",
    "Reread",
    "SegmentInfo",
    "StoredEvents",
    "StoredReceipt",
    "StoredSettlements",
]

IN_MEMORY_BYTES_MAX = 1024 * 1024
"""A larger message is handed to the parser as a file."""


@dataclass(frozen=True, slots=True)
class SegmentInfo:
    """A segment as it lies on the disk."""

    name: str
    size_bytes: int
    sealed: bool


@dataclass(frozen=True, slots=True)
class Reread:
    """What the medium holds where a blob should be.

    Attributes:
        digest: of the bytes found there, ``None`` when they could not be read.
        problem: empty when the bytes are the blob's.
        raw: the bytes, if they were wanted, are the blob's and small enough for memory.
    """

    blob: BlobRef
    digest: Digest | None
    problem: str
    raw: RawMessage | None = None


class Archive:
    """An archive that is read.

    Attributes:
        spool_dir: for large messages on their way; on the archive's own disk.
    """

    def __init__(self, root: Path) -> None:
        self._layout = Layout(root)
        self.spool_dir = self._layout.spool_dir

    def copy(self, blob: BlobRef, write: Callable[[bytes], object]) -> None:
        """Hand the exact bytes of a blob to ``write``, piece by piece.

        Raises:
            IntegrityError: they cannot be read, or (after the last piece) are
                not those the digest names.
        """
        for piece in self._pieces(blob):
            write(piece)

    def raw(self, blob: BlobRef) -> RawMessage:
        """Return a blob for access in any order; its digest has been checked.

        Raises:
            IntegrityError: as ``copy``.
            ConfigError, CycleError: a large one cannot be spooled.
        """
        if _fits_in_memory(blob):
            return RawBytes(b"".join(self._pieces(blob)))
        return spooled(self._pieces(blob), blob, self.spool_dir)

    def reread(self, blobs: Iterable[BlobRef], *, keep: bool = False) -> Iterator[Reread]:
        """Read blobs back from the medium, each once; in the order in which they lie there.

        Every segment is opened once and read in one direction, every frame is
        decompressed once, however many of the blobs lie in it; memory stays flat.

        Args:
            keep: hand out the bytes as well; those of a frame are in memory together.
        """
        in_place = sorted(set(blobs), key=_place)
        for segment, group in groupby(in_place, key=lambda blob: blob.segment):
            yield from self._reread_segment(segment, list(group), keep=keep)

    def scan_from(self, blob: BlobRef | None) -> Iterator[Meaning]:
        """Walk what was written since ``blob``, its own frame included (default: all).

        A sealed segment that it names is passed over: its places were switched when the
        ledger named all of it.  One that was sealed meanwhile is read from its beginning.
        """
        for name in self.names():
            if blob is None or number(name) > number(blob.segment):
                yield from self.scan_segment(name)
            elif number(name) == number(blob.segment) and not is_sealed(blob.segment):
                start = blob.frame_offset if name == blob.segment else 0
                yield from self.scan_segment(name, start)

    def scan_segment(self, name: str, start: int = 0) -> Iterator[Meaning]:
        """Walk one segment, from the frame at byte ``start`` on."""
        try:
            with self._opened(name) as (fd, present):
                for found in read_segment(Stored(fd), present, start if present == name else 0):
                    yield from interpret(present, found) if isinstance(found, Frame) else [found]
        except FrameError as error:
            yield Damage(name, 0, str(error), unread=True)

    def names(self) -> list[str]:
        """Return the names of the segments to read, in the order they were begun."""
        names = (segment_name(path.name) for path in self._listing() if _is_segment(path))
        return in_force(name for name in names if name is not None)

    def segments(self) -> list[SegmentInfo]:
        """Return all segments, in the order they were begun."""
        infos = []
        for name in self.names():
            try:
                with self._opened(name) as (fd, present):
                    infos.append(SegmentInfo(present, Stored(fd).end, is_sealed(present)))
            except FrameError as error:
                raise IntegrityError(str(error), subject=f"segment {name}") from error
        return infos

    def foreign_files(self) -> list[str]:
        """Return the names in the directory of segments that do not belong there."""
        return sorted(
            path.name
            for path in self._listing()
            if not _is_segment(path) and not is_half_sealed(path.name)
        )

    def _listing(self) -> list[Path]:
        try:
            return list(self._layout.segments_dir.iterdir())
        except FileNotFoundError:
            return []
        except OSError as error:
            raise ConfigError(
                f"the segments cannot be listed: {error.strerror}",
                subject=str(self._layout.segments_dir),
                hint="run it as the user the collector runs as",
            ) from error

    def _path(self, name: str) -> Path:
        try:
            return self._layout.segment(name)
        except ValueError as error:
            raise FrameError(str(error)) from error

    @contextmanager
    def _opened(self, name: str) -> Iterator[tuple[int, str]]:
        """Hold a segment's file open; yield it with the name that the segment has now."""
        with ExitStack() as stack:
            try:
                fd = stack.enter_context(reading(self._path(name)))
            except NoSegmentError:
                if is_sealed(name):
                    raise
                name = sealed_name(name)
                fd = stack.enter_context(reading(self._path(name)))
            yield fd, name

    def _pieces(self, blob: BlobRef) -> Iterator[bytes]:
        hasher = hashlib.sha256()
        try:
            with self._opened(blob.segment) as (fd, present):
                stored = Stored(fd)
                place = _present_places(stored, present, [blob])[0]
                frame = stated(stored, place.frame_offset, place.frame_bytes)
                reader = FrameReader(stored, _explained(frame, [place]))
                reader.skip(place.offset)
                for piece in reader.pieces(place.size_bytes):
                    hasher.update(piece)
                    yield piece
        except FrameError as error:
            raise _unreadable(blob, str(error)) from error
        if hasher.hexdigest() != blob.digest.hex:
            raise _unreadable(blob, "the bytes have another digest")

    def _reread_segment(
        self, segment: str, blobs: Sequence[BlobRef], *, keep: bool
    ) -> Iterator[Reread]:
        try:
            with self._opened(segment) as (fd, present):
                durable.drop_cache(fd)
                stored = Stored(fd)
                places = _present_places(stored, present, blobs)
                pairs = sorted(zip(places, blobs, strict=True), key=lambda pair: _place(pair[0]))
                for _, group in groupby(pairs, key=lambda pair: _frame_place(pair[0])):
                    yield from _reread_frame(stored, list(group), keep=keep)
        except (FrameError, OSError) as error:
            yield from (Reread(blob, None, str(error)) for blob in blobs)


def _place(blob: BlobRef) -> tuple[str, int, int, int]:
    return blob.segment, blob.frame_offset, blob.frame_bytes, blob.offset


def _frame_place(blob: BlobRef) -> tuple[int, int]:
    return blob.frame_offset, blob.frame_bytes


def _present_places(stored: Stored, present: str, blobs: Sequence[BlobRef]) -> list[BlobRef]:
    """Return where ``blobs``, all of one segment, lie now; by digest when it was sealed since."""
    if all(blob.segment == present for blob in blobs):
        return list(blobs)
    wanted = {blob.digest for blob in blobs}
    places: dict[Digest, BlobRef] = {}
    for found in read_segment(stored, present):
        for each in interpret(present, found) if isinstance(found, Frame) else ():
            if isinstance(each, StoredReceipt) and each.blob and each.blob.digest in wanted:
                places[each.blob.digest] = each.blob
        if len(places) == len(wanted):
            return [places[blob.digest] for blob in blobs]
    raise FrameError("the segment was sealed since, and does not hold it")


def _reread_frame(
    stored: Stored, pairs: Sequence[tuple[BlobRef, BlobRef]], *, keep: bool
) -> Iterator[Reread]:
    """Answer for blobs of one frame; each comes with the name it was asked by."""
    try:
        found = _read_places(stored, [place for place, _ in pairs], keep=keep)
    except FrameError as error:
        yield from (Reread(blob, None, str(error)) for _, blob in pairs)
        return
    for (_, blob), (digest, content) in zip(pairs, found, strict=True):
        if digest == blob.digest:
            raw = None if content is None else RawSlice(content, 0, len(content), digest)
            yield Reread(blob, digest, "", raw)
        else:
            yield Reread(blob, digest, "the bytes have another digest")


def _read_places(
    stored: Stored, blobs: Sequence[BlobRef], *, keep: bool
) -> list[tuple[Digest, bytes | None]]:
    """Read a frame to its end; return digest and, if kept, bytes of each place, in order."""
    stored.expect(blobs[0].frame_bytes, blobs[0].frame_offset)
    frame = measure(stored, blobs[0].frame_offset, stored.end)
    if frame.stored_bytes != blobs[0].frame_bytes:
        raise FrameError("the frame has another length than recorded")
    _explained(frame, blobs)
    reader = FrameReader(stored, frame)
    found: list[tuple[Digest, bytes | None]] = []
    for blob in blobs:
        if blob.offset < reader.position:  # places that overlap are wrong, but asked for
            reader = FrameReader(stored, frame)
        reader.skip(blob.offset - reader.position)
        hasher = hashlib.sha256()
        pieces: list[bytes] | None = [] if keep and _fits_in_memory(blob) else None
        for piece in reader.pieces(blob.size_bytes):
            hasher.update(piece)
            if pieces is not None:
                pieces.append(piece)
        content = None if pieces is None else b"".join(pieces)
        found.append((Digest(hasher.hexdigest()), content))
    reader.skip(frame.content_bytes - reader.position)
    reader.finish()
    return found


def _fits_in_memory(blob: BlobRef) -> bool:
    return blob.size_bytes <= IN_MEMORY_BYTES_MAX


def _explained(frame: Extent, blobs: Sequence[BlobRef]) -> Extent:
    """Return the frame in which ``blobs`` lie, once it can be what they say.

    The library decompresses what a frame states, whatever limit it is given, so
    a frame is refused that states more than one message with its receipt, or
    the most that several messages may make (integrity reference, section 7).
    """
    if min(min(each.offset, each.size_bytes) for each in blobs) < 0:
        raise FrameError("the recorded place is not one")
    last = max(blob.offset + blob.size_bytes for blob in blobs)
    if last > frame.content_bytes:
        raise FrameError("the frame cannot hold what is recorded")
    explained = member_bytes(last) + member_bytes(JSON_BYTES_MAX)
    if frame.content_bytes > max(explained, FRAME_CONTENT_BYTES_MAX):
        raise FrameError("the frame states more content than recorded")
    return frame


def _is_segment(path: Path) -> bool:
    try:
        return segment_name(path.name) is not None and stat.S_ISREG(path.lstat().st_mode)
    except FileNotFoundError:
        return False


def _unreadable(blob: BlobRef, problem: str) -> IntegrityError:
    return IntegrityError(
        f"a stored message cannot be read: {problem}",
        subject=f"{blob.digest}, segment {blob.segment}, byte {blob.frame_offset}",
        hint="run `collector verify` and look at the disk; bring the segment back from a copy",
    )
