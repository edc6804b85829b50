"""The programs that are compared: this one, the limit in C and Python, and others.

Rule: a run counts only when its mailbox is empty afterwards and the program
holds every message.  A program that is not there is named, never left out
silently.

Each other program runs in its own natural configuration, with the quickest way
it has to delete.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench_pool import Pool
from bench_process import RunError, said
from bench_server import PASSWORD

HERE = Path(__file__).parent
SECRETS_MODE = 0o600


@dataclass(frozen=True, slots=True)
class Job:
    """Mailboxes to be emptied; all programs but this one and ``BareC`` know only the first.

    Attributes:
        work: an empty directory for configuration, store and output.
        mailboxes: what each user's mailbox was filled with.
        ports: where each user's server is reached.
    """

    work: Path
    mailboxes: Mapping[str, Pool]
    ports: Mapping[str, int]

    @property
    def user(self) -> str:
        """The first user."""
        return next(iter(self.mailboxes))

    @property
    def port(self) -> int:
        """Where the first user's server is reached."""
        return self.ports[self.user]

    @property
    def count(self) -> int:
        """Number of messages."""
        return sum(pool.count for pool in self.mailboxes.values())

    @property
    def raw_bytes(self) -> int:
        """Length of all messages."""
        return sum(sum(pool.sizes_bytes) for pool in self.mailboxes.values())

    def write(self, name: str, text: str) -> Path:
        """Write a file only the program may read."""
        path = self.work / name
        path.write_text(text, encoding="utf-8")
        path.chmod(SECRETS_MODE)
        return path

    def directory(self, name: str) -> Path:
        """Make a directory the program may write."""
        path = self.work / name
        path.mkdir()
        return path


class Program(ABC):
    """A program that empties mailboxes.

    Attributes:
        deletes: ``False`` for one that leaves the messages in the mailbox.
    """

    name: str
    version: str
    deletes = True

    @abstractmethod
    def command(self, job: Job) -> Sequence[str]:
        """Write the configuration for ``job``; return the command line."""

    @abstractmethod
    def stored(self, job: Job) -> int:
        """Return how many messages the program holds afterwards."""

    def check(self, job: Job) -> None:
        """Raise ``RunError`` unless it holds every message."""
        if (stored := self.stored(job)) != job.count:
            raise RunError(f"{self.name} stored {stored} of {job.count} messages")


class Collector(Program):
    """This program."""

    name = "collector"

    def __init__(self) -> None:
        self.path = Path(sys.executable).with_name("collector")
        self.version = output(self.path, "--version").split()[1]

    def configuration(self, job: Job, *lines: str, log_level: str = "warning") -> Path:
        """Write a configuration with a mailbox for each user; ``lines`` go into each."""
        job.write("password", PASSWORD)
        text = f'[archive]\npath = "{job.work}/archive"\n[log]\nlevel = "{log_level}"\n'
        for user in job.mailboxes:
            text += "\n".join(
                [
                    "[[mailbox]]",
                    f'name = "{user}"',
                    'host = "127.0.0.1"',
                    f"port = {job.ports[user]}",
                    'security = "plain"',
                    f'username = "{user}"',
                    'password_file = "password"',
                    *lines,
                    "",
                ]
            )
        return job.write("collector.toml", text)

    def command(self, job: Job) -> Sequence[str]:
        """Collect once, as from a shell."""
        return [str(self.path), "--config", str(self.configuration(job)), "collect", "--json"]

    def stored(self, job: Job) -> int:
        """Count the entries of the ledger."""
        return len(self.digests(job))

    def digests(self, job: Job) -> list[str]:
        """Return the digest of every entry the ledger lists."""
        lines = self.ask(job, "list", "--json").splitlines()
        return [json.loads(line)["digest"].removeprefix("sha256:") for line in lines]

    def check(self, job: Job) -> None:
        """Raise ``RunError`` unless the digests are those of the pool and ``verify`` agrees."""
        self.ask(job, "verify", "--json")
        wanted = [digest for pool in job.mailboxes.values() for digest in pool.digests]
        if sorted(self.digests(job)) != sorted(wanted):
            raise RunError("the collector does not list exactly the messages there were")

    def ask(self, job: Job, *arguments: str) -> str:
        """Run a command on the archive of ``job``; return what it prints."""
        return output(self.path, "--config", job.work / "collector.toml", *arguments)


class BareC(Program):
    """The least that can be done, in C; ``stage`` is how far it goes.

    It empties one mailbox; for several there are as many processes.
    """

    def __init__(self, binary: Path, stage: str = "delete") -> None:
        self.binary, self.stage = binary, stage
        self.name = "bare C" if stage == "delete" else f"bare C, {stage}"
        self.version = output("cc", "--version").splitlines()[0]
        self.deletes = stage == "delete"

    def command(self, job: Job) -> Sequence[str]:
        """Run as far as the stage; wait for all."""
        commands = [[str(self.binary), *self.arguments(job, user)] for user in job.mailboxes]
        if len(commands) == 1:
            return commands[0]
        begun = "".join(f'{shlex.join(each)} & began="$began $!"; ' for each in commands)
        return ["/bin/sh", "-c", f"{begun}for each in $began; do wait $each || exit; done"]

    def arguments(self, job: Job, user: str) -> list[str]:
        """Return what the stage programs take."""
        return [str(job.ports[user]), user, PASSWORD, self.stage, str(job.work / user)]

    def stored(self, job: Job) -> int:
        """Believe what it printed, when the number of bytes is right too."""
        found = re.findall(r"^(\d+) messages (\d+) bytes", said(job.work), re.MULTILINE)
        raw_bytes = sum(int(each) for _, each in found)
        return sum(int(each) for each, _ in found) if raw_bytes == job.raw_bytes else 0


class BarePython(BareC):
    """The same in Python, over ``sockets`` or ``imapclient``."""

    def __init__(self, library: str, stage: str = "delete") -> None:
        self.library, self.stage = library, stage
        said_stage = "" if stage == "delete" else f", {stage}"
        self.name = f"bare Python, {library}{said_stage}"
        self.version = sys.version.split()[0]
        self.deletes = stage == "delete"

    def command(self, job: Job) -> Sequence[str]:
        """Run as far as the stage."""
        arguments = self.arguments(job, job.user)
        return [sys.executable, str(HERE / "limit_stages.py"), self.library, *arguments]


def output(*command: object) -> str:
    """Run a command as ourselves; return what it prints.

    Raises:
        RunError: it failed.
    """
    done = subprocess.run(
        [str(each) for each in command], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RunError(f"{command[0]}: exit {done.returncode}: {done.stderr[-1500:]}")
    return done.stdout


def compiled(name: str, work: Path, *libraries: str) -> Path:
    """Compile one of our C programs; return the binary.

    Raises:
        RunError: there is no compiler, or a library is missing.
    """
    binary = work / name
    source = HERE / f"{name}.c"
    if not binary.exists() or binary.stat().st_mtime < source.stat().st_mtime:
        output("cc", "-O2", "-o", binary, source, *libraries)
    return binary
