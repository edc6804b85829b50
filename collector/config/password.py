"""Where a secret comes from: a file, the environment, or a command.

Rule: it is read afresh at every call and never kept; no ``repr`` and no error text
shows it, nor the command that tells it.

A relative file name is looked up in ``$CREDENTIALS_DIRECTORY`` first (systemd.exec(5),
LoadCredential=), then beside the configuration file.
"""

from __future__ import annotations

import os
import stat
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from collector.domain.errors import ConfigError, CycleError

PASSWORD_BYTES_MAX = 16 * 1024
"""Long enough for any token, short enough to notice a wrong file."""
SECRET_BYTES_MAX = 256 * 1024
"""A certificate with its chain and key, or the key of a service account."""
COMMAND_TIMEOUT_S = 30.0
OTHERS = stat.S_IRWXO


@dataclass(frozen=True, slots=True)
class SecretFile:
    """A file that nobody else may read: a key, a certificate with its key.

    Attributes:
        directory: where the configuration file lies.
        what: what it holds, in words.
    """

    name: Path = field(repr=False)
    directory: Path = field(repr=False)
    what: str = "password"

    def __call__(self) -> bytes:
        """Return what it holds.

        Raises:
            ConfigError: the file is missing, open to others, or too long.
        """
        path, guarded = self.place()
        try:
            with path.open("rb") as file:
                mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
                raw = file.read(SECRET_BYTES_MAX + 1)
        except OSError as error:
            raise ConfigError(
                f"the {self.what} file cannot be read: {error.strerror}",
                subject=str(path),
                hint=f"write the {self.what} into it, readable for the collector's user only",
            ) from error
        if mode & OTHERS and not guarded:
            raise ConfigError(
                f"the {self.what} file is open to every user of this machine",
                subject=str(path),
                hint=f"chmod 0600 {path}",
            )
        if len(raw) > SECRET_BYTES_MAX:
            what = f"this is too long for a {self.what}"
            raise ConfigError(what, subject=f"file {path}", hint="is it the right file?")
        return raw

    def place(self) -> tuple[Path, bool]:
        """Return the path, and whether systemd guards it."""
        credentials = os.environ.get("CREDENTIALS_DIRECTORY", "")
        if credentials and not self.name.is_absolute():
            credential = Path(credentials) / self.name
            if credential.is_file():
                return credential, True
        return self.directory / self.name, False


@dataclass(frozen=True, slots=True)
class PasswordFile:
    """A file that holds nothing but the password, or another secret of one line."""

    file: SecretFile

    def __call__(self) -> str:
        """Return the password.

        Raises:
            ConfigError: the file is missing, open to others, or holds no password.
        """
        path, _ = self.file.place()
        return _password(self.file(), f"file {path}", self.file.what)


@dataclass(frozen=True, slots=True)
class PasswordVariable:
    """An environment variable."""

    name: str = field(repr=False)
    what: str = "password"

    def __call__(self) -> str:
        """Return the password.

        Raises:
            ConfigError: the variable is not set, or holds no password.
        """
        value = os.environ.get(self.name)
        if value is None:
            raise ConfigError(
                f"the environment variable with the {self.what} is not set",
                subject=self.name,
                hint=f"set it where the collector is started, or use {self.what.lower()}_file",
            )
        return _password(os.fsencode(value), f"environment variable {self.name}", self.what)


@dataclass(frozen=True, slots=True)
class PasswordCommand:
    """A program that writes a secret to its standard output; no shell is involved.

    Attributes:
        what: what it tells, in words.
    """

    arguments: tuple[str, ...] = field(repr=False)
    what: str = "password"

    def __call__(self) -> str:
        """Return the password.

        Raises:
            ConfigError: the program cannot be started, or told no password.
            CycleError: it failed or took too long; it may work later.
        """
        program = self.arguments[0]
        try:
            done = subprocess.run(
                self.arguments,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                timeout=COMMAND_TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            what = f"the {self.what} command did not end within {COMMAND_TIMEOUT_S:.0f} s"
            raise CycleError(what, subject=program, hint="run it by hand and see why") from None
        except OSError as error:
            what = f"the {self.what} command cannot be started: {error.strerror}"
            raise ConfigError(what, subject=program, hint="is it installed?") from None
        if done.returncode != 0:
            what = f"the {self.what} command failed with exit code {done.returncode}"
            raise CycleError(what, subject=program, hint="run it by hand and see why")
        return _password(done.stdout, f"command {program}", self.what)


Password = PasswordFile | PasswordVariable | PasswordCommand


def password_of(
    file: SecretFile | None, variable: str | None, command: tuple[str, ...] | None
) -> Password | None:
    """Return what tells the password, by the key that is set; ``None`` when none is."""
    if file is not None:
        return PasswordFile(file)
    if variable is not None:
        return PasswordVariable(variable)
    return PasswordCommand(command) if command else None


def _password(raw: bytes, source: str, what: str = "password") -> str:
    """Return the one line in ``raw``."""
    hint = "it must be one line of UTF-8 text, and nothing else"
    if len(raw) > PASSWORD_BYTES_MAX:
        raise ConfigError(f"this is too long for a {what}", subject=source, hint=hint)
    try:
        text = raw.decode("utf-8").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        text = ""
    if not text or any(control in text for control in "\0\r\n"):
        raise ConfigError(f"this holds no {what}", subject=source, hint=hint)
    return text
