"""What a segment holds: its frames and the members in them.

Rule: nothing of a frame is passed on before the whole frame is proven; what
cannot be read is Damage.  What the members mean is not known here.

One reader for all: recovery, rebuild, audit and sealing walk a segment by
``read_segment``.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from collector.domain.blob import Digest
from collector.store.frame import (
    Extent,
    FrameError,
    FrameReader,
    Stored,
    UnreadError,
    find_frame,
    measure,
)
from collector.store.frames import FRAME_CONTENT_BYTES_MAX
from collector.store.held import HeldFrame, hold
from collector.store.layout import is_sealed, manifest_line, manifest_member
from collector.store.member import (
    BLOCK_BYTES,
    ZERO_BLOCK,
    Header,
    MemberError,
    decode_header,
    member_bytes,
)
from collector.store.receipt import JSON_BYTES_MAX

END_OF_ARCHIVE = 2 * ZERO_BLOCK


@dataclass(frozen=True, slots=True)
class Damage:
    """Something in a segment that cannot be read or does not agree.

    Attributes:
        torn_tail: what a crash left at the end of the writing; it was never
            promised to anybody, unless the ledger names it.
        unread: the medium did not hand it over: what lies there is not known.
    """

    segment: str
    frame_offset: int
    problem: str
    torn_tail: bool = False
    unread: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """A member and its content's digest.

    Attributes:
        offset: first byte of the content in the frame's content.
        text: the content of a ``.json`` member, empty for others.
    """

    header: Header
    offset: int
    digest: Digest
    text: bytes

    @property
    def end(self) -> int:
        """First byte behind the member in the frame's content."""
        return self.offset - BLOCK_BYTES + member_bytes(self.header.size_bytes)


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame that was read to its end and proven whole.

    Attributes:
        content: all of it, or empty when it is too long to be held.
    """

    extent: Extent
    members: tuple[Found, ...]
    content: bytes = b""


class NoSegmentError(FrameError):
    """There is no file of this segment."""


@contextmanager
def reading(path: Path) -> Iterator[int]:
    """Hold a segment's file open through a handle of its own.

    Raises:
        NoSegmentError: it is not there.
        UnreadError: it cannot be opened.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        kind = NoSegmentError if isinstance(error, FileNotFoundError) else UnreadError
        raise kind(f"the segment cannot be opened: {error.strerror}") from error
    try:
        yield fd
    finally:
        os.close(fd)


def read_segment(stored: Stored, segment: str, start: int = 0) -> Iterator[Frame | Damage]:
    """Yield the frames of a segment from the one at ``start``, and what is damaged.

    Bytes at the end of an open segment that are no whole frame, and from which no
    whole frame can be reached, are its torn tail; bytes that could not be read are
    none.  A sealed segment ends with a manifest that names every other member, in
    their order.

    Raises:
        UnreadError: the medium does not hand over where the next frame begins.
    """
    end = stored.end
    may_be_torn = not is_sealed(segment)
    manifest = _Manifest(segment)
    damaged = False
    offset = start
    while offset < end:
        try:
            extent = measure(stored, offset, end)
        except UnreadError:
            raise
        except FrameError as error:
            further = find_frame(stored, offset + 1, end)
            yield Damage(segment, offset, str(error), torn_tail=may_be_torn and further is None)
            damaged = True
            offset = end if further is None else further
            continue
        offset = extent.end
        try:
            frame = _frame(stored, extent)
        except FrameError as error:
            unread = isinstance(error, UnreadError)
            torn = may_be_torn and offset == end and not unread
            yield Damage(segment, extent.offset, str(error), torn_tail=torn, unread=unread)
            damaged = True
            continue
        manifest.compare(frame)
        yield frame
    if is_sealed(segment) and not manifest.agrees and not damaged:
        yield Damage(segment, end, "the manifest does not name what the segment holds")


class _Manifest:
    """Compares the manifest with the members before it, as they go by."""

    def __init__(self, segment: str) -> None:
        self._name = manifest_member(segment)
        self._lines = hashlib.sha256()
        self.agrees = False

    def compare(self, frame: Frame) -> None:
        self.agrees = False  # unless it is the last member of all
        for member in frame.members:
            if member.header.name == self._name:
                self.agrees = member.digest.hex == self._lines.hexdigest()
            else:
                self._lines.update(manifest_line(member.digest, member.header.name))
                self.agrees = False


def _frame(stored: Stored, extent: Extent) -> Frame:
    if extent.content_bytes > FRAME_CONTENT_BYTES_MAX:
        return Frame(extent, tuple(_members(FrameReader(stored, extent), extent)), b"")
    held = hold(stored, extent)
    return Frame(extent, tuple(_members(held, extent)), held.content)


def _members(reader: FrameReader | HeldFrame, extent: Extent) -> Iterator[Found]:
    """Walk through the tar stream in one frame; members do not cross frames."""
    while reader.position < extent.content_bytes:
        remaining_bytes = extent.content_bytes - reader.position
        block = reader.read(min(BLOCK_BYTES, remaining_bytes))
        if block == ZERO_BLOCK:  # the end of the archive: zeros until the frame ends
            for piece in reader.pieces(remaining_bytes - BLOCK_BYTES):
                if bytes(piece).strip(b"\0"):
                    raise FrameError("there is something behind the end of the archive")
            break
        try:
            header = decode_header(block)
        except MemberError as error:
            raise FrameError(str(error)) from error
        if member_bytes(header.size_bytes) > remaining_bytes:
            raise FrameError("a member is longer than its frame")
        yield _member(reader, header)
    reader.finish()


def _member(reader: FrameReader | HeldFrame, header: Header) -> Found:
    is_text = header.name.endswith(".json")
    if is_text and header.size_bytes > JSON_BYTES_MAX:
        raise FrameError("a receipt is too long")
    offset = reader.position
    hasher = hashlib.sha256()
    text = reader.read(header.size_bytes) if is_text else b""
    for piece in (text,) if is_text else reader.pieces(header.size_bytes):
        hasher.update(piece)
    reader.skip(-header.size_bytes % BLOCK_BYTES)
    return Found(header, offset, Digest(hasher.hexdigest()), text)
