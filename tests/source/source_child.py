"""Does one thing with a mailbox in a process of its own, and tells what it cost.

    python source_child.py ACTION PORT SPOOL_DIR LIMITS

Prints one JSON object: the outcome, seconds, and the peak of resident memory above
what the process held before it connected.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from source_samples import proofs_of

from collector.domain.errors import CollectorError
from collector.domain.mailbox import Fetched
from collector.source.account import Account, Limits
from collector.source.imap import ImapMailbox
from collector.source.probe import probe


def peak_mib() -> float:
    """Return the peak of resident memory in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def poll(account: Account) -> object:
    """List; return how many there are and whether the listing is complete."""
    listing = ImapMailbox(account, "INBOX").poll()
    return [len(listing.uids), listing.complete]


def fetch(account: Account) -> object:
    """Fetch everything; return sizes, digests and refusals."""
    mailbox = ImapMailbox(account, "INBOX")
    announced = mailbox.announce(mailbox.poll().refs(0, 10))
    return [
        [each.raw.size_bytes, str(each.raw.digest)]
        if isinstance(each, Fetched)
        else each.error.what
        for each in mailbox.fetch(announced)
    ]


def wait(account: Account) -> object:
    """Wait for new mail."""
    mailbox = ImapMailbox(account, "INBOX")
    mailbox.poll()
    return mailbox.wait_for_arrival(5.0, lambda: False)


def expunge(account: Account) -> object:
    """Delete everything."""
    mailbox = ImapMailbox(account, "INBOX")
    listing = mailbox.poll()
    mailbox.expunge(proofs_of(listing, listing.uids), listing.removal)
    return "done"


def check(account: Account) -> object:
    """Probe; return names and grades."""
    found = probe(account, "INBOX", lambda: datetime.now(UTC))
    return [[each.name, each.grade.value] for each in found]


def main() -> None:
    """Run the action."""
    action, port, spool_dir, limits = sys.argv[1:]
    account = Account(
        name="journal",
        host="127.0.0.1",
        port=int(port),
        security="plain",
        username="journal",
        password=lambda: "secret",
        spool_dir=Path(spool_dir),
        limits=Limits(**json.loads(limits)),
    )
    before_mib, began_s = peak_mib(), time.monotonic()
    try:
        told = {"outcome": globals()[action](account)}
    except CollectorError as error:
        told = {"error": error.what}
    told["seconds"] = time.monotonic() - began_s
    told["memory_mib"] = peak_mib() - before_mib
    print(json.dumps(told))


if __name__ == "__main__":
    main()
