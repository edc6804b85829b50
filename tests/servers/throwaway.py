"""What all throwaway servers need: a directory, an ordinary user, free ports, an end.

A server binary that is missing skips the test with a loud reason; where CI is set it
fails, so that nothing is believed to be tested that is not.
"""

from __future__ import annotations

import atexit
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

HOST = "localhost"
ORDINARY_USER = "nobody"
"""Who serves when the tests run as root: mail servers refuse to do it as uid 0."""


def missing(what: str, remedy: str) -> None:
    """Skip, or fail in CI: ``what`` is not there."""
    reason = f"{what} is missing, so this is NOT tested: {remedy}"
    if os.environ.get("CI", "").lower() in {"1", "true", "yes"}:
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def found(program: str, remedy: str) -> str:
    """Return the path of ``program``, also where only root has it in PATH."""
    path = shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if path is None:
        missing(program, remedy)
    return str(path)


class Place:
    """A directory for one server; short, because socket paths have 108 bytes at most."""

    def __init__(self, name: str) -> None:
        self.root = Path(tempfile.mkdtemp(prefix=f"jc-{name}-", dir="/tmp"))
        self.root.chmod(0o755)
        atexit.register(self.remove)  # for a server that does not get as far as its end

    def give(self) -> None:
        """Hand the directory to the user who serves."""
        if os.geteuid() == 0:
            user = pwd.getpwnam(ORDINARY_USER)
            for path in (self.root, *self.root.rglob("*")):
                os.chown(path, user.pw_uid, user.pw_gid, follow_symlinks=False)

    def remove(self) -> None:
        """Remove it and all it holds."""
        shutil.rmtree(self.root, ignore_errors=True)


def user_and_group() -> tuple[str, str]:
    """Return who serves."""
    import grp

    uid = pwd.getpwnam(ORDINARY_USER).pw_uid if os.geteuid() == 0 else os.geteuid()
    user = pwd.getpwuid(uid)
    return user.pw_name, grp.getgrgid(user.pw_gid).gr_name


def until_we_end(command: Sequence[str | Path], *options: str) -> list[str]:
    """Return ``command`` so that it ends with the tests, however they end."""
    return ["setpriv", "--pdeathsig=TERM", *options, "--", *(str(word) for word in command)]


def as_ordinary_user(command: Sequence[str | Path]) -> list[str]:
    """Return ``command`` so that it runs as who serves, and no longer than the tests."""
    if os.geteuid() != 0:
        return until_we_end(command)
    user, group = user_and_group()
    return until_we_end(command, f"--reuid={user}", f"--regid={group}", "--clear-groups")


def free_ports(count: int) -> list[int]:
    """Return ports of 127.0.0.1 that were free a moment ago."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def wait_until(ready: Callable[[], bool], what: str, timeout_s: float = 20.0) -> None:
    """Wait for ``ready``; fail with ``what`` when it does not come."""
    until_s = time.monotonic() + timeout_s
    while not ready():
        assert time.monotonic() < until_s, f"{what} within {timeout_s:.0f} s"
        time.sleep(0.02)


def is_open(port: int) -> bool:
    """Return whether somebody listens."""
    try:
        socket.create_connection(("127.0.0.1", port), 1.0).close()
    except OSError:
        return False
    return True


class Server:
    """A server process of ours, from its start to its end.

    Each in a process group of its own: a Cyrus that is ended ends its whole group.
    """

    def __init__(
        self, command: Sequence[str | Path], log: Path, *, as_self: bool = False, **rest
    ) -> None:
        self._log = log
        words = until_we_end(command) if as_self else as_ordinary_user(command)
        with log.open("wb") as said:
            self.process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                process_group=0,
                **rest,
            )
        atexit.register(self.end)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    def listens(self, ports: Sequence[int], timeout_s: float = 20.0) -> bool:
        """Wait until it listens on all ``ports``; ``False`` when it ended before."""
        until_s = time.monotonic() + timeout_s
        while not all(map(is_open, ports)):
            if self.process.poll() is not None:
                return False
            assert time.monotonic() < until_s, f"the server does not listen: {self.said()}"
            time.sleep(0.02)
        return self.process.poll() is None

    def said(self) -> str:
        """Return the end of what it wrote."""
        return self._log.read_text(encoding="utf-8", errors="replace")[-2000:]

    def end(self) -> None:
        """End it and wait until it is gone; may be repeated."""
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def run(command: Sequence[str | Path], **rest) -> subprocess.CompletedProcess[bytes]:
    """Run a program to its end; fail with what it said."""
    done = subprocess.run([str(word) for word in command], capture_output=True, check=False, **rest)
    assert done.returncode == 0, f"{command[0]}: {done.stderr.decode(errors='replace')[-2000:]}"
    return done
