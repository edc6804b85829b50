"""Names in the archive: of directories, of segment files and of the members in them.

Rule: pure.  No name ever comes from a mail or a server; names are counters
and digests.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from collector.domain.blob import Digest

SEGMENT_SUFFIX = ".tar.zst"
SEALING_SUFFIX = ".tar.zst.sealing"
SEALED = ".sealed"
MESSAGE_SUFFIX = ".eml"
SETTLED_SUFFIX = "-settled.json"
EVENTS_SUFFIX = "-events.json"

_NAME = re.compile(r"([0-9]{6}|[1-9][0-9]{6,11})(\.sealed)?")


@dataclass(frozen=True, slots=True)
class Layout:
    """Where things lie below the archive's directory."""

    root: Path

    @property
    def segments_dir(self) -> Path:
        """Holds the segments and nothing else."""
        return self.root / "segments"

    @property
    def spool_dir(self) -> Path:
        """Large messages on their way, as files that have no name any more."""
        return self.root / "spool"

    @property
    def lock_file(self) -> Path:
        """Held by the one process that writes."""
        return self.root / "lock"

    @property
    def format_file(self) -> Path:
        """Tells a stranger how to read the archive."""
        return self.root / "FORMAT.md"

    def segment(self, name: str) -> Path:
        """Return the file of a segment.

        Raises:
            ValueError: ``name`` is no segment's name.
        """
        if not _NAME.fullmatch(name):
            raise ValueError("a segment is named by six or more digits")
        return self.segments_dir / f"{name}{SEGMENT_SUFFIX}"

    def sealing(self, name: str) -> Path:
        """Return the file in which a segment is written anew, before it has its own name."""
        return self.segments_dir / f"{number(name):06d}{SEALING_SUFFIX}"


def segment_name(file_name: str) -> str | None:
    """Return the segment of this file name, ``None`` when it is no segment."""
    return _without(file_name, SEGMENT_SUFFIX)


def is_half_sealed(file_name: str) -> bool:
    """Say whether a segment is being written anew in a file of this name."""
    name = _without(file_name, SEALING_SUFFIX)
    return name is not None and not is_sealed(name)


def is_sealed(name: str) -> bool:
    """Say whether this is the name of a sealed segment."""
    return name.endswith(SEALED)


def sealed_name(name: str) -> str:
    """Return the name that the segment ``name`` has once it is sealed."""
    return f"{name.removesuffix(SEALED)}{SEALED}"


def number(name: str) -> int:
    """Return the number that a segment keeps when it is sealed; 0 for what is no name."""
    found = _NAME.fullmatch(name)
    return int(found[1]) if found else 0


def in_order(names: Iterable[str]) -> list[str]:
    """Return segment names in the order they were begun; a sealed one after its open one."""
    return sorted(names, key=lambda name: (number(name), name))


def in_force(names: Iterable[str]) -> list[str]:
    """Return the names to read, in order: of an open segment and its sealed form the latter."""
    known = set(names)
    return in_order(name for name in known if is_sealed(name) or sealed_name(name) not in known)


def next_name(names: Iterable[str]) -> str:
    """Return the name of the segment that follows all of ``names``."""
    return f"{max(map(number, names), default=0) + 1:06d}"


def message_member(seq: int, digest: Digest) -> str:
    """Return the member that holds a message's bytes."""
    return f"{seq}-{digest.short}.eml"


def receipt_member(seq: int, digest: Digest) -> str:
    """Return the member that holds a receipt."""
    return f"{seq}-{digest.short}.json"


def settled_member(first_seq: int, digest: Digest) -> str:
    """Return the member that holds settlements, by the first one's ``seq`` and their text.

    The digest keeps other settlements of the same messages apart: unpacking
    leaves one file of a name, and the manifest must agree with it.
    """
    return f"{first_seq}-{digest.short}{SETTLED_SUFFIX}"


def events_member(first_number: int, digest: Digest) -> str:
    """Return the member that holds events, by the first one's number and their text."""
    return f"{first_number}-{digest.short}{EVENTS_SUFFIX}"


def manifest_member(segment: str) -> str:
    """Return the member that lists all others of a sealed segment."""
    return f"MANIFEST-{number(segment):06d}.sha256"


def manifest_line(digest: Digest, member: str) -> bytes:
    """Return the line of the manifest for a member, as ``sha256sum -c`` accepts it."""
    return f"{digest.hex}  {member}\n".encode("ascii")


def _without(file_name: str, suffix: str) -> str | None:
    name = file_name.removesuffix(suffix)
    return name if name != file_name and _NAME.fullmatch(name) else None
