"""Whether a folder holds a journal, and what would be done with its newest message.

Rule: fetched with BODY.PEEK and read in memory; nothing is stored, flagged or deleted.
Counts, sizes and digests are told, never an address or a subject.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from collector.domain.custody import Policy
from collector.domain.errors import CollectorError
from collector.domain.finding import Finding, Grade
from collector.domain.journal import JournalFormat, JournalProfile, Kind, Trust, Unwrapped
from collector.domain.mailbox import Announced, Fetched, Listing, Removal
from collector.formats.flags import ENVELOPE_UNKNOWN
from collector.formats.unwrap import unwrap
from collector.ledger.ledger import Ledger
from collector.source.account import Account
from collector.source.imap import ImapMailbox

NEWEST = 10
SIZED_MAX = 5_000
MESSAGE_BYTES_MAX = 16 * 1024**2
SAMPLE_BYTES_MAX = 32 * 1024**2


@dataclass(slots=True)
class Backlog:
    """What waits in all folders that were looked at."""

    count: int = 0
    size_bytes: int = 0


@dataclass(frozen=True, slots=True)
class _Seen:
    fetched: Fetched
    unwrapped: Unwrapped


def check_sample(
    account: Account, folder: str, policy: Policy, ledger: Ledger | None, backlog: Backlog
) -> Iterator[Finding]:
    """Yield what the newest messages of a folder are; add to ``backlog`` what waits.

    Args:
        policy: the folder would be collected under.
        ledger: ``None`` before the first run.
    """
    subject = f"{account.name}:{folder}"
    mailbox = ImapMailbox(account, folder)
    try:
        listing = mailbox.poll()
        newest = mailbox.announce(listing.refs(max(0, len(listing.uids) - SIZED_MAX), 2**32))
        _count(listing, newest, backlog)
        if not listing.uids:
            yield Finding("sample", subject, Grade.OK, "empty: there is no message to look at yet")
            return
        seen = [
            _Seen(each, unwrap(each.raw, policy.journal))
            for each in mailbox.fetch(_chosen(newest))
            if isinstance(each, Fetched)
        ]
        yield _kinds(subject, seen, policy.journal)
        if seen:
            last = max(seen, key=lambda each: each.fetched.announced.ref.uid)
            fate = _fate(last.unwrapped, listing, policy)
            yield _dry_run(subject, last, fate, ledger)
    except CollectorError as error:
        hint = error.hint or "run `collector check` again"
        yield Finding("sample", subject, Grade.FAILED, error.what, hint)
    finally:
        mailbox.close()


def _count(listing: Listing, sized: Sequence[Announced], backlog: Backlog) -> None:
    """Add the folder's messages; those whose size was not asked for count as the average."""
    known = [each.size_bytes for each in sized if each.size_bytes is not None]
    average = sum(known) / len(known) if known else 0.0
    backlog.count += len(listing.uids)
    backlog.size_bytes += int(average * len(listing.uids))


def _chosen(newest: Sequence[Announced]) -> list[Announced]:
    """Return the newest messages that are small enough to be looked at."""
    chosen: list[Announced] = []
    left_bytes = SAMPLE_BYTES_MAX
    for each in reversed(newest[-10 * NEWEST :]):
        size_bytes = each.size_bytes
        if size_bytes is not None and size_bytes <= min(MESSAGE_BYTES_MAX, left_bytes):
            left_bytes -= size_bytes
            chosen.append(each)
        if len(chosen) == NEWEST:
            break
    return chosen[::-1]


def _kinds(subject: str, seen: Sequence[_Seen], profile: JournalProfile) -> Finding:
    """Say what the messages are, and whether that is what the mailbox is there for."""
    counts = Counter(_called(each.unwrapped) for each in seen)
    told = ", ".join(_counted(what, count) for what, count in counts.most_common())
    detail = f"of the {len(seen)} newest: {told}" if seen else "no message could be looked at"
    reports = sum(each.unwrapped.kind not in {Kind.COPY, Kind.UNRECOGNISED} for each in seen)
    unknown = sum(_without_envelope(each.unwrapped) for each in seen)
    disputed = sum(each.unwrapped.trust is Trust.CONFLICTING for each in seen)
    hint = ""
    if not seen:
        hint = "they are too large, or the server does not hand them over"
    elif profile.format is JournalFormat.EXCHANGE and reports < len(seen):
        hint = "what is no report is archived and quarantined: does other mail arrive here, too?"
    elif unknown == len(seen):
        hint = (
            "nothing tells who received these: is it the journal mailbox, and do format, server "
            "and own_received_count fit? (docs/guides)"
        )
    elif disputed:
        hint = f"{disputed} conflict with what a genuine report looks like: `collector show`"
    elif unknown:
        hint = f"{unknown} do not tell their recipients; does other mail arrive here, too?"
    return Finding("sample", subject, Grade.WARNING if hint else Grade.OK, detail, hint)


def _counted(what: str, count: int) -> str:
    many = what.replace("report", "reports").replace("copy", "copies")
    return f"{count} {what if count == 1 else many}"


def _called(unwrapped: Unwrapped) -> str:
    """Return a kind as a person calls it."""
    if unwrapped.kind is Kind.COPY:
        return f"plain copy with{'out' if _without_envelope(unwrapped) else ''} envelope"
    if unwrapped.kind is Kind.UNRECOGNISED:
        return "not understood"
    return f"{unwrapped.kind.value} report"


def _without_envelope(unwrapped: Unwrapped) -> bool:
    return unwrapped.kind is Kind.UNRECOGNISED or ENVELOPE_UNKNOWN in unwrapped.flags


def _fate(unwrapped: Unwrapped, listing: Listing, policy: Policy) -> str:
    """Say what would become of a message in the mailbox once it is proven."""
    kept = unwrapped.quarantined and policy.keep_unrecognised
    if not policy.delete or kept or listing.removal is Removal.REFUSED:
        return "left in the mailbox"
    return f"removed by {listing.removal.value}"


def _dry_run(subject: str, seen: _Seen, fate: str, ledger: Ledger | None) -> Finding:
    """Say what would be done with one message."""
    raw, unwrapped = seen.fetched.raw, seen.unwrapped
    held = ledger.find_digest(raw.digest) if ledger is not None else None
    stored = "stored" if held is None else f"noted as a copy of {held[0]}"
    detail = (
        f"UID {seen.fetched.announced.ref.uid}: {raw.size_bytes} bytes, {raw.digest} would be "
        f"{stored} as {unwrapped.kind.value}, {len(unwrapped.envelope.recipients)} recipient(s), "
        f"{len(unwrapped.originals)} original(s); then read back, and {fate}; nothing was changed"
    )
    return Finding("dry-run", subject, Grade.OK, detail)
