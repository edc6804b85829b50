"""Mail of any shape, through a real Dovecot, into the archive and out again, every byte compared.

Rule: what is compared with is what the server hands out to the standard library, read
before the collector sees the mailbox.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from collector_program import Collector
from imap_eyes import ImapUser

from collector.cli.main import app

APPEND_BYTES_MAX = 8 * 1024 * 1024


@dataclass(slots=True)
class Compared:
    """What came of it.

    Attributes:
        delivered_count: messages the mailbox held.
        problems: everything that is not as it should be, one line each.
    """

    delivered_count: int = 0
    problems: list[str] = field(default_factory=list)


def crlf(raw: bytes) -> bytes:
    """Return a message with the line ends of IMAP."""
    return raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def deliver(user: ImapUser, raws: Iterable[bytes]) -> None:
    """Put messages into the mailbox, some at a time; an empty one no server takes."""
    group: list[bytes] = []
    for raw in raws:
        if raw:
            group.append(raw)
        if sum(map(len, group)) > APPEND_BYTES_MAX:
            user.append_many(group)
            group = []
    if group:
        user.append_many(group)


def collect_and_compare(collector: Collector, user: ImapUser) -> Compared:
    """Collect the mailbox; compare every message with what the server handed out before."""
    before = {uid: hashlib.sha256(raw).hexdigest() for uid, raw in user.messages().items()}
    compared = Compared(len(before))
    collected = collector.run("collect", "--json")
    if collected.code not in {0, 4}:
        compared.problems.append(f"collect ended with {collected.code}: {collected.err[-500:]}")
    if left := user.messages():
        compared.problems.append(f"{len(left)} messages are still in the mailbox")
    records = collector.run("list", "--json").lines()
    if len(records) != len(before):
        compared.problems.append(f"{len(before)} delivered, {len(records)} archived")
    shown = _shown(collector, [each["seq"] for each in records])
    for record, found in zip(records, shown, strict=False):
        wanted = before.pop(record["uid"], "")  # answers may come in another order than UIDs
        if not wanted == found == record["digest"].removeprefix("sha256:"):
            compared.problems.append(f"seq {record['seq']} is not what was delivered")
    verified = collector.run("verify", "--json")
    if verified.code != 0 or verified.json()["verified"] != compared.delivered_count:
        compared.problems.append(f"verify ended with {verified.code}: {verified.text[-500:]}")
    return compared


def _shown(collector: Collector, seqs: Sequence[int]) -> Iterator[str]:
    """Yield the digest of ``show SEQ --raw`` for each, without a process for each."""
    config = ["--config", str(collector.home / "collector.toml")]
    for seq in seqs:
        out = io.TextIOWrapper(io.BytesIO())
        with contextlib.redirect_stdout(out):
            app([*config, "show", str(seq), "--raw"], standalone_mode=False)
        out.flush()
        yield hashlib.sha256(out.buffer.getvalue()).hexdigest()
    sys.stdout.flush()
