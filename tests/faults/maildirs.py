"""Mailboxes of a Dovecot as files: put in and looked at past the server.

Rule: what is in a mailbox is what its Maildir holds, whatever any server says.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import shutil
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

DELIVERED_S = 1_700_000_000
REST_S = 20.0
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
        """Make a mailbox like that of another user, UIDs and all.

        The session of a client that was killed ends when the server notices: a copy counts
        when nothing was locked and nothing changed while it was made.

        Raises:
            TimeoutError: the server did not come to rest.
        """
        deadline_s = time.monotonic() + REST_S
        while not self._copied_at_rest(user, other):
            if time.monotonic() > deadline_s:
                raise TimeoutError(f"the mailbox of {other} is being changed all the time")
            shutil.rmtree(self.root / user, ignore_errors=True)
            time.sleep(0.02)
        self._own(user)

    def _copied_at_rest(self, user: str, other: str) -> bool:
        before = self._state(other)
        if any(path.suffix == ".lock" for path, _ in before):
            return False
        try:
            shutil.copytree(self.root / other, self.root / user)
        except shutil.Error:  # a file went away meanwhile
            return False
        return self._state(other) == before

    def _state(self, user: str) -> set[tuple[Path, int]]:
        """Return every file and when it was written last."""
        state = set()
        for directory, _, files in os.walk(self.root / user):
            for path in (Path(directory) / name for name in files):
                with contextlib.suppress(FileNotFoundError):
                    state.add((path, path.stat().st_mtime_ns))
        return state

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
