"""The notes in mail that was saved: a folder of files, a Maildir, an mbox.

Rule: mail is written by anybody, so what is found here is a note to be verified and
nothing more.  Mail without one is passed over: a mailbox holds other mail, too.

The attachment is the note as it was sent; the text of a mail may have been changed
on its way and counts only when there is no attachment.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from email import message_from_bytes
from email.message import Message
from itertools import islice

MAIL_BYTES_MAX = 1024 * 1024
"""What is behind it is not read; a mailed checkpoint has 2 KiB."""

PARTS_MAX = 100

_FIELD = re.compile(rb"[!-9;-~]+:[ \t]")
"""How a header begins (RFC 5322, section 2.2); no line of a note does."""

_ENVELOPE = b"From "
"""What separates the messages of an mbox (RFC 4155)."""

Split = Callable[[Iterable[bytes]], Iterator[bytes]]


def is_mail(start: bytes) -> bool:
    """Say whether a file that begins so holds mail."""
    return start.startswith(_ENVELOPE) or _FIELD.match(start) is not None


def split_mbox(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the messages of an mbox; a single message is one, too."""
    mail: list[bytes] = []
    size_bytes = 0
    may_begin = True
    for line in lines:
        if may_begin and line.startswith(_ENVELOPE):
            yield b"".join(mail)
            mail, size_bytes = [], 0
        elif size_bytes < MAIL_BYTES_MAX:
            mail.append(line)
            size_bytes += len(line)
        may_begin = not line.strip(b"\r\n")
    yield b"".join(mail)


def notes_in(mail: bytes, split: Split) -> list[bytes]:
    """Return the notes that a message carries, by ``split`` of its texts; none when none."""
    attached: list[bytes] = []
    written: list[bytes] = []
    try:
        for part in islice(message_from_bytes(mail).walk(), PARTS_MAX):
            notes = list(split(_lines(part)))
            (attached if part.get_filename() else written).extend(notes)
    except (RecursionError, ValueError, LookupError):  # made by somebody to break readers
        return []
    return attached or written


def _lines(part: Message) -> list[bytes]:
    content = None if part.is_multipart() else part.get_payload(decode=True)
    return content.splitlines(keepends=True) if isinstance(content, bytes) else []
