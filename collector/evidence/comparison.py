"""Our tree against the checkpoints that were anchored outside.

Rule: an anchored checkpoint counts only when a known key signed it, and then it
outweighs everything the archive says of itself.

An anchor file is notes with empty lines between them; what was mailed or posted
may simply be pasted together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from collector.domain.errors import ConfigError
from collector.domain.evidence import Checkpoint, SignedCheckpoint
from collector.domain.finding import Finding, Grade
from collector.evidence.checkpoint import read_checkpoint
from collector.evidence.note import NOTE_BYTES_MAX, NoteError, VerifierKey

PROBLEMS_SHOWN_MAX = 20
"""A rolled back archive contradicts every later anchor; the first ones tell the story."""

_SIGNATURE = "— ".encode()


def read_anchors(path: Path) -> Iterator[bytes]:
    """Yield what an anchor file holds, oldest first; not every piece need be a note.

    Raises:
        ConfigError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            yield from split_notes(iter(lambda: file.readline(NOTE_BYTES_MAX), b""))
    except OSError as error:
        raise ConfigError(
            f"an anchor file cannot be read: {error.strerror}", subject=str(path)
        ) from error


def split_notes(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the notes among ``lines``, and whatever else stands between empty lines.

    A line of text behind an empty one or behind a signature begins a new piece, so
    a note cut off by a crash spoils no other.
    """
    piece: list[bytes] = []
    size_bytes = 0
    may_begin = False
    for line in lines:
        content = line.rstrip(b"\r\n")
        is_signature = content.startswith(_SIGNATURE)
        begins = content and may_begin and not is_signature
        if begins or size_bytes > NOTE_BYTES_MAX:
            yield _piece(piece)
            piece, size_bytes = [], 0
        may_begin = is_signature or not content
        piece.append(content + b"\n")
        size_bytes += len(line)
    yield _piece(piece)


def compare_anchors(
    anchored: Iterable[bytes],
    head: Checkpoint,
    root_at: Callable[[int], bytes],
    keys: Sequence[VerifierKey],
) -> Iterator[Finding]:
    """Yield what is wrong with our tree by the word of anchored notes, then a summary.

    ``root_at`` gives the root hash our tree had at a size up to ``head.size``.
    """
    agreed, newest, problems_count = 0, 0, 0
    for raw in anchored:
        if not raw.strip():
            continue
        finding = _compare(raw, head, root_at, keys)
        if isinstance(finding, SignedCheckpoint):
            agreed, newest = agreed + 1, max(newest, finding.checkpoint.size)
            continue
        problems_count += 1
        if problems_count <= PROBLEMS_SHOWN_MAX:
            yield finding
    if problems_count > PROBLEMS_SHOWN_MAX:
        hidden_count = problems_count - PROBLEMS_SHOWN_MAX
        yield _finding(f"{hidden_count} more anchored notes do not agree either", head.origin)
    if agreed:
        detail = f"{agreed} anchored checkpoints agree, the newest with {newest} entries"
        yield Finding("anchors", head.origin, Grade.OK, detail)
    else:
        yield _finding("no anchored checkpoint agrees with this archive", head.origin)


def _compare(
    raw: bytes, head: Checkpoint, root_at: Callable[[int], bytes], keys: Sequence[VerifierKey]
) -> SignedCheckpoint | Finding:
    try:
        signed = read_checkpoint(raw, keys)
    except NoteError as error:
        return _finding(f"an anchored note is left out: {error.what}", error.subject)
    theirs = signed.checkpoint
    if theirs.origin != head.origin:
        return _finding("an anchored checkpoint is of another log", theirs.origin)
    if theirs.size > head.size:
        return _broken(
            f"{theirs.size} entries were anchored, the archive has {head.size}: rolled back", theirs
        )
    if root_at(theirs.size) != theirs.root:
        return _broken(f"the first {theirs.size} entries are not those that were anchored", theirs)
    return signed


def _piece(lines: list[bytes]) -> bytes:
    return b"".join(lines).strip(b"\n") + b"\n"


def _broken(detail: str, theirs: Checkpoint) -> Finding:
    return Finding(
        "anchors",
        f"{theirs.origin} at {theirs.size}",
        Grade.FAILED,
        detail,
        "keep archive and anchor as they are; the entries up to this size were changed or removed",
    )


def _finding(detail: str, subject: str) -> Finding:
    return Finding("anchors", subject, Grade.WARNING, detail)
