"""By which version and settings the index of an entry was derived from its bytes.

Rule: what the log says of it counts.  What is not in the log yet may make a difference
damage, and never excuses one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from collector.custody.adopt import unconfigured
from collector.domain.custody import LedgerEntry
from collector.domain.errors import IntegrityError
from collector.domain.evidence import Event
from collector.domain.journal import UNCONFIGURED, JournalProfile
from collector.ledger.ledger import Ledger

DERIVED = "index.derived"
"""The event: from the entry ``from_seq`` on, by ``version`` and ``settings`` (by mailbox)."""
CHANGES_MAX = 10_000
MARK_DIGITS = 32


@dataclass(frozen=True, slots=True)
class Derivation:
    """How a process derives the index.

    Attributes:
        version: of the program.
        profiles: what is believed of each mailbox, by its name.
    """

    version: str
    profiles: Mapping[str, JournalProfile]

    def profile_of(self, mailbox: str) -> JournalProfile:
        """Return what is believed of a mailbox."""
        return self.profiles.get(mailbox) or unconfigured(mailbox)

    def facts(self) -> dict[str, object]:
        """Return it as the keys of an event; the settings as marks that tell one from another."""
        marks = {name: _mark(profile) for name, profile in sorted(self.profiles.items())}
        return {"version": self.version, "settings": marks}

    def note(self, ledger: Ledger, from_seq: int, now: datetime) -> bool:
        """Write down that entries from ``from_seq`` on are derived so, if the last were not.

        Returns whether that was so.  Call it before anything is committed, and after what
        is adopted: a ledger that was put back from a copy learns its events from the
        segments first.
        """
        newest = next(iter(_events(ledger)), None)
        facts = self.facts()
        differs = newest is None or any(newest.keys.get(key) != facts[key] for key in facts)
        if differs:
            ledger.record_event(DERIVED, now, mailbox="", from_seq=from_seq, **facts)
        return differs

    def note_rebuilt(self, ledger: Ledger, now: datetime) -> None:
        """Write down that the whole index was derived so."""
        ledger.record_event(DERIVED, now, mailbox="", from_seq=1, **self.facts())


class History:
    """What the log says of how entries were derived, compared with the present."""

    def __init__(self, ledger: Ledger, present: Derivation) -> None:
        self._ledger, self.present = ledger, present
        self._read()

    def _read(self) -> None:
        self._last_seq = self._ledger.last_seq()
        events = _events(self._ledger)
        unlogged = self._ledger.unlogged_events(1)
        logged = [each for each in events if not unlogged or each.number < unlogged[0].number]
        self._histories = (logged, events)

    def is_present(self, entry: LedgerEntry) -> bool:
        """Say whether an entry's index was derived as it would be now."""
        if entry.seq > self._last_seq:  # taken in since, perhaps by another program
            self._read()
        return any(self._agrees(entry, events) for events in self._histories)

    def mark(self) -> str:
        """Return what differs when the present, or the last that was written down, does."""
        newest = self._histories[-1][0].number if self._histories[-1] else 0
        told = json.dumps([newest, self.present.facts()], sort_keys=True)
        return hashlib.sha256(told.encode()).hexdigest()

    def _agrees(self, entry: LedgerEntry, events: Sequence[Event]) -> bool:
        """Say whether the last of these events that concerns an entry tells the present."""
        for event in events:
            first, settings = event.keys.get("from_seq"), event.keys.get("settings")
            if isinstance(first, int) and first <= entry.seq and isinstance(settings, dict):
                name = entry.ref.mailbox.name
                mark = settings.get(name, _mark(UNCONFIGURED))
                same_version = event.keys.get("version") == self.present.version
                return same_version and mark == _mark(self.present.profile_of(name))
        return False


def _events(ledger: Ledger) -> list[Event]:
    """Return the events, the last that was recorded first, whatever the clock said."""
    try:
        events = ledger.events(names=[DERIVED], limit=CHANGES_MAX)
    except IntegrityError:  # somebody changed one: the audit of the log will name it
        return []
    return sorted(events, key=lambda each: each.number, reverse=True)


def _mark(profile: JournalProfile) -> str:
    """Return what tells a profile from another and shows none of its addresses."""
    told = json.dumps({**asdict(profile), "format": profile.format.value}, sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()[:MARK_DIGITS]
