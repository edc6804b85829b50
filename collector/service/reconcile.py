"""Compares mailbox, ledger and segments: ``collector reconcile``.

Rule: changes nothing, in no place; takes no lock, so it can be asked beside the
service.  It foretells what the next cycle will do by the same questions the
cycle asks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from collector.config import Settings
from collector.custody.policy import verdict
from collector.custody.watch import utc_now
from collector.domain.custody import LedgerEntry, Policy, State, Verdict
from collector.domain.errors import CycleError
from collector.domain.mailbox import Listing, MailboxId, Removal
from collector.ledger.ledger import Ledger
from collector.service.assemble import account_of, policy_of
from collector.source.imap import ImapMailbox
from collector.store.archive import Archive, Damage, StoredReceipt

WINDOW_MESSAGES = 1000


class Place(Enum):
    """Where messages are: in the mailbox, in segments and ledger, or only in some of them."""

    MAILBOX = "mailbox"
    BOTH = "mailbox and archive"
    ARCHIVE = "archive"
    SEGMENT = "segment, not yet in the ledger"
    NOWHERE = "cannot be read"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Standing:
    """How some messages stand, and what will become of them.

    Attributes:
        mailbox: ``None`` for what concerns the archive alone.
        person: a person should look.
    """

    mailbox: MailboxId | None
    place: Place
    count: int
    next: str
    person: bool = False


def reconcile(settings: Settings, archive: Archive, ledger: Ledger) -> Iterator[Standing]:
    """Yield how everything stands, folder by folder, then the archive's own end."""
    for each in settings.mailboxes:
        for folder in each.folders:
            mailbox = ImapMailbox(account_of(settings, each), folder)
            try:
                yield from _folder(mailbox.poll(), ledger, policy_of(each), utc_now())
            except CycleError as error:
                mailbox_id = MailboxId(each.name, folder)
                yield Standing(mailbox_id, Place.UNKNOWN, 0, str(error), person=True)
            finally:
                mailbox.close()
    yield from _segments(archive, ledger)


def _folder(listing: Listing, ledger: Ledger, policy: Policy, now: datetime) -> Iterator[Standing]:
    due_count = not_due_count = 0
    held: Counter[str] = Counter()
    for window in listing.windows(WINDOW_MESSAGES):
        ours = ledger.held(window)
        due = ledger.due(window, now)
        due_count += len(due)
        not_due_count += len(window) - len(ours) - len(due)
        held.update(_next(each, policy, listing, now) for each in ours)
    rows = [
        (Place.MAILBOX, due_count, "is fetched, stored, proven and then deleted", False),
        (Place.MAILBOX, not_due_count, "was not handed over; is asked for again later", True),
        *((Place.BOTH, count, what, what == _REFUSED) for what, count in held.items()),
        *_gone(listing, ledger, now),
    ]
    for place, count, what, person in rows:
        if count:
            yield Standing(listing.mailbox, place, count, what, person)


_REFUSED = "stays in the mailbox, which does not let it go: see `collector check`"


def _next(entry: LedgerEntry, policy: Policy, listing: Listing, now: datetime) -> str:
    """Return what the next cycle does with an entry that is listed."""
    if verdict(entry, policy, now) is Verdict.EXPUNGE:
        if listing.removal is Removal.REFUSED:
            return _REFUSED
        return "is proven again and deleted from the mailbox"
    if entry.state is State.CLEARED:
        return "deletion was asked for; is proven and asked for again later"
    return "stays in the mailbox, as configured"


_SETTLED = {
    State.EXPUNGED: ("left the mailbox after its proof; is written down as expunged", False),
    State.VANISHED: ("left the mailbox without us; is written down as vanished", True),
    State.SUPERSEDED: ("its UID means nothing any more; is collected again where it is", True),
}


def _gone(
    listing: Listing, ledger: Ledger, now: datetime
) -> Iterator[tuple[Place, int, str, bool]]:
    settlements, absent_count = ledger.outlook(listing, now)
    states = Counter(each.state for each in settlements)
    for state, count in states.items():
        what, person = _SETTLED[state]
        yield Place.ARCHIVE, count, what, person
    yield Place.ARCHIVE, absent_count, "is not listed; counts as gone when it is not again", True


def _segments(archive: Archive, ledger: Ledger) -> Iterator[Standing]:
    """Look at the end of the archive, where a stop can leave what the ledger does not name."""
    last = ledger.last_blob()
    last_seq = ledger.last_seq()
    unnamed_count = damages_count = 0
    for found in archive.scan_from(last):
        if isinstance(found, StoredReceipt) and found.receipt.seq > last_seq:
            unnamed_count += 1
        elif isinstance(found, Damage) and not found.torn_tail:
            damages_count += 1
    if unnamed_count:
        yield Standing(
            None, Place.SEGMENT, unnamed_count, "is taken into the ledger at the next start"
        )
    if damages_count:
        what = "run `collector verify`, which names it; nothing is deleted that cannot be proven"
        yield Standing(None, Place.NOWHERE, damages_count, what, person=True)
