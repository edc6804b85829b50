"""Mailboxes as files."""

import os
import threading
from pathlib import Path

import pytest
from maildirs import Maildirs


@pytest.fixture
def maildirs(tmp_path: Path) -> Maildirs:
    """An empty directory of mailboxes."""
    return Maildirs(tmp_path, os.getuid(), os.getgid())


def test_a_mailbox_is_copied_when_no_late_session_writes_to_it(maildirs: Maildirs) -> None:
    """The server of a killed client ends a little later: its lock is waited for."""
    maildirs.fill("late", [b"one", b"two"])
    lock = maildirs.root / "late/mail/dovecot-uidlist.lock"
    lock.touch()
    ending = threading.Timer(0.2, lock.unlink)
    ending.start()
    maildirs.copy("copy", "late")
    ending.join()
    assert not (maildirs.root / "copy/mail" / lock.name).exists()
    assert maildirs.content("copy") == maildirs.content("late")


def test_a_mailbox_that_never_rests_is_named(
    maildirs: Maildirs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy of half a change is none."""
    maildirs.fill("busy", [b"one"])
    (maildirs.root / "busy/mail/dovecot-uidlist.lock").touch()
    monkeypatch.setattr("maildirs.REST_S", 0.1)
    with pytest.raises(TimeoutError, match="busy"):
        maildirs.copy("copy", "busy")
    assert not (maildirs.root / "copy").exists()
