"""Reads from a trace whether everything was durable when something began to rely on it.

    a ledger row relies on the segment it names
    a deletion relies on the ledger, and on all names that anything was given

Rule: only what the kernel was told counts.  Power cuts cannot show all of this:
on ext4, XFS and btrfs the sync of a new file takes its name to the disk as well.

Threads store and delete side by side, so what another one has written and not synced is
none of this one's: it is stored and committed by one thread, and what is in the log of the
ledger is synced together, whoever wrote it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

_LINE = re.compile(r"(\d+) +(\w+)\((.*)")
_RESULT = re.compile(r"= (-?\d+)")
_REMOVAL = re.compile(r'"\S+ UID (STORE|EXPUNGE|MOVE)\b')
_WAL = "ledger.db-wal"
_NOT_RELIED_ON = re.compile(r"ledger\.db-shm$|ledger\.db-journal$|spool/|\.sealing$")
"""SQLite's index in memory and its rollback journal, spooled mail, and files half made."""


def relied_on_too_early(trace: Iterable[str], archive: Path, existing: set[str]) -> list[str]:
    """Return what was relied on before it was durable, one line each.

    Args:
        trace: lines of strace with all calls of ``killpoints.CALLS``, paths decoded.
        existing: names of files and directories in the archive before, relative to it.
    """
    watch = _Watch(archive, existing)
    for line in trace:
        found = _LINE.match(line)
        result = _RESULT.search(line[line.rfind(")") :]) if found else None
        if found and (result is None or int(result[1]) >= 0):
            watch.see(*found.groups())
    return list(dict.fromkeys(watch.wrong))


class _Watch:
    def __init__(self, archive: Path, existing: set[str]) -> None:
        self._place = re.compile(rf'{re.escape(str(archive))}/?([^">#]*)')
        self._existing = set(existing)
        self._dirty: set[tuple[str, str]] = set()
        self._unnamed: set[str] = set()
        self._thread = ""
        self.wrong: list[str] = []

    def see(self, thread: str, name: str, rest: str) -> None:
        """Take in one call that succeeded."""
        self._thread = thread
        places = [place.rstrip("/") for place in self._place.findall(rest)]
        if name == "sendto" and _REMOVAL.search(rest):
            self._rely("a deletion was asked for", lambda _: True)
        elif places:
            getattr(self, f"_{name}", lambda *_: None)(rest, *places)

    def _write(self, _rest: str, place: str, *_: str) -> None:
        self._dirty.add((self._thread, place))

    _pwrite64 = _ftruncate = _fchmod = _write

    def _fdatasync(self, _rest: str, place: str) -> None:
        self._forget(place)
        if place == _WAL:
            self._rely("a row was committed", lambda each: each.startswith("segments"))

    _fsync = _fdatasync

    def _openat(self, rest: str, place: str, *_: str) -> None:
        if "O_CREAT" in rest and place not in self._existing:
            self._named(place)

    def _mkdir(self, _rest: str, place: str) -> None:
        self._named(place)

    def _rename(self, _rest: str, source: str, target: str) -> None:
        if any(place == source for _, place in self._dirty):
            self.wrong.append(f"{source} got its name before it was synced")
        self._forget(source)
        self._named(target)

    _link = _rename

    def _unlink(self, _rest: str, place: str) -> None:
        self._existing.discard(place)
        self._forget(place)

    def _named(self, place: str) -> None:
        """A new name is durable when the directory is synced that holds it."""
        self._existing.add(place)
        if place and not _NOT_RELIED_ON.search(place):
            parent = str(PurePosixPath(place).parent)
            self._unnamed.add("" if parent == "." else parent)

    def _forget(self, place: str) -> None:
        self._dirty = {each for each in self._dirty if each[1] != place}
        self._unnamed.discard(place)

    def _rely(self, why: str, concerns) -> None:
        own = {place for thread, place in self._dirty if thread == self._thread}
        early = {
            each
            for each in own | self._unnamed
            if concerns(each) and not _NOT_RELIED_ON.search(each)
        }
        self.wrong += [f"{why} before {each or 'the directory'} was synced" for each in early]
