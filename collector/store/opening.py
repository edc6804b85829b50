"""What lies in an archive that is opened for writing, and what must be put right first.

Rule: nothing is removed but a file that a stopped process had not finished and
whose original is still there.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from collector.store import durable
from collector.store.contents import reading
from collector.store.frame import FrameError, Stored, ends_at_frame
from collector.store.layout import Layout, in_order, is_half_sealed, is_sealed, segment_name


def make_directories(layout: Layout) -> None:
    """Make the directories that are missing.

    Raises:
        OSError: one cannot be made.
        DurabilityError: an fsync failed.
    """
    for directory in (layout.root, layout.segments_dir, layout.spool_dir):
        durable.make_directory(directory)


def write_format_md(root: Path) -> None:
    """Put FORMAT.md into the archive when it is missing or another program's version.

    Raises:
        OSError: it cannot be written.
        DurabilityError: an fsync failed.
    """
    path = Layout(root).format_file
    content = resources.files("collector.store").joinpath("FORMAT.md").read_bytes()
    if not path.exists() or path.read_bytes() != content:
        durable.publish(path, content)


def remove_unfinished(layout: Layout) -> None:
    """Remove what a stopped process had not finished sealing; its segment is still there.

    Raises:
        OSError: it cannot be removed.
        DurabilityError: an fsync failed.
    """
    for path in layout.segments_dir.iterdir():
        if is_half_sealed(path.name):
            durable.remove(path)


def taken_names(layout: Layout) -> list[str]:
    """Return the names of all segments in order, whatever lies under them."""
    names = (segment_name(path.name) for path in layout.segments_dir.iterdir())
    return in_order(name for name in names if name is not None)


def open_segments(layout: Layout) -> list[str]:
    """Return the segments that are not sealed, or whose open file was not removed yet."""
    return [name for name in taken_names(layout) if not is_sealed(name) and _is_file(layout, name)]


def is_whole(layout: Layout, name: str) -> bool:
    """Say whether the frames of a segment, by their block headers, lead to its end."""
    try:
        with reading(layout.segment(name)) as fd:
            stored = Stored(fd)
            return ends_at_frame(stored, 0, stored.end)
    except FrameError:
        return False


def _is_file(layout: Layout, name: str) -> bool:
    path = layout.segment(name)
    return path.is_file() and not path.is_symlink()
