"""Checkpoints posted, mailed and appended, to real servers and files."""

import os
import time

import pytest
from evidence_samples import NOW, ORIGIN, checkpoint_of, signer_of, sync
from evidence_servers import answering, handshaking, nobody, serve
from smtp_server import running_smtp

from collector.domain.errors import ConfigError, CycleError
from collector.evidence.anchors import FileAnchor, MailAnchor, WebhookAnchor
from collector.evidence.checkpoint import read_checkpoint
from collector.evidence.comparison import read_anchors
from collector.evidence.web import Address, Limits

SIGNED = checkpoint_of([b"a", b"b", b"c"])
OK = b"HTTP/1.1 204 No Content\r\n\r\n"
PLACE = {"sender": "collector@example.org", "recipients": ("notary@example.net",)}


def mail_to(port, **changes):
    """Return a mail anchor at a loopback port."""
    return MailAnchor("127.0.0.1", port, **{**PLACE, "security": "plain", **changes})


def test_a_webhook_gets_the_note_itself():
    """The body is the signed note, byte for byte."""
    requests = []
    with serve(answering(OK, requests)) as port:
        anchor = WebhookAnchor(Address(f"http://127.0.0.1:{port}/hook"))
        anchor.publish(SIGNED, NOW)
    assert requests[0].partition(b"\r\n\r\n")[2] == SIGNED.raw


def test_a_webhook_over_tls(authority, server_context):
    """With https it works, and elsewhere nothing else does."""
    with serve(answering(OK), server_context) as port:
        address = Address(f"https://127.0.0.1:{port}/", ca_file=authority.home / "ca.crt")
        WebhookAnchor(address).publish(SIGNED, NOW)
    with pytest.raises(ConfigError, match="needs https"):
        WebhookAnchor(Address("http://example.org/hook"))


def test_a_webhook_that_does_not_take_it_is_told():
    """Anything but 2xx."""
    with serve(answering(b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n")) as port:
        anchor = WebhookAnchor(Address(f"http://127.0.0.1:{port}/"), Limits(5, 100))
        with pytest.raises(CycleError, match="answered 403"):
            anchor.publish(SIGNED, NOW)


def test_a_mail_carries_the_note_as_it_is():
    """The attachment is the note; the same checkpoint has the same Message-ID."""
    with running_smtp() as server:
        mail_to(server.port).publish(SIGNED, NOW)
        mail_to(server.port).publish(SIGNED, NOW)
    first, second = (each.message for each in server.delivered)
    [attachment] = first.iter_attachments()
    assert attachment.get_content() == SIGNED.raw
    assert attachment.get_filename() == "3.checkpoint"
    assert SIGNED.raw.decode() in first.get_body().get_content().replace("\r\n", "\n")
    assert first["Message-ID"] == second["Message-ID"]
    assert first["Subject"] == f"Checkpoint 3 of {ORIGIN}"
    assert first["Date"].datetime == NOW
    assert (first["From"], first["To"]) == ("collector@example.org", "notary@example.net")
    assert first["Auto-Submitted"] == "auto-generated"
    assert server.delivered[0].recipients == ("notary@example.net",)
    assert server.delivered[0].raw.isascii()


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_a_mail_goes_over_tls_with_login(authority, server_context, security):
    """Implicit and explicit TLS, and the certificate is checked."""
    login = {"username": "collector", "password": "secret"}
    how = {"security": security, **login}
    with running_smtp(
        security=security, context=server_context, login=("collector", "secret")
    ) as server:
        mail_to(server.port, ca_file=authority.home / "ca.crt", **how).publish(SIGNED, NOW)
        with pytest.raises(CycleError, match=r"cannot be mailed: .*127\.0\.0\.1"):
            mail_to(server.port, **how).publish(SIGNED, NOW)
    assert [(each.secured, each.user) for each in server.delivered] == [(True, "collector")]


@pytest.mark.parametrize("command", ["EHLO", "MAIL", "RCPT", "DATA", "AUTH"])
def test_a_mail_server_that_refuses_is_told_without_addresses(command):
    """The server's words may repeat an address, so only its code is said."""
    with running_smtp(login=("u", "secret")) as server:
        server.refuse = {command, "HELO"}
        with pytest.raises(CycleError) as caught:
            mail_to(server.port, username="u", password="secret").publish(SIGNED, NOW)
    assert server.delivered == []
    assert "example" not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_mail_server_is_asked_without_a_mail():
    """Login, sender and recipients are tried; nothing is sent."""
    with running_smtp(login=("u", "secret")) as server:
        anchor = mail_to(server.port, username="u", password="secret")
        anchor.probe()
        for command in ("MAIL", "RCPT"):
            server.refuse = {command}
            with pytest.raises(CycleError, match="the server answered 550"):
                anchor.probe()
    assert server.delivered == []


@pytest.mark.parametrize("security", ["plain", "tls"])
def test_a_mail_server_that_chatters_keeps_us_no_longer_than_asked(
    authority, server_context, security
):
    """Endless continuation lines, each in time."""

    def talk(connection):
        while True:
            connection.sendall(b"220-and another thing\r\n")
            time.sleep(0.05)

    began = time.monotonic()
    how = {"security": security, "ca_file": authority.home / "ca.crt", "timeout_s": 0.5}
    context = server_context if security == "tls" else None
    with serve(talk, context) as port, pytest.raises(CycleError, match="took too long"):
        mail_to(port, **how).publish(SIGNED, NOW)
    assert time.monotonic() - began < 5


def test_a_tls_handshake_without_end_keeps_us_no_longer_than_asked():
    """It is cut while it goes on, byte by byte."""
    began = time.monotonic()
    with serve(handshaking) as port, pytest.raises(CycleError, match="took too long"):
        mail_to(port, security="tls", timeout_s=0.5).publish(SIGNED, NOW)
    assert time.monotonic() - began < 5


def test_nobody_there_is_said_so(tmp_path):
    """No server, no directory."""
    with nobody() as port, pytest.raises(CycleError, match="Connection refused"):
        mail_to(port).publish(SIGNED, NOW)
    with pytest.raises(CycleError, match="No such file"):
        FileAnchor(tmp_path / "missing" / "anchors", sync).publish(SIGNED, NOW)


@pytest.mark.parametrize(
    "changes",
    [
        {"host": "mail.example.org"},
        {"security": "ssl"},
        {"recipients": ()},
        {"recipients": ("nobody",)},
        {"sender": "a@b\r\nBcc: c@d"},
    ],
)
def test_a_mail_anchor_that_cannot_be_is_refused(changes):
    """Plain to elsewhere, an unknown security, and addresses that are none."""
    settings = {"host": "127.0.0.1", "port": 25, "security": "plain", **PLACE, **changes}
    with pytest.raises(ConfigError, match=r"plain is for this machine|plain addresses"):
        MailAnchor(**settings)


def test_a_file_gets_every_note_durably(tmp_path):
    """Appended, synced, and the directory with it when the file is new."""
    path = tmp_path / "anchors.txt"
    synced = []
    later = checkpoint_of([b"a", b"b", b"c", b"d"])
    anchor = FileAnchor(path, lambda fd, where: synced.append((where, os.fstat(fd).st_ino)))
    anchor.publish(SIGNED, NOW)
    anchor.publish(later, NOW)
    assert [where for where, _inode in synced] == [path, tmp_path, path]
    assert [inode for _where, inode in synced] == [
        place.stat().st_ino for place in (path, tmp_path, path)
    ]
    notes = [raw for raw in read_anchors(path) if raw.strip()]
    assert notes == [SIGNED.raw, later.raw]
    assert read_checkpoint(notes[1], [signer_of().key]) == later


def test_an_anchor_file_is_never_followed_elsewhere(tmp_path):
    """A link in its place is refused."""
    (tmp_path / "anchors.txt").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CycleError, match="cannot be anchored in a file"):
        FileAnchor(tmp_path / "anchors.txt", sync).publish(SIGNED, NOW)
    assert not (tmp_path / "elsewhere").exists()
