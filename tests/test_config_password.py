"""Where a password comes from, and that nothing shows it."""

from __future__ import annotations

import stat
import sys
from pathlib import Path

import pytest

from collector.config import MailboxSettings, load
from collector.config.password import PASSWORD_BYTES_MAX
from collector.domain.errors import ConfigError, CycleError

SECRET = "tr0ub4dor&3 ä"
CONFIG = """\
[archive]
path = "archive"

[[mailbox]]
name = "journal"
host = "imap.example.net"
username = "u"
"""


def mailbox(folder: Path, line: str) -> MailboxSettings:
    """Return the mailbox of a configuration with this password line."""
    path = folder / "collector.toml"
    path.write_text(f"{CONFIG}{line}\n", encoding="utf-8")
    return load(path).mailboxes[0]


def secret_file(folder: Path, raw: bytes, mode: int = 0o600) -> Path:
    """Write a password file into ``folder``."""
    path = folder / "imap-password"
    path.write_bytes(raw)
    path.chmod(mode)
    return path


@pytest.fixture(autouse=True)
def _no_credentials(monkeypatch):
    """Begin without systemd's credentials."""
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)


@pytest.mark.parametrize("ending", [b"", b"\n", b"\r\n"])
def test_a_file_beside_the_configuration(tmp_path, ending):
    """One line end is not part of the password; everything else is."""
    secret_file(tmp_path, SECRET.encode() + ending)
    assert mailbox(tmp_path, 'password_file = "imap-password"').password() == SECRET


def test_a_credential_comes_first(tmp_path, monkeypatch):
    """A credential of systemd is taken before a file of that name beside the configuration."""
    secret_file(tmp_path, b"old")
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    secret_file(credentials, SECRET.encode(), mode=0o444)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))
    assert mailbox(tmp_path, 'password_file = "imap-password"').password() == SECRET


def test_without_that_credential_the_file_is_taken(tmp_path, monkeypatch):
    """A directory of other credentials changes nothing."""
    secret_file(tmp_path, SECRET.encode())
    (tmp_path / "credentials").mkdir()
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "credentials"))
    assert mailbox(tmp_path, 'password_file = "imap-password"').password() == SECRET


def test_an_absolute_name_is_not_a_credential(tmp_path, monkeypatch):
    """An absolute name means that file, whatever systemd offers."""
    path = secret_file(tmp_path, SECRET.encode())
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "elsewhere"))
    assert mailbox(tmp_path, f'password_file = "{path}"').password() == SECRET


def test_an_environment_variable(tmp_path, monkeypatch):
    """A variable is read when it is asked for."""
    password = mailbox(tmp_path, 'password_env = "JOURNAL_SECRET"').password
    monkeypatch.setenv("JOURNAL_SECRET", SECRET)
    assert password() == SECRET


def test_a_command(tmp_path):
    """The program's output is the password; its arguments go through no shell."""
    program = "import sys; sys.stdout.buffer.write(sys.argv[1].encode())"
    line = f"password_command = ['{sys.executable}', '-c', '{program}', '{SECRET}; exit 1']"
    assert mailbox(tmp_path, line).password() == f"{SECRET}; exit 1"


def test_a_password_is_read_afresh(tmp_path):
    """A changed password is used for the next login, without a restart."""
    password = mailbox(tmp_path, 'password_file = "imap-password"').password
    secret_file(tmp_path, b"old")
    assert password() == "old"
    secret_file(tmp_path, b"new")
    assert password() == "new"


@pytest.mark.parametrize(
    "line",
    [
        'password_file = "imap-password"',
        'password_env = "JOURNAL_SECRET"',
        f'password_command = ["echo", "{SECRET}"]',
    ],
)
def test_no_repr_shows_a_secret(tmp_path, monkeypatch, line):
    """Neither before nor after reading does the object that tells the password show it."""
    secret_file(tmp_path, SECRET.encode())
    monkeypatch.setenv("JOURNAL_SECRET", SECRET)
    password = mailbox(tmp_path, line).password
    assert password() == SECRET
    assert SECRET not in repr(password)
    assert SECRET not in str(password)


@pytest.mark.parametrize("mode", [0o644, 0o602, 0o604])
def test_a_file_open_to_everybody_is_refused(tmp_path, mode):
    """A password that every user may read or write is not used; the error says how to close it."""
    path = secret_file(tmp_path, SECRET.encode(), mode)
    assert stat.S_IMODE(path.stat().st_mode) == mode
    with pytest.raises(ConfigError, match=f"open to every user.*chmod 0600 {path}"):
        mailbox(tmp_path, 'password_file = "imap-password"').password()


@pytest.mark.parametrize(
    "raw", [b"", b"\n", b"two\nlines\n", b"nul\0", b"\xff\xfe", b"x" * (PASSWORD_BYTES_MAX + 1)]
)
def test_what_is_no_password_is_refused(tmp_path, raw):
    """An empty, binary, long or many-line file is refused, and nothing of it is shown."""
    secret_file(tmp_path, raw)
    with pytest.raises(ConfigError) as caught:
        mailbox(tmp_path, 'password_file = "imap-password"').password()
    assert "one line of UTF-8 text" in str(caught.value)
    assert "lines\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("line", "kind", "expected"),
    [
        ('password_file = "nowhere"', ConfigError, "No such file"),
        ('password_env = "NOWHERE_TO_BE_FOUND"', ConfigError, "is not set: NOWHERE_TO_BE_FOUND"),
        (f'password_command = ["/nowhere", "{SECRET}"]', ConfigError, "cannot be started"),
        (f'password_command = ["false", "{SECRET}"]', CycleError, "failed with exit code 1: false"),
        (f'password_command = ["true", "{SECRET}"]', ConfigError, "holds no password"),
    ],
)
def test_a_password_that_cannot_be_had(tmp_path, line, kind, expected):
    """What is wrong is said; what may work later is for the next cycle, not the end."""
    with pytest.raises(kind, match=expected) as caught:
        mailbox(tmp_path, line).password()
    assert SECRET not in str(caught.value)


def test_a_command_has_a_time_limit(tmp_path, monkeypatch):
    """A program that never ends holds up one cycle for a bounded time only."""
    monkeypatch.setattr("collector.config.password.COMMAND_TIMEOUT_S", 0.2)
    with pytest.raises(CycleError, match="did not end within"):
        mailbox(tmp_path, 'password_command = ["sleep", "60"]').password()
