"""Our tree against the checkpoints that were anchored outside.

Rule: an anchored checkpoint counts only when a known key signed it, and then it
outweighs everything the archive says of itself.

An anchor file is notes with empty lines between them; what was posted may simply be
pasted together.  What was mailed may be left in the mail (``mailed``): a saved
message, an mbox, or a folder of such files.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from collector.domain.errors import ConfigError
from collector.domain.evidence import Checkpoint, SignedCheckpoint
from collector.domain.finding import Finding, Grade
from collector.evidence.checkpoint import decode_checkpoint, read_checkpoint
from collector.evidence.mailed import is_mail, notes_in, split_mbox
from collector.evidence.note import NOTE_BYTES_MAX, NoteError, VerifierKey, decode_note

PROBLEMS_SHOWN_MAX = 20
"""A rolled back archive contradicts every later anchor; the first ones tell the story."""

FILES_MAX = 1_000_000

_SIGNATURE = "— ".encode()


def read_anchors(path: Path) -> Iterator[bytes]:
    """Yield what was anchored, file by file in the order of names.

    Of a plain file every piece, even when it is no note: it was meant to be one.  Of
    mail, and of the files of a folder, only what looks like a note.

    Raises:
        ConfigError: a file cannot be read, or the folder has too many.
    """
    try:
        if path.is_dir():
            for each in _files_below(path):
                yield from filter(_looks_like_note, _read(each))
        else:
            yield from _read(path)
    except OSError as error:
        raise ConfigError(
            f"an anchor file cannot be read: {error.strerror}", subject=error.filename or str(path)
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
    agrees: Callable[[Checkpoint], None] = lambda _checkpoint: None,
) -> Iterator[Finding]:
    """Yield what is wrong with our tree by the word of anchored notes, then a summary.

    Args:
        root_at: gives the root hash our tree had at a size up to ``head.size``.
        agrees: called with each one that our tree agrees with.
    """
    agreed, newest, problems_count, others_count = 0, 0, 0, 0
    for raw in anchored:
        if not raw.strip():
            continue
        if _is_of_another_log(raw, head):
            others_count += 1
            continue
        finding = _compare(raw, head, root_at, keys)
        if isinstance(finding, SignedCheckpoint):
            agreed, newest = agreed + 1, max(newest, finding.checkpoint.size)
            agrees(finding.checkpoint)
            continue
        problems_count += 1
        if problems_count <= PROBLEMS_SHOWN_MAX:
            yield finding
    if problems_count > PROBLEMS_SHOWN_MAX:
        hidden_count = problems_count - PROBLEMS_SHOWN_MAX
        yield _finding(f"{hidden_count} more anchored notes do not agree either", head.origin)
    if others_count:
        detail = f"{others_count} anchored checkpoints are of other logs"
        yield Finding("anchors", head.origin, Grade.WARNING, detail)
    if agreed:
        detail = f"{agreed} anchored checkpoints agree, the newest with {newest} entries"
        yield Finding("anchors", head.origin, Grade.OK, detail)
    else:
        detail, hint = "no anchored checkpoint agrees with this archive", "are they of this log?"
        yield Finding("anchors", head.origin, Grade.FAILED, detail, hint)


def _files_below(folder: Path) -> list[Path]:
    """Return the files of a folder and of those in it; links are not followed."""
    paths: list[Path] = []
    for directory, _folders, names in os.walk(folder, onerror=_raise):
        paths += (Path(directory, name) for name in names)
        if len(paths) > FILES_MAX:
            what = f"a folder of anchors has more than {FILES_MAX:,} files"
            raise ConfigError(what, subject=str(folder), hint="compare parts of it")
    return sorted(each for each in paths if each.is_file() and not each.is_symlink())


def _raise(error: OSError) -> None:
    raise error


def _read(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        is_kept_mail = is_mail(file.readline(NOTE_BYTES_MAX))
        file.seek(0)
        lines = iter(lambda: file.readline(NOTE_BYTES_MAX), b"")
        if not is_kept_mail:
            yield from split_notes(lines)
            return
        for mail in split_mbox(lines):
            yield from notes_in(mail, lambda text: filter(_looks_like_note, split_notes(text)))


def _looks_like_note(piece: bytes) -> bool:
    return b"\n\n" + _SIGNATURE in piece


def _is_of_another_log(raw: bytes, head: Checkpoint) -> bool:
    """Say whether a note names another log; who signed it makes no difference to us."""
    try:
        return decode_checkpoint(decode_note(raw).text).origin != head.origin
    except NoteError:
        return False


def _compare(
    raw: bytes, head: Checkpoint, root_at: Callable[[int], bytes], keys: Sequence[VerifierKey]
) -> SignedCheckpoint | Finding:
    try:
        signed = read_checkpoint(raw, keys)
    except NoteError as error:
        return _finding(f"an anchored note is left out: {error.what}", error.subject)
    theirs = signed.checkpoint
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
    hint = "look at it, with the key that was published for this log"
    return Finding("anchors", subject, Grade.WARNING, detail, hint)
