"""Checkpoints that were mailed and kept: what a mail program saved is compared as it is."""

from __future__ import annotations

import mailbox
from collections.abc import Callable
from email.message import EmailMessage
from pathlib import Path

import pytest
from evidence_samples import NOW, checkpoint_of
from hypothesis import given
from hypothesis import strategies as st
from smtp_server import SmtpServer

from collector.evidence.anchors import MailAnchor
from collector.evidence.comparison import read_anchors, split_notes
from collector.evidence.mailed import MAIL_BYTES_MAX, notes_in, split_mbox

NOTES = [checkpoint_of([b"leaf %d" % n for n in range(size)]) for size in (1, 2, 3)]
RAWS = [each.raw for each in NOTES]


@pytest.fixture
def mails(smtp: SmtpServer) -> list[bytes]:
    """Return three mailed checkpoints as a server got them."""
    anchor = MailAnchor("127.0.0.1", smtp.port, "a@example.org", ("b@example.net",), "plain")
    for each in NOTES:
        anchor.publish(each, NOW)
    return [each.raw for each in smtp.delivered]


def as_files(folder: Path, mails: list[bytes]) -> Path:
    """Save each as a file of its own."""
    for number, raw in enumerate(mails):
        (folder / f"{number}.eml").write_bytes(raw)
    return folder


def as_unix_files(folder: Path, mails: list[bytes]) -> Path:
    """The same with the line ends of this system."""
    return as_files(folder, [raw.replace(b"\r\n", b"\n") for raw in mails])


def as_maildir(folder: Path, mails: list[bytes]) -> Path:
    """Deliver into a Maildir."""
    box = mailbox.Maildir(folder / "Maildir")
    for raw in mails:
        box.add(raw)
    return folder


def as_mbox(folder: Path, mails: list[bytes]) -> Path:
    """Append to an mbox."""
    box = mailbox.mbox(folder / "saved.mbox")
    for raw in mails:
        box.add(raw)
    box.close()
    return folder / "saved.mbox"


def as_forwarded(folder: Path, mails: list[bytes]) -> Path:
    """Forward all of them, attached to one mail."""
    from email import message_from_bytes

    message = EmailMessage()
    message["Subject"] = "for your records"
    message.set_content("see below")
    for raw in mails:
        message.add_attachment(message_from_bytes(raw, policy=message.policy))
    (folder / "forwarded.eml").write_bytes(message.as_bytes())
    return folder / "forwarded.eml"


WAYS = [as_files, as_unix_files, as_maildir, as_mbox, as_forwarded]


@pytest.mark.parametrize("save", WAYS)
def test_mail_is_read_however_it_was_saved(
    save: Callable[[Path, list[bytes]], Path], mails: list[bytes], tmp_path: Path
) -> None:
    """Each note once, byte for byte."""
    assert sorted(read_anchors(save(tmp_path, mails)), key=len) == sorted(RAWS, key=len)


def test_other_mail_and_other_files_are_passed_over(mails: list[bytes], tmp_path: Path) -> None:
    """A mailbox holds other mail, too, and a Maildir other files."""
    as_files(tmp_path, mails)
    (tmp_path / "4.eml").write_bytes(b"Subject: lunch?\r\n\r\n\xe2\x80\x94 yours\r\n\r\nB\r\n")
    (tmp_path / "index.log").write_bytes(bytes(range(256)))
    (tmp_path / "link").symlink_to("/etc/passwd")
    assert list(read_anchors(tmp_path)) == RAWS


def test_a_mail_without_its_attachment_still_tells(mails: list[bytes]) -> None:
    """What a mail gateway took off is in the text as well."""
    from email import message_from_bytes, policy

    message = message_from_bytes(mails[1], policy=policy.default)
    body = message.get_body()
    assert body is not None
    assert notes_in(body.as_bytes(), split_notes)[-1] == RAWS[1]


def test_a_large_mail_is_read_to_a_limit() -> None:
    """And the next one in the mbox is read all the same."""
    lines = [b"From a\n", *[b"x" * 999 + b"\n"] * 3000, b"\n", b"From b\n", b"second\n"]
    first, second = list(split_mbox(lines))[1:]
    assert MAIL_BYTES_MAX <= len(first) <= MAIL_BYTES_MAX + 1000
    assert second == b"second\n"


@given(st.binary(max_size=2000))
def test_whatever_a_file_holds_it_breaks_nothing(content: bytes) -> None:
    """Mail is written by anybody."""
    for mail in split_mbox(content.splitlines(keepends=True)):
        notes_in(b"Subject: x\r\nContent-Type: multipart/mixed\r\n" + mail, split_notes)


def test_parts_inside_parts_break_nothing() -> None:
    """A mail made to exhaust the stack has no notes."""
    nested = b"Content-Type: multipart/mixed; boundary=b\n\n--b\n" * 2000
    assert [each for each in notes_in(nested, split_notes) if each.strip()] == []
