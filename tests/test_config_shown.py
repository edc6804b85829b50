"""Settings as they may be shown: every key, no secret, no address."""

from __future__ import annotations

from pathlib import Path

from collector.config import load, shown_settings

TEXT = """
[archive]
path = "archive"

[evidence]
key_command = ["/usr/lib/sign", "--pin", "4711"]
public_key = "log.example+00000000+AAAA"
anchor_urls = ["https://hook.example.net/T0KEN?key=geheim"]

[[mailbox]]
name = "journal"
host = "imap.example.net"
username = "journal@example.net"
password_command = ["pass", "show", "journal"]
poll_interval = "30s"

[canary]
enabled = true
[[canary.smtp]]
name = "ours"
host = "mail.example.net"
username = "bird"
password_command = ["/usr/bin/vault", "hidden-door"]
[[canary.path]]
name = "inside"
smtp = "ours"
from = "bird@example.net"
to = ["first@example.net"]
mailbox = "journal"
"""


def shown(tmp_path: Path, text: str = TEXT) -> dict[str, tuple[str, str]]:
    """Return (shown, mark) by key."""
    path = tmp_path / "collector.toml"
    path.write_text(text)
    return {key: (value, mark) for key, value, mark in shown_settings(load(path))}


def test_every_setting_is_there_and_no_secret(tmp_path: Path) -> None:
    """Hosts and paths help an auditor; pins, tokens and addresses are nobody's business."""
    told = shown(tmp_path)
    assert told["mailboxes[journal].host"][0] == "imap.example.net"
    assert told["mailboxes[journal].poll_interval_s"][0] == "30.0"
    assert told["evidence.anchor_urls"][0] == '["https://hook.example.net/<hidden>"]'
    assert told["evidence.key_command"][0] == '[".../sign", "<hidden>", "<hidden>"]'
    assert told["evidence.public_key"][0] == "log.example+00000000+AAAA"
    assert told["mailboxes[journal].username"][0] == "<hidden>"
    assert told["canary.smtp[ours].host"][0] == "mail.example.net"
    assert told["canary.smtp[ours].password_command"][0] == '[".../vault", "<hidden>"]'
    assert told["canary.path[inside].to"][0] == '["<hidden>"]'
    text = str(told)
    for secret in ("4711", "T0KEN", "geheim", "journal@", "show", "bird", "door", "first"):
        assert secret not in text
    assert told["digest"][0].startswith("sha256:")


def test_a_change_of_what_is_hidden_changes_the_mark(tmp_path: Path) -> None:
    """That it changed is told; what it was is not."""
    before, after = shown(tmp_path), shown(tmp_path, TEXT.replace("4711", "4712"))
    assert before["evidence.key_command"][0] == after["evidence.key_command"][0]
    assert {key for key in before if before[key] != after[key]} == {"evidence.key_command"}
