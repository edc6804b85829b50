"""The collector as a person runs it: a process, a configuration file, an exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RUN_S_MAX = 120


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended."""

    code: int
    out: bytes
    err: str

    @property
    def text(self) -> str:
        """What it printed."""
        return self.out.decode()

    def json(self) -> Any:
        """The one JSON document it printed."""
        return json.loads(self.out)

    def lines(self) -> list[Any]:
        """The JSON documents it printed, one a line."""
        return [json.loads(line) for line in self.out.splitlines()]


@dataclass(frozen=True, slots=True)
class Running:
    """A command that was started."""

    process: subprocess.Popen[bytes]
    out: Path
    err: Path

    def end(self, number: int | None = None) -> Ran:
        """Send a signal, if one is given; wait for the end and return how it came."""
        if number is not None:
            self.process.send_signal(number)
        code = self.process.wait(RUN_S_MAX)
        return Ran(code, self.out.read_bytes(), self.err.read_text(errors="replace"))


@dataclass(frozen=True, slots=True)
class Collector:
    """The program with a configuration of its own.

    Attributes:
        home: holds ``collector.toml``; the archive is ``home/archive``.
    """

    home: Path

    @property
    def archive(self) -> Path:
        """The archive it writes."""
        return self.home / "archive"

    def configure(self, *mailboxes: str, log: str = 'level = "debug"', archive: str = "") -> None:
        """Write the configuration."""
        text = f'[archive]\npath = "{archive or self.archive}"\n\n[log]\n{log}\n\n'
        text += "\n".join(f"[[mailbox]]\n{each}\n" for each in mailboxes)
        (self.home / "collector.toml").write_text(text, encoding="utf-8")

    def mailbox(self, user, **changed: object) -> str:
        """Return the table of a mailbox of a throwaway server."""
        password = self.home / "imap-password"
        password.touch(mode=0o600)
        password.write_text(user.password, encoding="utf-8")
        keys: dict[str, object] = {
            "name": "journal",
            "host": user.host,
            "port": user.port,
            "ca_file": str(user.ca),
            "username": user.name,
            "password_file": "imap-password",
        }
        keys.update(changed)
        if not any(key.startswith("password") and key != "password_file" for key in changed):
            return _toml(keys)
        return _toml({key: value for key, value in keys.items() if key != "password_file"})

    def run(self, *arguments: str, **environment: str) -> Ran:
        """Run ``collector ARGUMENTS`` to its end."""
        done = subprocess.run(
            self.command(*arguments),
            capture_output=True,
            env={**os.environ, **environment},
            cwd=self.home,
            timeout=RUN_S_MAX,
            check=False,
        )
        return Ran(done.returncode, done.stdout, done.stderr.decode(errors="replace"))

    def start(self, *arguments: str, **environment: str) -> Running:
        """Start ``collector ARGUMENTS``; the caller ends it."""
        out, err = self.home / "out", self.home / "err"  # files: a full pipe would stop it
        with out.open("wb") as out_file, err.open("wb") as err_file:
            process = subprocess.Popen(
                self.command(*arguments),
                stdout=out_file,
                stderr=err_file,
                env={**os.environ, **environment},
                cwd=self.home,
            )
        return Running(process, out, err)

    def command(self, *arguments: str) -> list[str]:
        """Return the command line."""
        config = ["--config", str(self.home / "collector.toml")]
        return [sys.executable, "-m", "collector", *config, *arguments]


def _toml(keys: dict[str, object]) -> str:
    return "\n".join(f"{name} = {json.dumps(value)}" for name, value in keys.items())
