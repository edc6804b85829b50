"""Accounts, messages and proofs for the tests of the source room."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from imap_eyes import ImapUser

from collector.domain.blob import Digest
from collector.domain.custody import Proof
from collector.domain.mailbox import Listing, MessageRef
from collector.source.account import Account
from collector.source.imap import ImapMailbox

PROVEN_AT = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)


def account_of(user: ImapUser, tmp_path: Path, **changes) -> Account:
    """Return the account of a user of a throwaway server; what is changed is configured."""
    spool_dir = tmp_path / "spool"
    spool_dir.mkdir(exist_ok=True)
    settings = {
        "name": "journal",
        "host": user.host,
        "port": user.port,
        "security": "plain" if user.ca is None else "tls",
        "username": user.name,
        "password": lambda: user.password,
        "ca_file": user.ca,
        "spool_dir": spool_dir,
        "configured": frozenset(changes),
    }
    return Account(**{**settings, **changes})


@contextlib.contextmanager
def open_mailbox(
    user: ImapUser, tmp_path: Path, folder: str = "INBOX", **changes
) -> Iterator[ImapMailbox]:
    """Open a folder; log out at the end."""
    mailbox = ImapMailbox(account_of(user, tmp_path, **changes), folder)
    try:
        yield mailbox
    finally:
        mailbox.close()


def letter(number: int, size_bytes: int = 0) -> bytes:
    """Return a message of at least ``size_bytes`` bytes; no two are alike."""
    head = (
        f"From: <s{number}@example.com>\r\nTo: <journal@example.com>\r\n"
        f"Subject: letter {number}\r\n"
        f"Message-ID: <{number}@example.com>\r\nMIME-Version: 1.0\r\n\r\nNumber {number}\r\n"
    )
    line = f"{number:08d} and nothing else stands in this line, over and over again\r\n"
    return (head + line * (max(0, size_bytes - len(head)) // len(line) + 1)).encode("ascii")


def proofs_of(
    listing: Listing, uids: Sequence[int], sizes: Mapping[int, int] | None = None
) -> list[Proof]:
    """Return proofs as custody would make them.

    Args:
        sizes: by UID; default: of a ``letter`` with a number of one digit.
    """
    return [
        Proof(
            seq=uid,
            ref=MessageRef(listing.mailbox, listing.uidvalidity, uid),
            digest=Digest.of(b"%d" % uid),
            size_bytes=sizes[uid] if sizes else len(letter(0)),
            proven_at=PROVEN_AT,
        )
        for uid in uids
    ]
