"""The Dovecot that the fault suites collect from."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "servers"))

from dovecot_server import DovecotServer
from imap_eyes import PASSWORD
from maildirs import Maildirs
from scenarios import Server


def serving(dovecot: DovecotServer) -> Server:
    """Return what the suites need of a running Dovecot."""
    mail = dovecot.root / "mail"
    owner = mail.stat()
    return Server(dovecot.imap_port, PASSWORD, Maildirs(mail, owner.st_uid, owner.st_gid))


@contextmanager
def running_server() -> Iterator[Server]:
    """Start a Dovecot for the block."""
    dovecot = DovecotServer()
    try:
        yield serving(dovecot)
    finally:
        dovecot.stop()
