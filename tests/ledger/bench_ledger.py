"""Measures the ledger at the size of a large archive; not a test, run it by hand.

    python tests/ledger/bench_ledger.py [--entries 1000000] [--listed 200000] [--keep FILE]

All figures are CPU time of this process (user and system), the best of a few
runs.  The archive is filled by bulk inserts: everything was expunged, but for
``--listed`` entries of a second folder that are committed and still listed.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from collector.domain.blob import BlobRef, Digest
from collector.domain.custody import PendingEntry, Proof, Receipt, Summary
from collector.domain.journal import (
    Envelope,
    Kind,
    Original,
    Recipient,
    RecipientKind,
    Unwrapped,
)
from collector.domain.mailbox import Listing, MailboxId, MessageRef
from collector.ledger import log
from collector.ledger.database import LedgerDatabase
from collector.ledger.encoding import stored_entry_leaf
from collector.ledger.indexing import indexed
from collector.ledger.ledger import Ledger
from collector.store.durable import sync_directory

NOW = datetime(2026, 3, 4, 5, 6, 7, 89, tzinfo=UTC)
AT = "2026-03-04T05:06:07.000089Z"
EMPTIED = MailboxId("journal", "INBOX")
KEPT = MailboxId("journal", "Kept")


def digest_of(seq: int) -> Digest:
    """Return a digest as random as a real one."""
    return Digest.of(b"%d" % seq)


def pending(seq: int, mailbox: MailboxId, recipients_count: int) -> PendingEntry:
    """Return one journal report with so many recipients and one original."""
    ref = MessageRef(mailbox, 7, seq)
    recipients = tuple(
        Recipient(f"person{number}.{seq}@example.net", RecipientKind.TO)
        for number in range(recipients_count)
    )
    envelope = Envelope(
        sender=f"sender{seq % 1000}@example.net",
        subject=f"Quarterly figures, number {seq}",
        message_id=f"<{seq}.{seq * 7919 % 1000003}@example.net>",
        recipients=recipients,
        raw_lines=tuple(f"To: {each.address}" for each in recipients),
    )
    originals = (Original(1500, 20000, digest_of(-seq)),)
    receipt = Receipt(seq, digest_of(seq), 22000, ref, NOW, NOW, NOW, "exchange", quarantined=False)
    blob = BlobRef("000123", seq * 5000, 5000, 0, 22000, receipt.digest, 5000)
    unwrapped = Unwrapped(Kind.EXCHANGE, envelope, originals)
    return PendingEntry(receipt, blob, indexed(unwrapped, receipt.digest))


def cpu_s(action: Callable[[], Any], runs: int = 1) -> float:
    """Return the least CPU time of one run, in seconds."""
    best = float("inf")
    for _ in range(runs):
        began_s = time.process_time()
        action()
        best = min(best, time.process_time() - began_s)
    return best


def fill(path: Path, entries: int, listed: int) -> None:
    """Fill an empty ledger by bulk inserts."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA synchronous=off")
    connection.execute("PRAGMA cache_size=-400000")
    connection.execute("BEGIN")
    names = [("journal", "INBOX", entries - listed), ("journal", "Kept", listed)]
    for name, folder, _ in names:
        row = {"mailbox": name, "folder": folder, "uidvalidity": 7, "uidnext": entries + 1}
        row |= {"waiting_count": 0, "last_error": "", "pending": ""}
        insert(connection, "folders", [row])
    expunged = entries - listed
    insert(connection, "entries", (entry_row(seq, expunged) for seq in range(1, entries + 1)))
    insert(connection, "receipts", (receipt_row(seq, expunged) for seq in range(1, entries + 1)))
    insert(connection, "envelopes", map(envelope_row, range(1, entries + 1)))
    insert(connection, "recipients", recipient_rows(entries))
    insert(connection, "originals", map(original_row, range(1, entries + 1)))
    tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
    if "state_counts" in tables:
        states = ["committed", "cleared", "expunged", "vanished", "superseded"]
        rows = [(folder, state, 0) for folder in (1, 2) for state in states]
        connection.executemany("INSERT INTO state_counts VALUES (?, ?, ?)", rows)
        change = "UPDATE state_counts SET entries_count = ? WHERE folder_id = ? AND state = ?"
        connection.executemany(change, [(expunged, 1, "expunged"), (listed, 2, "committed")])
    connection.execute("COMMIT")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def fill_log(path: Path) -> None:
    """Give every entry its leaf, in batches of 100 as commits do."""
    database = LedgerDatabase(path)
    with database.writing():
        rows = database.each_named(RECEIPTS, [])
        while batch := [(stored_entry_leaf(row), row["seq"], None) for row in islice(rows, 100)]:
            log._add(database, batch)


def verify_log(ledger: Ledger, entries: int) -> None:
    """Compare rows, leaves, nodes and one root, as ``verify --without-bodies`` does."""
    head = ledger.log.head()
    assert head[0] == entries
    assert list(ledger.check_log(dict([head]))) == []


RECEIPTS = """SELECT r.*, f.mailbox, f.folder FROM receipts r
JOIN folders f ON f.id = r.folder_id ORDER BY r.seq"""


def insert(connection: sqlite3.Connection, table: str, rows: Any) -> None:
    """Insert rows that all have the columns of the first."""
    rows = iter(rows)
    first = next(rows)
    columns = ", ".join(f'"{name}"' for name in first)
    places = ", ".join("?" for _ in first)
    sql = f"INSERT INTO {table} ({columns}) VALUES ({places})"  # noqa: S608
    connection.execute(sql, tuple(first.values()))
    connection.executemany(sql, (tuple(row.values()) for row in rows))


def entry_row(seq: int, expunged: int) -> dict[str, Any]:
    """Return a row of ``entries``: expunged up to a number, open after it."""
    gone = seq <= expunged
    return {
        "seq": seq,
        "folder_id": 1 if gone else 2,
        "uidvalidity": 7,
        "uid": seq,
        "state": "expunged" if gone else "committed",
        "blob_digest": hashlib.sha256(b"%d" % seq).hexdigest(),
        "blob_bytes": 22000,
        "segment": f"{seq // 10000:06}",
        "frame_offset": seq % 10000 * 5000,
        "frame_bytes": 5000,
        "blob_offset": 0,
        "stored_bytes": 5000,
        "cleared_at": AT if gone else None,
        "clear_attempts": int(gone),
        "settled_at": AT if gone else None,
        "absent_count": 0,
    }


def receipt_row(seq: int, expunged: int) -> dict[str, Any]:
    """Return a row of ``receipts``."""
    return {
        "seq": seq,
        "digest": hashlib.sha256(b"%d" % seq).hexdigest(),
        "size_bytes": 22000,
        "folder_id": 1 if seq <= expunged else 2,
        "uidvalidity": 7,
        "uid": seq,
        "internal_date": AT,
        "fetched_at": AT,
        "committed_at": AT,
        "kind": "exchange",
        "quarantined": 0,
        "duplicate_of": None,
        "fetch_flags": "[]",
    }


def envelope_row(seq: int) -> dict[str, Any]:
    """Return a row of ``envelopes``."""
    return {
        "seq": seq,
        "kind": "exchange",
        "sender": f"sender{seq % 1000}@example.net",
        "on_behalf_of": "",
        "subject": f"Quarterly figures, number {seq}",
        "message_id": f"<{seq}.{seq * 7919 % 1000003}@example.net>",
        "raw_lines": '["To: someone@example.net","To: other@example.net"]',
        "level": 0,
        "trust": "unverified",
        "trust_reasons": "[]",
        "reason": "",
        "recipients_count": 2,
        "raw_chars": 43,
        "message_digest": f"{seq:064x}",
    }


def recipient_rows(entries: int) -> Iterator[dict[str, Any]]:
    """Yield two rows of ``recipients`` for each entry."""
    for seq in range(1, entries + 1):
        for position in range(2):
            yield {
                "seq": seq,
                "position": position,
                "envelope": 0,
                "address": f"person{position}.{seq}@example.net",
                "kind": "to",
                "via": "[]",
                "source": "report",
                "derived": 0,
                "level": 0,
                "undisclosed": 0,
            }


def original_row(seq: int) -> dict[str, Any]:
    """Return a row of ``originals``."""
    return {
        "seq": seq,
        "position": 0,
        "offset": 1500,
        "length": 20000,
        "digest": hashlib.sha256(b"%d" % -seq).hexdigest(),
        "role": "original",
        "transfer_encoding": "identity",
        "level": 0,
    }


def commits(ledger: Ledger, recipients_count: int, batches_count: int = 60) -> float:
    """Return CPU microseconds for each entry of commits of 100, checkpoints included."""
    first = ledger.last_seq() + 1
    batches = [
        [pending(seq, EMPTIED, recipients_count) for seq in range(start, start + 100)]
        for start in range(first, first + 100 * batches_count, 100)
    ]
    spent = cpu_s(lambda: [ledger.commit(batch) for batch in batches])
    return spent * 1e6 / (100 * batches_count)


def measure(ledger: Ledger, entries: int, listed: int) -> None:
    """Print all figures."""
    per_entry = commits(ledger, 2)
    many = commits(ledger, 22)
    say("commit, 100 entries of 2 recipients", per_entry, "us/entry")
    say("  each further recipient", (many - per_entry) / 20, "us")
    digests = [digest_of(seq) for seq in range(1, 101)]
    if hasattr(ledger, "find_digests"):
        say("find_digests, 100", cpu_s(lambda: ledger.find_digests(digests), 20) * 1e4, "us/digest")
    one = cpu_s(lambda: [ledger.find_digest(each) for each in digests], 5)
    say("find_digest", one * 1e4, "us/digest")
    seqs = list(range(entries - 99, entries + 1))
    say("reread, 100 entries", cpu_s(lambda: ledger.reread(seqs), 20) * 1e6 / 100, "us/entry")
    first = entries - listed + 1
    for count in (500, 1_000, listed):
        held = [MessageRef(KEPT, 7, first + place) for place in range(count)]
        new = [MessageRef(KEPT, 7, 10_000_000 + place) for place in range(count)]
        runs = 3 if count == listed else 10
        scale = 1e6 / count
        say(
            f"due, {count} new", cpu_s(lambda new=new: ledger.due(new, NOW), runs) * scale, "us/UID"
        )
        known = cpu_s(lambda held=held: ledger.due(held, NOW), runs)
        say(f"due, {count} known", known * scale, "us/UID")
        say(f"held, {count}", cpu_s(lambda held=held: ledger.held(held), runs) * scale, "us/UID")
    uids = range(first, entries + 1)
    full = Listing(KEPT, 7, entries + 1, uids)
    say(f"unsettled, {listed} listed", cpu_s(lambda: ledger.unsettled(full, NOW), 3) * 1e3, "ms")
    nothing = Listing(EMPTIED, 7, 10_000_000, ())
    ledger.settle(ledger.unsettled(nothing, NOW))
    ledger.settle(ledger.unsettled(nothing, NOW))
    say("empty poll", cpu_s(lambda: empty_poll(ledger, nothing), 20) * 1e3, "ms")
    say("mailbox_status", cpu_s(ledger.mailbox_status, 5) * 1e3, "ms")
    proofs = [
        Proof(seq, MessageRef(KEPT, 7, seq), digest_of(seq), 22000, NOW)
        for seq in range(first, entries + 1)
    ]
    windows = [proofs[start : start + 500] for start in range(0, len(proofs), 500)]
    spent = cpu_s(lambda: [ledger.clear(each) for each in windows])
    say("clear, windows of 500", spent * 1e6 / listed, "us/entry")
    gone = Listing(KEPT, 7, entries + 1, ())
    later = NOW + timedelta(minutes=1)
    settlements: list[Any] = []
    spent = cpu_s(lambda: settlements.extend(ledger.unsettled(gone, later)))
    say(f"unsettled, {listed} gone", spent * 1e6 / listed, "us/entry")
    spent = cpu_s(lambda: ledger.settle(settlements))
    say(f"settle, {len(settlements)} gone", spent * 1e6 / listed, "us/entry")
    spent = cpu_s(lambda: sum(1 for _ in zip(ledger.records(), range(20_000), strict=False)))
    say("records, 20,000", spent * 1e6 / 20_000, "us/record")
    spent = cpu_s(lambda: sum(1 for _ in zip(ledger.entries(), range(20_000), strict=False)))
    say("entries, 20,000", spent * 1e6 / 20_000, "us/entry")


def empty_poll(ledger: Ledger, listing: Listing) -> None:
    """Do what a cycle asks of the ledger when a mailbox is empty."""
    ledger.last_seq()
    assert ledger.unsettled(listing, NOW) == []
    ledger.observe(listing, NOW)
    ledger.note_cycle(listing.mailbox, NOW, Summary())


def say(what: str, figure: float, unit: str) -> None:
    """Print one figure."""
    print(f"{what:40} {figure:12.2f} {unit}", flush=True)


def main() -> None:
    """Fill, or take the file kept before, and measure on a copy."""
    options = argparse.ArgumentParser()
    options.add_argument("--entries", type=int, default=1_000_000)
    options.add_argument("--listed", type=int, default=200_000)
    options.add_argument("--keep", type=Path, help="fill this file once and measure a copy of it")
    asked = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.db"
        source = asked.keep or path
        if not source.exists():
            Ledger.open(source, create=True, sync_directory=sync_directory).close()
            say("filled in", cpu_s(lambda: fill(source, asked.entries, asked.listed)), "s")
            say("log filled in", cpu_s(lambda: fill_log(source)), "s")
        if asked.keep:
            shutil.copy(source, path)
        began_s = time.process_time()
        ledger = Ledger.open(path, create=False, sync_directory=sync_directory)
        say("open", (time.process_time() - began_s) * 1e3, "ms")
        with ledger.session():
            say("check_log", cpu_s(lambda: verify_log(ledger, asked.entries)), "s")
            say("check_consistency", cpu_s(lambda: print(ledger.check_consistency()[:3])), "s")
            measure(ledger, asked.entries, asked.listed)
        ledger.close()


if __name__ == "__main__":
    main()
