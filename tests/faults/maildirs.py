"""Mailboxes of a Dovecot as files: put in and looked at past the server.

Rule: what is in a mailbox is what its Maildir holds, whatever any server says.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

DELIVERED_S = 1_700_000_000
_NUMBERS = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Maildirs:
    """The directory below which every user has a Maildir.

    Attributes:
        root: ``root/<user>/mail`` is the user's INBOX.
        uid, gid: of the process that serves it.
    """

    root: Path
    uid: int
    gid: int

    def fill(self, user: str, messages: Sequence[bytes]) -> None:
        """Make a mailbox that holds ``messages``, in this order."""
        mailbox = self.root / user / "mail"
        for name in ("tmp", "new", "cur"):
            (mailbox / name).mkdir(parents=True, exist_ok=True)
        for raw in messages:
            number = next(_NUMBERS)  # no name is used twice: Dovecot remembers the UID of a name
            name = f"{DELIVERED_S + number}.{number}.faults,S={len(raw)}"
            (mailbox / "new" / name).write_bytes(raw)
        self._own(user)

    def copy(self, user: str, other: str) -> None:
        """Make a mailbox like that of another user, UIDs and all."""
        shutil.copytree(self.root / other, self.root / user)
        self._own(user)

    def remove_messages(self, user: str, digests: Counter[str]) -> None:
        """Take messages out, as a deletion does."""
        left = Counter(digests)
        for path in self._files(user):
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            if left[digest] > 0:
                left[digest] -= 1
                path.unlink()

    def content(self, user: str) -> Counter[str]:
        """Return the SHA-256 of every message in a mailbox."""
        return Counter(hashlib.sha256(path.read_bytes()).hexdigest() for path in self._files(user))

    def remove(self, user: str) -> None:
        """Remove a mailbox."""
        shutil.rmtree(self.root / user, ignore_errors=True)

    def _files(self, user: str) -> list[Path]:
        return [
            path for name in ("new", "cur") for path in (self.root / user / "mail" / name).iterdir()
        ]

    def _own(self, user: str) -> None:
        for directory, _, files in os.walk(self.root / user):
            os.chown(directory, self.uid, self.gid)
            for name in files:
                os.chown(Path(directory) / name, self.uid, self.gid)
