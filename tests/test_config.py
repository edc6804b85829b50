"""What a good configuration becomes, and where it is looked for."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from collector.config import MailboxSettings, Settings, find_config, load
from collector.config.mail import MailSettings
from collector.config.settings import SECRET_KEYS, SECTIONS, ConfigFile
from collector.domain.errors import ConfigError
from collector.domain.journal import JournalFormat, JournalProfile

EXAMPLE = Path(__file__).resolve().parent.parent / "collector.example.toml"
LEAST = """\
[archive]
path = "archive"

[[mailbox]]
name = "journal"
host = "imap.example.net"
username = "journal@example.net"
password_file = "imap-password"
"""
TABLE = r"\[+([\w.]+)\]+"
COMMENTED_KEY = re.compile(r"# (\w+) = (.+)")


def load_text(folder: Path, text: str) -> Settings:
    """Load a configuration with this text."""
    path = folder / "collector.toml"
    path.write_text(text, encoding="utf-8")
    return load(path)


def mailbox_with(folder: Path, *lines: str) -> MailboxSettings:
    """Load the least configuration with more lines in its mailbox; return the mailbox."""
    return load_text(folder, LEAST + "\n".join(lines)).mailboxes[0]


def test_five_lines_are_enough(tmp_path):
    """Everything but archive, name, host, user and password has a default."""
    settings = load_text(tmp_path, LEAST)
    (mailbox,) = settings.mailboxes
    assert settings.path == tmp_path / "collector.toml"
    assert settings.archive.path == tmp_path / "archive"
    assert (settings.log.level, settings.log.format) == ("info", "auto")
    assert (mailbox.security, mailbox.port, mailbox.ca_file) == ("tls", 993, None)
    assert (mailbox.folders, mailbox.backfill_folders) == (("INBOX",), ())
    assert (mailbox.poll_interval_s, mailbox.idle) == (30.0, True)
    assert (mailbox.delete, mailbox.keep_unrecognised, mailbox.exclusive) == (True, False, False)
    assert mailbox.format is JournalFormat.AUTO


@pytest.mark.parametrize(
    ("security", "host", "port"),
    [
        ("tls", "imap.example.net", 993),
        ("starttls", "imap.example.net", 143),
        ("plain", "127.0.0.1", 143),
        ("plain", "::1", 143),
        ("plain", "localhost", 143),
    ],
)
def test_the_port_follows_the_security(tmp_path, security, host, port):
    """Without a port the standard one is taken; plain works on loopback."""
    text = LEAST.replace("imap.example.net", host, 1) + f'security = "{security}"\n'
    assert load_text(tmp_path, text).mailboxes[0].port == port


@pytest.mark.parametrize(
    ("written", "expected_s"), [("30s", 30.0), ("1.5 min", 90.0), ("1m", 60.0), ("1500ms", 1.5)]
)
def test_a_time_has_a_unit(tmp_path, written, expected_s):
    """Times are written with their unit and become seconds."""
    mailbox = mailbox_with(tmp_path, f'poll_interval = "{written}"')
    assert mailbox.poll_interval_s == expected_s


@pytest.mark.parametrize(
    ("written", "expected"),
    [("64 MiB", 64 * 1024**2), ("64MB", 64_000_000), ("1.5 GiB", 3 * 1024**3 // 2)],
)
def test_a_size_has_a_unit(tmp_path, written, expected):
    """Sizes are written with their unit and become bytes."""
    mailbox = mailbox_with(tmp_path, f'message_size_max = "{written}"')
    assert mailbox.message_bytes_max == expected


def test_relative_paths_belong_to_the_folder_of_the_file(tmp_path, monkeypatch):
    """Where the program is started makes no difference to what a path means."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "collector.toml").write_text(f'{LEAST}ca_file = "ca.pem"\n')
    monkeypatch.chdir(tmp_path)
    settings = load(Path("etc/collector.toml"))
    assert settings.path == tmp_path / "etc" / "collector.toml"
    assert settings.archive.path == tmp_path / "etc" / "archive"
    assert settings.mailboxes[0].ca_file == tmp_path / "etc" / "ca.pem"


def test_the_same_user_on_other_servers_is_another_mailbox(tmp_path):
    """Equal folders on servers that differ in name or port are different folders."""
    second = LEAST.split("\n\n")[1].replace('"journal"', '"other"')
    text = f"{LEAST}{second}port = 1993\n"
    assert [each.port for each in load_text(tmp_path, text).mailboxes] == [993, 1993]


def test_the_digest_changes_with_what_is_in_effect(tmp_path):
    """Comments and written defaults leave the digest as it is, another value does not."""
    digest = load_text(tmp_path, LEAST).digest
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", digest)
    assert load_text(tmp_path, f"# hello\n{LEAST}idle = true\n").digest == digest
    assert load_text(tmp_path, f"{LEAST}idle = false\n").digest != digest


def test_the_digest_knows_no_secret(tmp_path):
    """The arguments of a password command may hold a secret and are not in the digest."""
    command = LEAST.replace('password_file = "imap-password"', 'password_command = ["p", "{}"]')
    digests = {load_text(tmp_path, command.format(word)).digest for word in ("one", "two")}
    assert len(digests) == 1


def test_the_example_loads_and_says_only_defaults():
    """The example file is a valid configuration with every default in effect."""
    settings = load(EXAMPLE)
    assert [each.name for each in settings.mailboxes] == ["journal"]


def commented_lines() -> list[tuple[str, str, str]]:
    """Return the optional keys of the example, each with its table and its line."""
    table, found = "", []
    for line in EXAMPLE.read_text(encoding="utf-8").splitlines():
        if match := re.fullmatch(TABLE, line):
            table = match[1]
        elif match := COMMENTED_KEY.fullmatch(line):
            found.append((table, match[1], line))
    return found


@pytest.mark.parametrize(("table", "key", "line"), commented_lines())
def test_every_optional_line_of_the_example_can_be_used(tmp_path, table, key, line):
    """Taking the # away from any one line gives a valid configuration."""
    text = EXAMPLE.read_text(encoding="utf-8").replace(line, line.removeprefix("# "))
    if table == "mailbox" and key in SECRET_KEYS:
        text = text.replace('\npassword_file = "imap-password"', "")
    assert load_text(tmp_path, text).mailboxes


def keys_of(model: type[BaseModel]) -> set[str]:
    """Return the names of a section's keys as they are written in the file."""
    return {field.alias or name for name, field in model.model_fields.items()}


def test_the_example_explains_every_key():
    """No key of the program is missing in the example."""
    text = EXAMPLE.read_text(encoding="utf-8")
    shown = set(re.findall(r"^(?:# +)?(\w+) = ", text, re.MULTILINE))
    tables = re.findall(r"^(?:# )?\[+([\w.]+)\]+$", text, re.MULTILINE)
    shown |= {name for table in tables for name in table.split(".")}
    assert shown == set().union(*(keys_of(each) for each in (ConfigFile, *SECTIONS.values())))


MAIL = '\n[evidence.mail]\nrecipients = ["auditor@example.org"]\n'


def mail_with(folder: Path, *lines: str) -> MailSettings:
    """Load a configuration that mails checkpoints; return its table."""
    return load_text(folder, LEAST + MAIL + "\n".join(lines)).evidence.mail


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ((), ("localhost", "plain", 25)),
        (('host = "127.0.0.1"',), ("127.0.0.1", "plain", 25)),
        (('host = "smtp.example.net"',), ("smtp.example.net", "tls", 465)),
        (('host = "smtp.example.net"', 'security = "starttls"'),
         ("smtp.example.net", "starttls", 587)),
        (('security = "tls"', "port = 1465"), ("localhost", "tls", 1465)),
    ],
)  # fmt: skip
def test_a_recipient_is_enough_for_mail(tmp_path, lines, expected):
    """Security and port follow the host."""
    mail = mail_with(tmp_path, *lines)
    assert (mail.host, mail.security, mail.port) == expected
    assert (mail.password, mail.interval_s) == (None, 86400.0)


def test_the_password_for_mail_comes_from_the_sources_of_a_mailbox(tmp_path, monkeypatch):
    """A file, the environment or a command."""
    (tmp_path / "smtp").touch(mode=0o600)
    (tmp_path / "smtp").write_text("secret\n")
    monkeypatch.setenv("SMTP_SECRET", "secret")
    for source in (
        'password_file = "smtp"', 'password_env = "SMTP_SECRET"',
        'password_command = ["echo", "secret"]',
    ):  # fmt: skip
        password = mail_with(tmp_path, 'username = "journal"', source).password
        assert password is not None
        assert password() == "secret"


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (
            ('host = "smtp.example.net"', 'security = "plain"'),
            r"plain is for loopback.*\[evidence.mail\]: security",
        ),
        (('sender = "nobody"',), r"this is not an address.*\[evidence.mail\]: sender"),
        (('username = "journal"',), r"the login is not complete: .*: username"),
        (('password_env = "X"',), r"the login is not complete: .*: username"),
        (('username = "j"', 'password_env = "X"', 'password_file = "y"'), r"not complete"),
        (('hots = "x"',), r"\[evidence.mail\]: hots.*did you mean host"),
        (('interval = "1s"',), r"out of bounds.*\[evidence.mail\]: interval"),
    ],
)
def test_a_wrong_table_of_mail_is_refused(tmp_path, lines, told):
    """One line says what is wrong, and where."""
    with pytest.raises(ConfigError, match=told):
        mail_with(tmp_path, *lines)


def oauth_tables() -> list[str]:
    """Return every ``[mailbox.oauth]`` of the example, without its # signs."""
    text = EXAMPLE.read_text(encoding="utf-8")
    found = re.findall(r"^# \[mailbox\.oauth\]\n(?:#   .*\n)+", text, re.MULTILINE)
    return [re.sub(r"^# +", "", table, flags=re.MULTILINE) for table in found]


@pytest.mark.parametrize("table", oauth_tables())
def test_every_way_to_get_tokens_in_the_example_can_be_used(tmp_path, table):
    """Each table is whole: nothing is missing in it, and nothing too much."""
    text = LEAST.replace('password_file = "imap-password"\n', table)
    (mailbox,) = load_text(tmp_path, text).mailboxes
    assert mailbox.takes_tokens
    assert mailbox.oauth is not None
    assert len(oauth_tables()) == 5


def test_what_is_set_is_told_from_what_is_not(tmp_path):
    """Presets fill in what is not set; what is set to ``false`` stays so."""
    mailbox = mailbox_with(tmp_path)
    assert (mailbox.provider, mailbox.size_is_hint, mailbox.deleted_folder) == ("auto", None, None)
    mailbox = mailbox_with(tmp_path, "size_is_hint = false", 'daily_size_max = "2250 MB"')
    assert (mailbox.size_is_hint, mailbox.daily_bytes_max) == (False, 2_250_000_000)


def test_the_digest_knows_no_token_command(tmp_path):
    """Its arguments may hold a secret."""
    command = LEAST.replace('password_file = "imap-password"', 'token_command = ["p", "{}"]')
    digests = {load_text(tmp_path, command.format(word)).digest for word in ("one", "two")}
    assert len(digests) == 1


@pytest.mark.parametrize("journal_format", JournalFormat)
def test_the_example_explains_every_format(journal_format):
    """Every value that ``format`` can have is explained."""
    assert f"{journal_format.value}: " in EXAMPLE.read_text(encoding="utf-8")


def test_the_search_goes_from_near_to_far(tmp_path, monkeypatch):
    """--config, then $COLLECTOR_CONFIG, then the present folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLLECTOR_CONFIG", raising=False)
    (tmp_path / "collector.toml").write_text(LEAST)
    assert find_config(None) == Path("collector.toml")
    monkeypatch.setenv("COLLECTOR_CONFIG", "/elsewhere.toml")
    assert find_config(None) == Path("/elsewhere.toml")
    assert find_config(Path("named.toml")) == Path("named.toml")


def test_no_configuration_is_said_with_what_to_do(tmp_path, monkeypatch):
    """Without any file the error names the places and the way out."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLLECTOR_CONFIG", raising=False)
    monkeypatch.setattr("collector.config.file.PLACES", (Path("a.toml"), tmp_path / "b.toml"))
    with pytest.raises(ConfigError, match=r"no configuration: a\.toml or .*b\.toml .*--config"):
        find_config(None)


def test_what_is_believed_reaches_the_reader(tmp_path):
    """The keys about envelopes become the profile under which messages are read."""
    keys = (
        'server = "exim"\nrecipient_headers = ["X-To"]\naddresses = ["j@example.net"]\n'
        'plus_addressing = true\nown_received_count = 2\nalternate = true\ntenants = ["t"]\n'
        'authserv_id = "mx"\nreport_senders = ["r"]\n'
    )
    mailbox = mailbox_with(tmp_path, keys)
    assert mailbox.profile_for(mailbox.username) == JournalProfile(
        server="exim",
        recipient_headers=("X-To",),
        addresses=("j@example.net",),
        plus_addressing=True,
        own_received_count=2,
        alternate=True,
        tenants=("t",),
        authserv_id="mx",
        report_senders=("r",),
    )


def test_the_mailbox_s_own_address_is_its_username(tmp_path):
    """Without ``addresses`` the username counts, when it is an address."""
    mailbox = mailbox_with(tmp_path)
    assert mailbox.profile_for("journal@example.net").addresses == ("journal@example.net",)
    assert mailbox.profile_for("journal").addresses == ()


def test_a_server_without_a_preset_is_refused(tmp_path):
    """The known names are told."""
    with pytest.raises(ConfigError, match="known are postfix"):
        mailbox_with(tmp_path, 'server = "postifx"')
