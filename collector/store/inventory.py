"""What a segment that is sealed holds: every member, and the place of every message.

Rule: damage is never passed over, but for a torn tail: it was never promised.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from collector.domain.errors import IntegrityError
from collector.store.contents import Frame, read_segment
from collector.store.frame import FrameError, Stored
from collector.store.layout import manifest_line, manifest_member
from collector.store.places import Places
from collector.store.stored import messages


class Stopped(Exception):  # noqa: N818 - nothing went wrong
    """The archive is being closed; does not leave the room."""


class Inventory:
    """The whole frames of one segment, each message compared with its receipt.

    Attributes:
        places: of the messages, in the order written.
        manifest: a line for every member but the manifest itself.
        mtime_s: of the last member.
    """

    def __init__(self, segment: str, path: Path, stopping: Callable[[], bool]) -> None:
        self.segment = segment
        self.path = path
        self.stopping = stopping
        self.places = Places(segment)
        self.manifest = bytearray()
        self.mtime_s = 0

    def frames(self, stored: Stored) -> Iterator[Frame]:
        """Take and yield the whole frames; only a torn tail may follow them.

        Raises:
            IntegrityError: something is damaged.
            Stopped: ``stopping`` said so.
        """
        torn = False
        for found in read_segment(stored, self.segment):
            if self.stopping():
                raise Stopped
            if torn:
                raise damaged(self.path, "something follows what a crash left")
            if isinstance(found, Frame):
                self._take(found)
                yield found
            elif found.torn_tail:
                torn = True
            else:
                raise damaged(self.path, f"byte {found.frame_offset}: {found.problem}")

    def take_all(self, stored: Stored) -> None:
        """Take the whole frames.

        Raises:
            IntegrityError, Stopped: as ``frames``.
        """
        for _ in self.frames(stored):
            pass

    def _take(self, frame: Frame) -> None:
        try:
            for blob in messages(self.segment, frame):
                self.places.add(blob)
        except FrameError as error:
            raise damaged(self.path, f"byte {frame.extent.offset}: {error}") from error
        own = manifest_member(self.segment)
        for member in frame.members:
            if member.header.name != own:
                self.manifest += manifest_line(member.digest, member.header.name)
        self.mtime_s = max((each.header.mtime_s for each in frame.members), default=self.mtime_s)


def damaged(path: Path, problem: str) -> IntegrityError:
    """Return the error of a segment that cannot be sealed as it is."""
    return IntegrityError(
        f"the segment cannot be sealed: {problem}",
        subject=str(path),
        hint="nothing was changed; run `collector verify` and look at the disk",
    )
