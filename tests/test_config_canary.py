"""The ``[canary]`` section: what it becomes, and what it is refused for."""

from __future__ import annotations

import pytest
from test_config import LEAST, load_text

from collector.domain.canary import CanaryGrade
from collector.domain.errors import ConfigError

CANARY = """
[canary]
enabled = true

[[canary.smtp]]
name = "ours"
host = "mail.example.net"
username = "u"
password_file = "p"

[[canary.path]]
name = "inside"
smtp = "ours"
from = "canary@example.net"
to = ["first@example.net"]
mailbox = "journal"
"""


def test_a_path_and_a_server_are_enough(tmp_path):
    """Everything else has a default; the password is read from beside the file."""
    canary = load_text(tmp_path, LEAST + CANARY).canary
    (path,) = canary.paths
    relay = canary.relay_of(path.name)
    (tmp_path / "p").touch(mode=0o600)
    (tmp_path / "p").write_text("sesame\n")
    assert (path.name, path.mailbox, path.expected) == ("inside", "journal", CanaryGrade.COMPLETE)
    assert (path.interval_s, path.late_after_s, path.lost_after_s) == (21600.0, 900.0, 14400.0)
    assert (relay.security, relay.port, relay.password()) == ("starttls", 587, "sesame")


def test_nothing_is_sent_before_it_is_enabled(tmp_path):
    """Paths may be wrong until then."""
    text = CANARY.replace("enabled = true", "").replace('mailbox = "journal"', 'mailbox = "later"')
    assert load_text(tmp_path, LEAST + text).canary.paths == ()
    assert load_text(tmp_path, LEAST).canary.paths == ()


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("to =", "too =", r"unknown key: .*\[\[canary.path\]\] number 1: too \(did you mean to"),
        ("host =", "hots =", r"unknown key: .*\[\[canary.smtp\]\] number 1: hots"),
        ("enabled", "enable", r"unknown key: .*\[canary\]: enable \(did you mean enabled"),
        ('smtp = "ours"', 'smtp = "theirs"', r"names no \[\[canary.smtp\]\].*known: ours"),
        ('mailbox = "journal"', 'mailbox = "j"', "not configured.*known: journal"),
        ('"first@example.net"', '"First <first@example.net>"', "not a mail address.*: to"),
        ('"canary@example.net"', '"canary"', "not a mail address.*: from"),
        ('to = ["first@example.net"]', "", "nobody is written to"),
        ('password_file = "p"', "", "username and password do not fit"),
        ('username = "u"', "", "username and password do not fit"),
        ("host =", 'security = "plain"\nhost =', "sent in the clear"),
        ("enabled = true", 'enabled = true\nlost_after = "5min"', "lost before it is late"),
        ("enabled = true", 'enabled = true\ninterval = "1s"', "out of bounds"),
        ("mailbox =", 'expect = "copy-missing"\nmailbox =', "shows nothing"),
        (CANARY, "[canary]\nenabled = true\n", r"there is no \[\[canary.path\]\]"),
        (CANARY, f"{CANARY}{CANARY.partition('[[canary.path]]')[2]}", "not TOML"),
        (
            CANARY,
            f"{CANARY}\n[[canary.path]]{CANARY.partition('[[canary.path]]')[2]}",
            "two paths have the same name",
        ),
    ],
)
def test_a_mistake_is_named_with_its_remedy(tmp_path, old, new, expected):
    """One line says what, where, and what to do; no address is repeated in it."""
    assert old in CANARY
    with pytest.raises(ConfigError, match=expected) as caught:
        load_text(tmp_path, LEAST + CANARY.replace(old, new))
    assert "first@" not in str(caught.value)


def test_a_server_without_a_login_may_be_reached_in_the_clear(tmp_path):
    """An internal relay that takes mail from this machine."""
    text = CANARY.replace('username = "u"\npassword_file = "p"', 'security = "plain"')
    relay = load_text(tmp_path, LEAST + text).canary.relay_of("inside")
    assert (relay.port, relay.password) == (25, None)
