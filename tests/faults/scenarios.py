"""What the collector is doing when it is stopped: mailboxes and archives to begin with.

Rule: a scenario is prepared once and copied for every run, so that all runs
begin alike.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import fault_mail
from archive_reader import read_archive
from forked_program import Program
from maildirs import Maildirs

ARCHIVE = "archive"
LARGE_BYTES = 2_200_000
CONFIG = """
[archive]
path = "{archive}"

[log]
level = "info"
format = "json"
"""
MAILBOX = """
[[mailbox]]
name = "journal{number}"
host = "127.0.0.1"
port = {port}
security = "plain"
username = "{user}"
password_file = "{password}"
"""

FRESH, RECOVERY, WINDOWS, BESIDE = "first start", "recovery", "windows", "side by side"
SHAPES = ("single", "batch", "batches", RECOVERY)
"""One message; many in one commit, two of them alike; several commits, by size; what a
process left that was killed between storing and committing."""
NUMBERS = {FRESH: 2, "single": 1, "batch": 5, "batches": 3, RECOVERY: 4, WINDOWS: 1100, BESIDE: 6}
"""Of messages.  ``WINDOWS``: so many that some are deleted while others are fetched.
``BESIDE``: several commits of two mailboxes at once."""
LARGE = ("batches", BESIDE)
WINDOWS_POINTS_MAX = 240
"""A run with so many messages takes seconds."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One shape of work with messages of one format."""

    shape: str
    kind: str

    def __str__(self) -> str:
        return f"{self.shape}-{self.kind}".replace(" ", "-")

    @property
    def points_max(self) -> int:
        """How many kill points are run at most; 0: all."""
        return WINDOWS_POINTS_MAX if self.shape == WINDOWS else 0

    def messages(self) -> list[bytes]:
        """Return what is delivered, in this order."""
        numbers = NUMBERS[self.shape]
        size_bytes = LARGE_BYTES if self.shape in LARGE else 1500
        raws = [fault_mail.message(self.kind, number, size_bytes) for number in range(numbers)]
        return [*raws, raws[1]] if self.shape == "batch" else raws


_NUMBERS = itertools.count(1)

ALL = (
    Scenario(FRESH, fault_mail.PLAIN),
    *(Scenario(shape, kind) for shape in SHAPES for kind in fault_mail.FORMATS),
    Scenario(WINDOWS, fault_mail.PLAIN),
    Scenario(BESIDE, fault_mail.PLAIN),
)


@dataclass(frozen=True, slots=True)
class Server:
    """A Dovecot on loopback, as these suites need it."""

    port: int
    password: str
    maildirs: Maildirs


@dataclass(slots=True)
class Stage:
    """Mailboxes and an archive that one run works on.

    Attributes:
        users: owners of the mailboxes, mostly one.
        root: directory of this stage.
        archive: the archive's directory.
        delivered: SHA-256 of every message that was ever delivered.
    """

    server: Server
    users: tuple[str, ...]
    root: Path
    archive: Path
    delivered: Counter[str] = field(default_factory=Counter)

    @property
    def config(self) -> str:
        """The option that names the configuration."""
        return f"--config={self.root / 'collector.toml'}"

    def left(self) -> Counter[str]:
        """Return what is in the mailboxes, by SHA-256."""
        contents = (self.server.maildirs.content(user) for user in self.users)
        return sum(contents, start=Counter())

    def deliver(self, messages: Sequence[bytes]) -> None:
        """Put messages into the mailboxes, into one after the other."""
        self.delivered += Counter(hashlib.sha256(raw).hexdigest() for raw in messages)
        for number, user in enumerate(self.users):
            self.server.maildirs.fill(user, messages[number :: len(self.users)])

    def write_config(self, *more: str) -> None:
        """Write the configuration, with ``more`` lines for each mailbox, and the password."""
        password = self.root / "password"
        password.write_text(self.server.password)
        password.chmod(0o600)
        lines = [CONFIG.format(archive=self.archive)]
        for number, user in enumerate(self.users):
            place = {"port": self.server.port, "user": user, "password": password}
            lines += [MAILBOX.format(number=number or "", **place), *more]
        (self.root / "collector.toml").write_text("\n".join([*lines, ""]))

    def begin_log(self) -> None:
        """Do what docs/operation.md says for rows that are lost for good and were signed."""
        (self.archive / "checkpoints").rename(self.archive.with_name("checkpoints-lost"))
        self.write_config()
        with (self.root / "collector.toml").open("a") as file:
            file.write('[evidence]\norigin = "journal-collector/begun-anew"\n')

    def copy(self, root: Path, archive: Path | None = None) -> Stage:
        """Return another stage in the same state, or with the mailboxes alone for an ``archive``.

        No late session of an earlier run can meet them: their users are others.
        """
        number = next(_NUMBERS)
        users = tuple(f"{user}-{number}" for user in self.users)
        other = Stage(self.server, users, root, archive or root / ARCHIVE, Counter(self.delivered))
        root.mkdir(parents=True)
        if archive is None and self.archive.exists():
            shutil.copytree(self.archive, other.archive)
        for user, like in zip(users, self.users, strict=True):
            self.server.maildirs.copy(user, like)
        other.write_config()
        return other

    def remove(self) -> None:
        """Remove mailboxes and archive."""
        for user in self.users:
            self.server.maildirs.remove(user)
        shutil.rmtree(self.root, ignore_errors=True)


def new_stage(server: Server, root: Path, archive: Path | None = None, mailboxes: int = 1) -> Stage:
    """Return empty mailboxes and no archive."""
    root.mkdir(parents=True)
    users = tuple(f"faults-{os.getpid()}-{next(_NUMBERS)}" for _ in range(mailboxes))
    stage = Stage(server, users, root, archive or root / ARCHIVE)
    stage.deliver([])
    stage.write_config()
    return stage


def prepare(scenario: Scenario, server: Server, root: Path, program: Program) -> Stage:
    """Return the stage a scenario begins with; only the first one begins without an archive."""
    stage = new_stage(server, root, mailboxes=2 if scenario.shape == BESIDE else 1)
    if scenario.shape != FRESH:
        assert program.run(stage.config, "collect").returncode == 0
    stage.deliver(scenario.messages())
    return _stored_not_committed(stage, program) if scenario.shape == RECOVERY else stage


def _stored_not_committed(stage: Stage, program: Program) -> Stage:
    """Let the process be killed when its batch is in the segment and nowhere named."""
    segment = ("-P", str(stage.archive / "segments/000001.tar.zst"))
    kill = ("-f", "-e", "trace=fdatasync", "-e", "inject=fdatasync:signal=KILL:when=1")
    program.run(stage.config, "collect", strace=(*segment, *kill))
    found = read_archive(stage.archive)
    assert len(found.receipts) > len(found.rows), "no batch is stored and not committed"
    return stage
