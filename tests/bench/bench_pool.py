"""Messages on the disk, to be put into mailboxes again and again.

Rule: a pool is a directory of ``NNNNNN.eml`` files with CRLF line ends, exactly
the bytes a server hands out, and ``manifest.json`` with their sizes and digests.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

FIRST_ARRIVAL_S = 1_750_000_000
"""When the first message arrives, in seconds since 1970."""


@dataclass(frozen=True, slots=True)
class Pool:
    """Messages on the disk, in the order of their numbers.

    Attributes:
        sizes_bytes: of every message.
        digests: SHA-256 of every message, hexadecimal.
        first: number of the first message, less one.
    """

    directory: Path
    sizes_bytes: Sequence[int] = ()
    digests: Sequence[str] = ()
    first: int = 0

    @property
    def count(self) -> int:
        """Number of messages."""
        return len(self.sizes_bytes)

    @property
    def raw_mb(self) -> float:
        """Length of all messages."""
        return sum(self.sizes_bytes) / 1e6

    def path(self, index: int) -> Path:
        """Return the file of one message."""
        return self.directory / f"{self.first + index + 1:06}.eml"

    def halves(self) -> tuple[Pool, Pool]:
        """Return the pool cut in two."""
        cut = self.count // 2
        return (
            Pool(self.directory, self.sizes_bytes[:cut], self.digests[:cut], self.first),
            Pool(self.directory, self.sizes_bytes[cut:], self.digests[cut:], self.first + cut),
        )

    def describe(self) -> str:
        """Return number and sizes in words."""
        ordered = sorted(self.sizes_bytes)
        return (
            f"{self.count:,} messages, {self.raw_mb:,.0f} MB: median "
            f"{ordered[self.count // 2] / 1e3:.0f} KB, mean "
            f"{self.raw_mb * 1e3 / self.count:.0f} KB, largest {ordered[-1] / 1e6:.1f} MB, "
            f"{sum(size > 1e6 for size in ordered)} over 1 MB"
        )

    @classmethod
    def load(cls, directory: Path) -> Pool:
        """Read the manifest of a pool."""
        manifest = json.loads((directory / "manifest.json").read_text(encoding="ascii"))
        return cls(directory, manifest["sizes_bytes"], manifest["digests"])

    @classmethod
    def write(cls, directory: Path, messages: Iterable[bytes]) -> Pool:
        """Store messages as a pool; the manifest comes last and marks it whole."""
        directory.mkdir(parents=True, exist_ok=True)
        pool = cls(directory, sizes := [], digests := [])
        for index, raw in enumerate(messages):
            pool.path(index).write_bytes(raw)
            sizes.append(len(raw))
            digests.append(hashlib.sha256(raw).hexdigest())
        manifest = json.dumps({"sizes_bytes": sizes, "digests": digests})
        (directory / "manifest.json").write_text(manifest, encoding="ascii")
        return pool
