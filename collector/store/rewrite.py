"""Writes the members of a segment into another file, as solid frames, and proves it.

Rule: members keep their order and their bytes.  The proof reads the new file
from the medium: every message at the place that will be named, by its digest,
and all that lies between the messages by one digest over all of it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from collector.domain.blob import Digest
from collector.domain.errors import IntegrityError
from collector.store import durable
from collector.store.contents import END_OF_ARCHIVE, Found, Frame, reading
from collector.store.frame import (
    SEALED_LEVEL,
    Extent,
    FrameReader,
    Piece,
    Stored,
    measure,
)
from collector.store.frames import FRAME_CONTENT_BYTES_MAX, FrameWriter, Members
from collector.store.held import hold
from collector.store.inventory import Inventory, Stopped, damaged
from collector.store.layout import manifest_member, sealed_name
from collector.store.member import (
    BLOCK_BYTES,
    Header,
    encode_header,
    member_bytes,
    padding,
)
from collector.store.places import Places, Plain
from collector.store.stored import is_message


class Hasher(Protocol):
    """What ``hashlib.sha256`` returns."""

    def update(self, piece: Piece, /) -> None:
        """Take the next bytes."""


@dataclass(frozen=True, slots=True)
class _Copied:
    """``frames.Members`` of the segment, held in memory; ``between`` hashes all but the message."""

    digest: Digest | None
    raw_bytes: int
    content: Piece
    between: Hasher

    @property
    def content_bytes(self) -> int:
        return len(self.content)

    def pieces(self) -> Iterator[Piece]:
        if self.digest is None:
            self.between.update(self.content)
        else:
            self.between.update(self.content[:BLOCK_BYTES])
            self.between.update(self.content[BLOCK_BYTES + self.raw_bytes :])
        yield self.content


@dataclass(frozen=True, slots=True)
class _Streamed:
    """The same for one message that is too long to be held."""

    digest: Digest
    raw_bytes: int
    stored: Stored
    extent: Extent
    between: Hasher

    @property
    def content_bytes(self) -> int:
        return self.extent.content_bytes

    def pieces(self) -> Iterator[Piece]:
        reader = FrameReader(self.stored, self.extent)
        end = BLOCK_BYTES + self.raw_bytes
        for length, hashed in (
            (BLOCK_BYTES, True),
            (self.raw_bytes, False),
            (self.content_bytes - end, True),
        ):
            for piece in reader.pieces(length):
                if hashed:
                    self.between.update(piece)
                yield piece


@dataclass(frozen=True, slots=True)
class _End:
    """``frames.Members``: the manifest, which may be 10 MB long, and the end of the archive."""

    before: Inventory
    between: Hasher
    digest: None = None
    raw_bytes: int = 0

    @property
    def content_bytes(self) -> int:
        return member_bytes(len(self.before.manifest)) + len(END_OF_ARCHIVE)

    def pieces(self) -> Iterator[Piece]:
        manifest = memoryview(self.before.manifest).toreadonly()
        name = manifest_member(self.before.segment)
        header = encode_header(Header(name, len(manifest), self.before.mtime_s))
        for piece in (header, manifest, padding(len(manifest)), END_OF_ARCHIVE):
            self.between.update(piece)
            yield piece


def rewrite(stored: Stored, before: Inventory, path: Path) -> Places:
    """Write a new file and prove it; return where the messages lie in it.

    Args:
        stored: the segment.
        before: is filled with what it holds.
        path: of the file to be made.

    Raises:
        OSError: the file cannot be made or written.
        IntegrityError: the segment is damaged, or the new file is not what was written.
        DurabilityError: an fsync failed.
        Stopped: ``before`` was told so.
    """
    between = hashlib.sha256()
    after = _write(stored, before, path, between)  # with it, what compresses leaves the memory
    _prove(path, before, after, between.digest())
    return after


def _write(stored: Stored, before: Inventory, path: Path, between: Hasher) -> Places:
    after = Places(sealed_name(before.segment))
    fd = durable.create(path)
    try:
        writer = FrameWriter(after.segment, SEALED_LEVEL, 0, lambda piece: durable.write(fd, piece))
        for blob in writer.write(_members(stored, before, between)):
            if blob is not None:
                after.add(blob)
        os.fchmod(fd, durable.SEALED_MODE)
        durable.sync_file(fd, path)
    finally:
        os.close(fd)
    return after


def _members(stored: Stored, before: Inventory, between: Hasher) -> Iterator[Members]:
    for frame in before.frames(stored):
        if frame.extent.content_bytes <= FRAME_CONTENT_BYTES_MAX:
            yield from _slices(frame, between)
        else:
            yield _streamed(stored, frame, before, between)
    yield _End(before, between)


def _slices(frame: Frame, between: Hasher) -> Iterator[Members]:
    content = memoryview(frame.content)
    start = 0
    message: Found | None = None
    for member in frame.members:
        if is_message(member):
            message = member
            continue
        piece = content[start : member.end]
        if message:
            yield _Copied(message.digest, message.header.size_bytes, piece, between)
        else:
            yield _Copied(None, 0, piece, between)
        start, message = member.end, None


def _streamed(stored: Stored, frame: Frame, before: Inventory, between: Hasher) -> Members:
    message = frame.members[0]
    if len(frame.members) != 2 or not is_message(message):
        raise damaged(before.path, f"byte {frame.extent.offset}: the frame is too long")
    return _Streamed(message.digest, message.header.size_bytes, stored, frame.extent, between)


def _prove(path: Path, before: Inventory, after: Places, between: bytes) -> None:
    """Read the new file back from the medium, whole."""
    seen = hashlib.sha256()
    places = after.plain()
    place = next(places, None)
    with reading(path) as fd:
        durable.drop_cache(fd)
        stored = Stored(fd)
        offset = 0
        while offset < stored.end:
            if before.stopping():
                raise Stopped
            frame = measure(stored, offset, stored.end)
            here: list[Plain] = []
            while place and place[0] == offset:
                here.append(place)
                place = next(places, None)
            if any(frame_bytes != frame.stored_bytes for _, frame_bytes, *_ in here):
                raise damaged(path, f"byte {offset}: the frame has another length than was written")
            if frame.content_bytes <= FRAME_CONTENT_BYTES_MAX:
                _prove_held(memoryview(hold(stored, frame).content), here, seen, path)
            else:
                _prove_streamed(FrameReader(stored, frame), frame, here, seen, path)
            offset = frame.end
    if place or len(after) != len(before.places) or seen.digest() != between:
        raise damaged(path, "what was read back is not what was written")


def _prove_held(content: memoryview, places: Sequence[Plain], seen: Hasher, path: Path) -> None:
    position = 0
    for _, _, start, size_bytes, _, digest in places:
        end = start + size_bytes
        if end > len(content) or hashlib.sha256(content[start:end]).hexdigest() != digest:
            raise _misplaced(digest, path)
        seen.update(content[position:start])
        position = end
    seen.update(content[position:])


def _prove_streamed(
    reader: FrameReader, frame: Extent, places: Sequence[Plain], seen: Hasher, path: Path
) -> None:
    for _, _, start, size_bytes, _, digest in places:
        _feed(reader, start - reader.position, seen)
        hasher = hashlib.sha256()
        _feed(reader, size_bytes, hasher)
        if hasher.hexdigest() != digest:
            raise _misplaced(digest, path)
    _feed(reader, frame.content_bytes - reader.position, seen)
    reader.finish()


def _misplaced(digest: str, path: Path) -> IntegrityError:
    return damaged(path, f"{Digest(digest)} is not where it was written")


def _feed(reader: FrameReader, length: int, hasher: Hasher) -> None:
    for piece in reader.pieces(length):
        hasher.update(piece)
