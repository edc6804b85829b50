"""Compares what the ledger tells of messages with what their bytes give now.

Rule: everything is unwrapped anew, with what is believed of its mailbox at present.  A
difference is damage, unless the log says that version or settings were others when the
entry's index was derived; then it is told apart, and never passed over.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from collector.custody.derivation import History
from collector.domain.blob import BlobRef, RawMessage
from collector.domain.custody import LedgerEntry
from collector.domain.errors import CollectorError
from collector.domain.journal import JournalProfile, Unwrapped
from collector.formats.unwrap import unwrap
from collector.ledger.index_audit import Derived
from collector.ledger.ledger import Ledger
from collector.ledger.records import RECIPIENT_CHARS, WINDOW_CHARS_MAX
from collector.store.archive import Archive, Reread

GROUP_MESSAGES = 100


@dataclass(frozen=True, slots=True)
class Difference:
    """An entry whose index tells something else than its bytes.

    Attributes:
        names: columns and lists that differ.
        is_damage: version and settings are those it was derived by.
    """

    entry: LedgerEntry
    names: Sequence[str]
    is_damage: bool


@dataclass(frozen=True, slots=True)
class Uncompared:
    """An entry whose bytes could not be laid out to be read."""

    entry: LedgerEntry


@dataclass(slots=True)
class IndexAudit:
    """One audit of the index; is fed with bytes that were read back."""

    archive: Archive
    ledger: Ledger
    history: History
    _group: list[tuple[LedgerEntry, Derived]] = field(default_factory=list)
    _chars: int = 0

    def look(
        self, reread: Reread, entries: Sequence[LedgerEntry]
    ) -> Iterator[Difference | Uncompared]:
        """Unwrap the bytes for each of the entries they belong to; yield what was compared."""
        if reread.problem or not entries:
            return
        try:
            raw = reread.raw or self.archive.raw(reread.blob)
            derived = self._derived(raw, entries)
        except CollectorError:  # large, and no room for it on the disk
            yield from map(Uncompared, entries)
            return
        for entry, unwrapped in zip(entries, derived, strict=True):
            self._group.append((entry, Derived(entry.seq, raw.digest, unwrapped)))
            self._chars += _weight(unwrapped)
            if len(self._group) >= GROUP_MESSAGES or self._chars > WINDOW_CHARS_MAX:
                yield from self.finish()

    def finish(self) -> Iterator[Difference]:
        """Compare what was unwrapped and not compared yet."""
        group, self._group, self._chars = self._group, [], 0
        differing = self.ledger.index.differences([each for _, each in group]) if group else {}
        for entry, derived in group:
            if names := differing.get(derived.seq):
                yield Difference(entry, names, self.history.is_present(entry))

    def _derived(self, raw: RawMessage, entries: Sequence[LedgerEntry]) -> list[Unwrapped]:
        by_profile: dict[JournalProfile, Unwrapped] = {}
        for profile in map(self._profile, entries):
            if profile not in by_profile:
                by_profile[profile] = unwrap(raw, profile)
        return [by_profile[self._profile(entry)] for entry in entries]

    def _profile(self, entry: LedgerEntry) -> JournalProfile:
        return self.history.present.profile_of(entry.ref.mailbox.name)


def by_blob(entries: Sequence[LedgerEntry]) -> dict[BlobRef, list[LedgerEntry]]:
    """Return entries by where their bytes lie: a duplicate with its first copy."""
    found: dict[BlobRef, list[LedgerEntry]] = {}
    for entry in entries:
        found.setdefault(entry.blob, []).append(entry)
    return found


def _weight(unwrapped: Unwrapped) -> int:
    envelopes = (unwrapped.envelope, *unwrapped.nested)
    lines = sum(len(line) for each in envelopes for line in each.raw_lines)
    return lines + RECIPIENT_CHARS * sum(len(each.recipients) for each in envelopes)
