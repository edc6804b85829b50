"""Sealing: a segment is written anew under a name of its own, and proven by digest.

Rule: nothing here removes or changes the open segment; whoever calls removes it
once nothing names its places any more.

    solid frames -> manifest, end of archive -> mode 0440 -> fsync
    -> prove -> link under the sealed name -> fsync(directory)

A file under a sealed name is therefore whole and was proven; one that a stopped
process had not finished has another name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from collector.domain.blob import BlobRef
from collector.store import durable
from collector.store.contents import Damage, read_segment, reading
from collector.store.frame import FrameError, Stored
from collector.store.inventory import Inventory, damaged
from collector.store.layout import Layout, sealed_name
from collector.store.places import Places
from collector.store.rewrite import rewrite

SPARE_BYTES = 4 * 1024 * 1024
"""Left free beside what is about to be written."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A sealed segment, and the open one it comes from.

    Attributes:
        before, after: the places of the same messages, in the same order.
        open_bytes, sealed_bytes: length of the two files.
    """

    before: Places
    after: Places
    open_bytes: int
    sealed_bytes: int

    def moves(self) -> Iterator[tuple[BlobRef, BlobRef]]:
        """Yield each message's place in the open segment and in the sealed one."""
        return zip(self.before, self.after, strict=True)


def seal(layout: Layout, name: str, stopping: Callable[[], bool]) -> Sealed | None:
    """Seal one segment that is no longer appended to; ``None`` when it holds no whole frame.

    When there is a file under the sealed name already (a process was stopped
    before it removed the open one), that file is proven again and nothing is
    written.  ``stopping`` is asked at every frame whether to give up.

    Raises:
        CycleError: the disk is full; the segment is as it was.
        IntegrityError: the segment is damaged, or the new file is not what was
            written; the segment is as it was.
        DurabilityError: an fsync failed.
        Stopped: ``stopping`` said so; the segment is as it was.
    """
    source, target = layout.segment(name), layout.segment(sealed_name(name))
    before = Inventory(name, source, stopping)
    try:
        with reading(source) as fd:
            stored = Stored(fd)
            first = next(read_segment(stored, name), None)
            if first is None or (isinstance(first, Damage) and first.torn_tail):
                return None
            if target.exists():
                after = _compare(stored, before, target)
            else:
                after = _write(stored, before, layout.sealing(name), target)
            return Sealed(before.places, after, stored.end, target.stat().st_size)
    except FrameError as error:
        raise damaged(source, str(error)) from error


def _write(stored: Stored, before: Inventory, path: Path, target: Path) -> Places:
    """Write the new file and give it its name; leave nothing behind when that fails."""
    durable.require_space(path.parent, stored.end + SPARE_BYTES)
    try:
        after = rewrite(stored, before, path)
        durable.link(path, target)
    except durable.DurabilityError:
        raise
    except BaseException as error:
        path.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise durable.write_error(error, path) from error
        raise
    return after


def _compare(stored: Stored, before: Inventory, target: Path) -> Places:
    """Read both files from the medium: the same members, with the same bytes."""
    before.take_all(stored)
    after = Inventory(sealed_name(before.segment), target, before.stopping)
    with reading(target) as fd:
        durable.drop_cache(fd)
        after.take_all(Stored(fd))
    if after.manifest != before.manifest:
        raise damaged(target, "it does not hold what the open segment holds")
    return after.places
