"""What a configuration is refused for: one line that says what, where, and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from collector.config import load
from collector.domain.errors import ConfigError
from collector.domain.journal import JournalFormat

SECRET = "correct-horse-battery"
GOOD = """\
[archive]
path = "archive"

[[mailbox]]
name = "journal"
host = "imap.example.net"
username = "u"
password_file = "p"
"""
SECOND = """\
[[mailbox]]
name = "other"
host = "IMAP.example.net"
port = 143
security = "starttls"
username = "u"
password_file = "p"
folders = ["inbox"]
"""
*FIRST, LAST = (f"'{each.value}'" for each in JournalFormat)
FORMATS = f"{', '.join(FIRST)} or {LAST}"
ARCHIVE = "[archive]"
JOURNAL = "[[mailbox]] journal"
OAUTH = f"{JOURNAL}: [mailbox.oauth]"
MICROSOFT = 'provider = "microsoft"\nclient_id = "c"\n'
EXAMPLE = "see collector.example.toml"
ONE_PASSWORD = (
    "give exactly one of password_file, password_env, password_command, token_command, "
    "or [mailbox.oauth]"
)
MISTAKES = [
    # what stands in the file, what is written instead, what is said: what, where, what to do
    ("username", "usernam", "unknown key", f"{JOURNAL}: usernam", "did you mean username?"),
    ("[archive]", "[archiv]", "unknown key", "archiv", "did you mean archive?"),
    ("path =", "zzz = 1\npath =", "unknown key", f"{ARCHIVE}: zzz", "known are path"),
    (
        "host =",
        'poll_intervall = "30s"\nhost =',
        "unknown key",
        f"{JOURNAL}: poll_intervall",
        "did you mean poll_interval?",
    ),
    (
        "password_file",
        "password",
        "unknown key",
        f"{JOURNAL}: password",
        f"a password does not belong in this file; {ONE_PASSWORD}",
    ),
    ('username = "u"', "", "this key is missing", f"{JOURNAL}: username", EXAMPLE),
    ('name = "journal"', "", "this key is missing", "[[mailbox]] number 1: name", EXAMPLE),
    ('path = "archive"', "", "this key is missing", f"{ARCHIVE}: path", EXAMPLE),
    ('password_file = "p"', "", "the password is missing", JOURNAL, ONE_PASSWORD),
    ("host =", 'password_env = "A"\nhost =', "more than one password", JOURNAL, ONE_PASSWORD),
    (
        "[[mailbox]]",
        "[mailbox]",
        "this is not a list of tables",
        "mailbox",
        "write [[mailbox]], with two brackets",
    ),
    (
        "host =",
        'security = "ssl"\nhost =',
        "unknown value",
        f"{JOURNAL}: security",
        "possible are 'tls', 'starttls' or 'plain'",
    ),
    (
        "host =",
        'security = "plain"\nhost =',
        "plain is for loopback hosts only",
        f"{JOURNAL}: security",
        'use "tls" or "starttls"',
    ),
    (
        "imap.example",
        "imaps://imap.example",
        "this is not a host",
        f"{JOURNAL}: host",
        "the name or address alone; the port has a key",
    ),
    ("host =", 'port = "9"\nhost =', "this must be a valid integer", f"{JOURNAL}: port", EXAMPLE),
    (
        "host =",
        "port = 70000\nhost =",
        "this must be less than or equal to 65535",
        f"{JOURNAL}: port",
        EXAMPLE,
    ),
    ("host =", 'idle = "y"\nhost =', "this must be a valid boolean", f"{JOURNAL}: idle", EXAMPLE),
    (
        "host =",
        "poll_interval = 30\nhost =",
        "this is not a time",
        f"{JOURNAL}: poll_interval",
        'write a number and a unit (ms, s, min, h, d): "30s"',
    ),
    (
        "host =",
        'poll_interval = "2h"\nhost =',
        "this is out of bounds",
        f"{JOURNAL}: poll_interval",
        "possible is 1s to 1h",
    ),
    (
        "host =",
        'message_size_max = "9 kB"\nhost =',
        "this is out of bounds",
        f"{JOURNAL}: message_size_max",
        "possible is 1 MiB to below 8 GiB",
    ),
    (
        "host =",
        'message_size_max = "9 mib"\nhost =',
        "this is not a size",
        f"{JOURNAL}: message_size_max",
        'write a number and a unit (kB, MB, GB, KiB, MiB, GiB): "64 MiB"',
    ),
    (
        "host =",
        'format = "lotus"\nhost =',
        "unknown value",
        f"{JOURNAL}: format",
        f"possible are {FORMATS}",
    ),
    (
        "host =",
        'provider = "gmial"\nhost =',
        "this provider has no preset",
        f"{JOURNAL}: provider",
        "known are auto, gmail, exchange, dovecot, cyrus, courier, generic",
    ),
    (
        "host =",
        'daily_size_max = "1 kB"\nhost =',
        "this is out of bounds",
        f"{JOURNAL}: daily_size_max",
        "possible is 1 MiB to 1024 GiB",
    ),
    (
        "host =",
        "folders = []\nhost =",
        "there is no folder",
        f"{JOURNAL}: folders",
        "name at least one",
    ),
    (
        "host =",
        'folders = ["A", "A"]\nhost =',
        "this list names something twice",
        f"{JOURNAL}: folders",
        "name each once",
    ),
    (
        "host =",
        'folders = ["A", "B\\n"]\nhost =',
        "this is empty or has unprintable characters",
        f"{JOURNAL}: folders, number 2",
        "write it on one line",
    ),
    (
        "host =",
        'deleted_folder = "INBOX"\nhost =',
        "this folder is collected too",
        f"{JOURNAL}: deleted_folder",
        "what is moved there would be collected again; name another folder",
    ),
    (
        '"journal"',
        '"a:b"',
        "this name cannot be used",
        "[[mailbox]] a:b: name",
        "letters, digits, dot, dash, underscore",
    ),
    *(
        ('password_file = "p"', f"[mailbox.oauth]\n{lines}", what, f"{OAUTH}{where}", hint)
        for lines, what, where, hint in (
            (
                'provider = "x"',
                "unknown value",
                ": provider",
                "possible are 'microsoft' or 'google'",
            ),
            (
                f'{MICROSOFT}tenent = "t"',
                "unknown key",
                ": tenent",
                "did you mean tenant?",
            ),
            (
                MICROSOFT,
                "how tokens are got is not clear",
                "",
                "give exactly one of client_secret_file, certificate_file, device_code",
            ),
            (
                f'{MICROSOFT}device_code = true\ncertificate_file = "c"',
                "how tokens are got is not clear",
                "",
                "give exactly one of client_secret_file, certificate_file, device_code",
            ),
            (
                f"{MICROSOFT}device_code = true",
                "this key is missing",
                ": tenant",
                "device_code needs it",
            ),
            (
                'provider = "google"\nrefresh_token_file = "r"\nclient_id = "c"',
                "this key is missing",
                ": client_secret_file",
                "refresh_token_file needs it",
            ),
            (
                'provider = "google"\nservice_account_file = "s"\ntenant = "t"',
                "this is not for google",
                ": tenant",
                "take the line out",
            ),
            (
                f'{MICROSOFT}authority = "http://login.example"',
                "this is not an address for secrets",
                ": authority",
                "write https://host or below it",
            ),
        )
    ),
    (
        "[archive]",
        '[log]\nlevel = "loud"\n[archive]',
        "unknown value",
        "[log]: level",
        "possible are 'debug', 'info', 'warning' or 'error'",
    ),
]


def refusal(folder: Path, text: str) -> str:
    """Return the error of a configuration with this text."""
    path = folder / "collector.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load(path)
    return str(caught.value).replace(str(path), "FILE")


@pytest.mark.parametrize(("old", "new", "what", "where", "hint"), MISTAKES)
def test_a_mistake_is_named_with_its_place_and_its_remedy(tmp_path, *, old, new, what, where, hint):
    """Every mistake gives one line: what, file and key, and what to write instead."""
    assert f"{what}: FILE: {where} ({hint})" == refusal(tmp_path, GOOD.replace(old, new, 1))


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        (SECOND.replace("other", "journal"), "two mailboxes are called journal"),
        (SECOND, "the mailboxes journal and other share a folder"),
    ],
)
def test_two_mailboxes_do_not_collide(tmp_path, second, expected):
    """Equal names are refused, and so are two mailboxes on one folder of one server."""
    assert refusal(tmp_path, GOOD + second).startswith(f"{expected}: FILE: [[mailbox]]")


@pytest.mark.parametrize("key", ["password", "host", "security", "port", "poll_interval", "format"])
def test_a_refused_value_is_not_shown(tmp_path, key):
    """A secret that was written into the wrong key does not appear in the error."""
    lines = [line for line in GOOD.splitlines() if not line.startswith(f"{key} =")]
    text = "\n".join([*lines, f'{key} = "{SECRET} {SECRET}"'])
    assert SECRET not in refusal(tmp_path, text)


def test_a_missing_file_is_named(tmp_path):
    """A configuration that is not there is an error with its path."""
    with pytest.raises(ConfigError, match=r"cannot be read: No such file.*: .*/nowhere\.toml "):
        load(tmp_path / "nowhere.toml")


def test_a_file_that_others_may_change_is_refused(tmp_path):
    """Whoever may write the configuration decides where mail goes and which program runs."""
    path = tmp_path / "collector.toml"
    path.write_text(GOOD)
    path.chmod(0o666)
    with pytest.raises(ConfigError, match=r"may change the configuration: .*chmod o-w"):
        load(path)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [(b"# \xe4", "is not UTF-8"), (b"#" * 2_000_000, "too large"), (b"[archive", "is not TOML")],
)
def test_what_is_no_text_is_refused(tmp_path, raw, expected):
    """Bytes that are no configuration end in a clear line, not in a traceback."""
    path = tmp_path / "collector.toml"
    path.write_bytes(raw)
    with pytest.raises(ConfigError, match=expected):
        load(path)
