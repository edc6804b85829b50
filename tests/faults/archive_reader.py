"""Reads an archive with tar, zstd, SHA-256 and SQLite alone, as its FORMAT.md tells a stranger to.

Rule: imports nothing of the collector, so that a mistake of the program cannot
hide itself; what counts as archived is decided here.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import sqlite3
import tarfile
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import zstandard

FRAME_MAGIC = b"\x28\xb5\x2f\xfd"
MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
LEDGER_FILES = ("ledger.db", "ledger.db-wal", "ledger.db-shm")
ROWS = """
SELECT e.seq, e.state, e.cleared_at, r.digest, r.size_bytes, r.uidvalidity, r.uid, r.duplicate_of,
       e.segment, e.frame_offset, e.frame_bytes, e.blob_offset, e.blob_bytes,
       (SELECT count(*) FROM deletions d WHERE d.seq = e.seq) AS deletions_count,
       (SELECT count(*) FROM proofs p WHERE p.seq = e.seq AND p.digest = r.digest
               AND p.size_bytes = r.size_bytes) AS proofs_count
FROM entries e JOIN receipts r ON r.seq = e.seq ORDER BY e.seq
"""

Row = dict[str, Any]


@dataclass(slots=True)
class Archived:
    """What a stranger finds in an archive.

    Attributes:
        copies: how often each message is stored, by the SHA-256 of its bytes;
            counted only when its receipt lies beside it and names these bytes.
        receipts: as stored, in the order of the segments.
        torn: segments in which bytes are no whole frame.
        broken: what cannot be read or does not agree, one line each.
        rows: the ledger's entries; empty when there is no ledger yet.
        leaves_count: of its log.
        ledger_problem: why the ledger could not be read, empty when it could.
    """

    copies: Counter[str] = field(default_factory=Counter)
    receipts: list[Row] = field(default_factory=list)
    torn: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    leaves_count: int = 0
    ledger_problem: str = ""

    def proven(self) -> Counter[str]:
        """Return how many deletions the ledger justified by a proof, by SHA-256."""
        return Counter(
            row["digest"] for row in self.rows if row["deletions_count"] and row["proofs_count"]
        )


def read_archive(root: Path) -> Archived:
    """Read segments and ledger below ``root``; never raises for what it finds there."""
    found = Archived()
    contents: dict[str, bytes] = {}
    forms: dict[str, Counter[str]] = {}
    for path in sorted((root / "segments").glob("*.tar.zst")):
        name = path.name.removesuffix(".tar.zst")
        contents[name] = path.read_bytes()
        copies = _read_segment(found, name, contents[name])
        number = name.removesuffix(".sealed")  # for a moment both forms of a segment are there
        forms[number] = forms.get(number, Counter()) | copies
    found.copies = sum(forms.values(), Counter())
    _read_ledger(found, root)
    for row in found.rows:
        if problem := _row_problem(row, contents.get(row["segment"])):
            found.broken.append(f"row {row['seq']}: {problem}")
    return found


def frames(raw: bytes) -> Iterator[tuple[int, bytes | None]]:
    """Yield (offset, content) of every zstd frame, and ``None`` where there is no whole one.

    Behind damage it goes on at the next place where a frame can be decoded.
    """
    offset = 0
    damaged = False
    while 0 <= offset < len(raw):
        reader = zstandard.ZstdDecompressor().decompressobj()
        try:
            content = reader.decompress(memoryview(raw)[offset:])
        except zstandard.ZstdError:
            content = b""
        if reader.eof:
            yield offset, content
            offset = len(raw) - len(reader.unused_data)
            damaged = False
            continue
        if not damaged:
            yield offset, None
        damaged = True
        offset = raw.find(FRAME_MAGIC, offset + 1)


def _read_segment(found: Archived, name: str, raw: bytes) -> Counter[str]:
    copies: Counter[str] = Counter()
    pieces = []
    for _, content in frames(raw):
        if content is None:
            found.torn.append(name)
        else:
            pieces.append(content)
    members: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(b"".join(pieces)), mode="r:") as tar:
            for member in tar:
                file = tar.extractfile(member)
                members[member.name] = file.read() if file else b""
    except tarfile.ReadError as error:
        if pieces:
            found.broken.append(f"segment {name}: {error}")
    for member_name, content in members.items():
        copies[_take_member(found, name, member_name, content, members)] += 1
    del copies[""]
    return copies


def _take_member(
    found: Archived, segment: str, name: str, content: bytes, members: dict[str, bytes]
) -> str:
    """Look at one member; return the digest of the message a receipt names, else nothing."""
    if name.endswith(".eml"):
        if name.removesuffix(".eml") + ".json" not in members:
            found.broken.append(f"segment {segment}: {name} has no receipt")
    elif name.endswith(".json") and not name.endswith(("-settled.json", "-events.json")):
        receipt = json.loads(content)
        found.receipts.append(receipt)
        raw = members.get(name.removesuffix(".json") + ".eml")
        if raw is not None:
            digest = hashlib.sha256(raw).hexdigest()
            if (receipt["digest"], receipt["size_bytes"]) == (f"sha256:{digest}", len(raw)):
                return digest
            found.broken.append(f"segment {segment}: {name} names other bytes")
        elif receipt["duplicate_of"] is None:
            found.broken.append(f"segment {segment}: the message of {name} is missing")
    return ""


def _read_ledger(found: Archived, root: Path) -> None:
    """Read a copy, so that looking does not change what a crash left."""
    if not (root / LEDGER_FILES[0]).exists():
        return
    with tempfile.TemporaryDirectory(prefix="ledger-copy-", dir=MEMORY) as directory:
        for name in LEDGER_FILES:
            if (root / name).exists():
                shutil.copy(root / name, directory)
        database = sqlite3.connect(Path(directory) / LEDGER_FILES[0])
        database.row_factory = sqlite3.Row
        try:
            database.execute("PRAGMA synchronous = off")
            checked = database.execute("PRAGMA quick_check").fetchone()[0]
            tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master")}
            if "entries" in tables:  # a ledger whose making was interrupted has none
                found.rows = [dict(row) for row in database.execute(ROWS)]
            if "leaves" in tables:
                found.leaves_count = database.execute("SELECT count(*) FROM leaves").fetchone()[0]
            found.ledger_problem = "" if checked == "ok" else str(checked)
        except sqlite3.Error as error:
            found.ledger_problem = str(error)
        finally:
            database.close()


def _row_problem(row: Row, raw: bytes | None) -> str:
    if raw is None:
        return f"segment {row['segment']} is missing"
    stored = raw[row["frame_offset"] : row["frame_offset"] + row["frame_bytes"]]
    if not stored.startswith(FRAME_MAGIC):
        return "no frame lies at its place"
    _, content = next(frames(stored))
    if content is None:
        return "its frame is not whole"
    blob = content[row["blob_offset"] : row["blob_offset"] + row["blob_bytes"]]
    return "" if hashlib.sha256(blob).hexdigest() == row["digest"] else "its bytes are not there"
