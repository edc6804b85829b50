"""Takes messages out of the archive for somebody else, with a list of digests.

Rule: exported bytes are the stored bytes (or the original inside, byte for
byte); ``sha256sum -c MANIFEST.sha256`` accepts what was written.  Names come
from digests, never from mail.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Protocol

from collector.domain.errors import ConfigError
from collector.domain.journal import Role
from collector.formats.unwrap import original_windows
from collector.ledger.query import Record
from collector.store.archive import Archive

MANIFEST = "MANIFEST.sha256"
Write = Callable[[bytes], object]


class _Target(Protocol):
    """Somewhere exported files can be written to."""

    def create(self, name: str) -> AbstractContextManager[IO[bytes]]:
        """Open a new file called ``name``."""


@dataclass(frozen=True, slots=True)
class _Folder:
    path: Path

    def create(self, name: str) -> AbstractContextManager[IO[bytes]]:
        return (self.path / name).open("xb")


@dataclass(frozen=True, slots=True)
class _Zip:
    zip_file: zipfile.ZipFile

    def create(self, name: str) -> AbstractContextManager[IO[bytes]]:
        return self.zip_file.open(name, "w", force_zip64=True)


@dataclass(slots=True)
class Export:
    """One export.

    Attributes:
        original: write the message inside a journal report instead of the report.
    """

    archive: Archive
    original: bool = False
    progress: Callable[[], None] = lambda: None
    _manifest: dict[str, str] = field(default_factory=dict)

    def to_folder(self, records: Iterable[Record], dest: Path) -> int:
        """Write ``<digest>.eml`` files and the manifest; return the number of messages.

        Raises:
            ConfigError: ``dest`` holds something already.
            IntegrityError: a stored copy is broken.
        """
        refuse_existing(dest)
        dest.mkdir(parents=True, exist_ok=True)
        return self._write(records, _Folder(dest))

    def to_zip(self, records: Iterable[Record], dest: Path) -> int:
        """The same inside a zip file."""
        refuse_existing(dest)
        with zipfile.ZipFile(dest, "x", zipfile.ZIP_DEFLATED) as zip_file:
            return self._write(records, _Zip(zip_file))

    def to_mbox(self, records: Iterable[Record], dest: Path) -> int:
        """Write one mbox (mboxrd: lines that look like ``From `` get a ``>``) and its manifest."""
        refuse_existing(dest)
        count = 0
        digest = hashlib.sha256()
        with dest.open("xb") as mbox:

            def write(piece: bytes) -> None:
                digest.update(piece)
                mbox.write(piece)

            for record in records:
                self._mbox_message(record, write)
                count += 1
                self.progress()
        manifest = dest.with_name(f"{dest.name}.sha256")
        manifest.write_text(f"{digest.hexdigest()}  {dest.name}\n", encoding="ascii")
        return count

    def _write(self, records: Iterable[Record], target: _Target) -> int:
        count = 0
        for record in records:
            for name, digest_hex, copy in self._files(record):
                if name not in self._manifest:  # the same bytes may have arrived twice
                    with target.create(name) as out:
                        copy(out.write)
                    self._manifest[name] = digest_hex
            count += 1
            self.progress()
        with target.create(MANIFEST) as out:
            for name, digest_hex in sorted(self._manifest.items()):
                out.write(f"{digest_hex}  {name}\n".encode("ascii"))
        return count

    def _files(self, record: Record) -> Iterable[tuple[str, str, Callable[[Write], None]]]:
        originals = [each for each in record.unwrapped.originals if each.role is not Role.REPORT]
        if self.original and originals:
            raw = self.archive.raw(record.entry.blob)
            for each in originals:

                def copy(write: Write, each=each) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
                    for piece in original_windows(raw, each):
                        write(piece)

                yield f"{each.digest.hex}.eml", each.digest.hex, copy
        else:
            blob = record.entry.blob
            yield (
                f"{blob.digest.hex}.eml",
                blob.digest.hex,
                lambda write: self.archive.copy(blob, write),
            )

    def _mbox_message(self, record: Record, write: Callable[[bytes], None]) -> None:
        sent = record.entry.receipt.internal_date or record.entry.receipt.fetched_at
        for _name, _digest, copy in self._files(record):
            write(f"From collector@localhost {sent:%a %b %d %H:%M:%S %Y}\n".encode("ascii"))
            lines = _MboxLines(write)
            copy(lines.feed)
            lines.end()


class _MboxLines:
    """Quotes ``From `` lines of a message that comes in pieces."""

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self._write = write
        self._rest = b""

    def feed(self, piece: bytes) -> None:
        """Take the next piece; whole lines go on at once."""
        *lines, self._rest = (self._rest + piece).split(b"\n")
        for line in lines:
            self._line(line + b"\n")

    def end(self) -> None:
        """Write what is left and the empty line between messages."""
        if self._rest:
            self._line(self._rest + b"\n")
        self._write(b"\n")

    def _line(self, line: bytes) -> None:
        self._write(b">" + line if line.lstrip(b">").startswith(b"From ") else line)


def refuse_existing(dest: Path) -> None:
    """Raise ``ConfigError`` when something is there already."""
    empty_folder = dest.is_dir() and not any(dest.iterdir())
    if dest.exists() and not empty_folder:
        raise ConfigError(
            "the destination exists already",
            subject=str(dest),
            hint="name a new file or an empty folder; nothing is overwritten",
        )
