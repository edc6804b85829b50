"""Writes down what a cycle does: counts, log lines and ledger events.

Rule: nothing here decides anything about a message, but for one thing: a
mailbox whose server broke the rules for UIDs is not deleted from in that cycle.
Log lines name messages by UID, sequence number and digest only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum
from threading import Lock

import structlog

from collector.custody.intake import Committed
from collector.custody.watch import Watch
from collector.domain import uids
from collector.domain.custody import LedgerEntry, Policy, Proof, Settlement, State, Summary
from collector.domain.errors import MessageError
from collector.domain.mailbox import Announced, Flagged, Listing, MessageRef, Removal
from collector.domain.uids import UidRange, ranges_of, subtract
from collector.ledger.ledger import Ledger
from collector.ledger.query import Observation

log = structlog.get_logger("collector.custody")

Window = Mapping[str, object]
"""When the poll before was, and what the server is: keys of an event."""

RANGES_MAX = 500
"""Of UIDs in one event; their number is told whole."""


class Evidence(Enum):
    """How it is known that a message is gone that was never archived."""

    EXPUNGED = "expunged"  # the server says so (VANISHED)
    UNLISTED = "unlisted"  # it was listed, and is no more
    UNACCOUNTED = "unaccounted"  # its UID was given out, and nothing more is known


@dataclass(slots=True)
class Notes:
    """The running account of one cycle; for the threads that fetch and prove."""

    ledger: Ledger
    watch: Watch
    policy: Policy
    _summary: Summary = field(default_factory=Summary)
    _counting: Lock = field(default_factory=Lock)

    def summary(self, *, interrupted: bool) -> Summary:
        """Return what has happened so far."""
        return replace(self._summary, interrupted=interrupted)

    def observed(self, listing: Listing, settlements: Sequence[Settlement]) -> Listing:
        """Compare the listing with the last one; return it as this cycle may use it."""
        now = self.watch.now()
        observation = self.ledger.observe(listing, now)
        self._add(waiting=len(listing.uids))
        self._settled(listing, settlements)
        if self.policy.watched:
            self._others(listing, observation, now)
        self._add(vanished=uids.count(_gone(observation)))
        if observation.uidvalidity_before is not None:
            superseded = sum(each.state is State.SUPERSEDED for each in settlements)
            self._event(
                "mailbox.renumbered",
                listing,
                uidvalidity_old=observation.uidvalidity_before,
                uidvalidity_new=listing.uidvalidity,
                superseded_count=superseded,
            )
        if observation.uidnext_before is not None:
            self._event("mailbox.restored", listing, uidnext_old=observation.uidnext_before)
            return replace(
                listing,
                removal=Removal.REFUSED,
                removal_refused_because="the server's next UID fell: the mailbox was restored",
            )
        return listing

    def _others(self, listing: Listing, observation: Observation, now: datetime) -> None:
        """Note what others did in the folder since the poll before."""
        self._unwatched(listing, observation, now)
        window = {"since": _text(observation.polled_before), "server": listing.server.value}
        self._lost(listing, observation, window)
        self._gap(listing, observation, window)
        self._flagged(listing, observation.flagged)

    def _unwatched(self, listing: Listing, observation: Observation, now: datetime) -> None:
        """Note that nobody looked for a long time."""
        before = observation.polled_before
        if before is not None and now - before > self.policy.unwatched_after:
            seconds = round((now - before).total_seconds())
            facts = {"since": _text(before), "seconds": seconds, "error": observation.error_before}
            self._event("mailbox.unwatched", listing, **facts)

    def _lost(self, listing: Listing, observation: Observation, window: Window) -> None:
        """Note messages that were listed, and deleted before they could be collected."""
        gone = _gone(observation)
        told = list(uids.intersect(gone, listing.vanished or ()))
        by_evidence = {Evidence.EXPUNGED: told, Evidence.UNLISTED: list(subtract(gone, told))}
        for evidence, ranges in by_evidence.items():
            if ranges:
                facts = {"collected": False, "evidence": evidence.value, **window}
                self._event("message.vanished", listing, **facts, **_shown(listing, ranges))

    def _gap(self, listing: Listing, observation: Observation, window: Window) -> None:
        """Note UIDs that were given out and never listed here."""
        told = list(uids.intersect(observation.gap, listing.vanished or ()))
        rest = list(subtract(observation.gap, told))
        if not listing.server.skips_uids:
            self._add(unaccounted=uids.count(rest))
        self._add(vanished=uids.count(told))
        for evidence, ranges in ((Evidence.EXPUNGED, told), (Evidence.UNACCOUNTED, rest)):
            if ranges:
                facts = {"evidence": evidence.value, **window, **_shown(listing, ranges)}
                self._event("mailbox.gap", listing, **facts)

    def _flagged(self, listing: Listing, flagged: Sequence[Flagged]) -> None:
        """Note messages on which somebody else set flags: the mailbox is used by others."""
        if flagged:
            flags = sorted({flag for each in flagged for flag in each.flags})
            ranges = list(ranges_of(sorted({each.uid for each in flagged})))
            self._event("message.flagged", listing, flags=flags, **_shown(listing, ranges))

    def announced(self, due: Sequence[Announced], listing: Listing) -> None:
        """Note how long the oldest message has waited, and flags before we touch them."""
        self._waited(due)
        if not self.policy.watched:
            return
        flagged = [Flagged(each.ref.uid, each.flags) for each in due if each.flags]
        accounts = self.ledger.accounts
        new = accounts.note_flagged(listing.mailbox, listing.uidvalidity, flagged)
        self._flagged(listing, new)

    def _waited(self, due: Sequence[Announced]) -> None:
        arrived = [each.internal_date for each in due if each.internal_date is not None]
        if arrived:
            waited_s = max(0.0, (self.watch.now() - min(arrived)).total_seconds())
            with self._counting:
                oldest_s = max(waited_s, self._summary.oldest_waiting_s or 0.0)
                self._summary = replace(self._summary, oldest_waiting_s=round(oldest_s, 1))

    def _settled(self, listing: Listing, settlements: Sequence[Settlement]) -> None:
        vanished = [each.seq for each in settlements if each.state is State.VANISHED]
        if vanished and self.policy.watched:
            seqs = list(ranges_of(sorted(vanished)))
            text = uids.encode_uids(seqs[:RANGES_MAX])
            facts = {"seqs": text, "seqs_count": len(vanished), "is_cut": len(seqs) > RANGES_MAX}
            self._event("message.vanished", listing, collected=True, **facts)
        self._add(
            expunged=sum(each.state is State.EXPUNGED for each in settlements),
            vanished=len(vanished),
        )

    def committed(self, batch: Committed) -> None:
        """Note what has become ours, and what the server would not hand over."""
        for each in batch.unfetched:
            self._set_aside(each.announced.ref, each.error)
        entries = batch.entries
        bound = log.bind()  # once: a level that is not written costs a message nothing then
        for entry in entries:
            receipt = entry.receipt
            bound.info(
                "message.committed",
                uid=entry.ref.uid,
                seq=entry.seq,
                digest=str(receipt.digest),
                size_bytes=receipt.size_bytes,
                stored_bytes=entry.blob.stored_bytes,
                format=receipt.kind,
                duplicate_of=receipt.duplicate_of,
            )
            if receipt.quarantined:
                log.warning("message.quarantined", uid=entry.ref.uid, seq=entry.seq)
        quarantined = sum(entry.receipt.quarantined for entry in entries)
        self._add(collected=len(entries), quarantined=quarantined)
        self.watch.advanced(self._summary.collected, self._summary.waiting)

    def _set_aside(self, ref: MessageRef, error: MessageError) -> None:
        """Note that the server would not hand a message over; it stays where it is."""
        attempts = self.ledger.set_aside(ref, error, self.watch.now())
        log.warning("message.set_aside", uid=ref.uid, attempts=attempts, error=error.what)
        self._add(set_aside=1)

    def kept(
        self, entries: Sequence[LedgerEntry], leaving: Sequence[LedgerEntry], listing: Listing
    ) -> None:
        """Count messages whose deletion was asked for and that are still there, or not allowed."""
        refused = sum(entry.state is State.CLEARED for entry in entries)
        if listing.removal is Removal.REFUSED:
            refused = len(leaving)
        if refused:
            self._add(refused=refused)

    def refused(self, listing: Listing) -> None:
        """Tell, once, of messages that the mailbox does not let go."""
        if self._summary.refused:
            log.warning(
                "mailbox.refused",
                folder=listing.mailbox.folder,
                messages_count=self._summary.refused,
                reason=listing.removal_refused_because or "deleted, but listed again",
            )

    def replaced(self, settlements: Sequence[Settlement], listing: Listing) -> None:
        """Note proven messages whose UID names another message now."""
        for each in settlements:
            self._event("message.replaced", listing, seq=each.seq)
        self._add(vanished=len(settlements))

    def cleared(self, proofs: Sequence[Proof]) -> None:
        """Note what was proven and asked to be deleted."""
        bound = log.bind()
        for proof in proofs:
            bound.info(
                "message.cleared", uid=proof.ref.uid, seq=proof.seq, digest=str(proof.digest)
            )
        self._add(cleared=len(proofs))

    def _event(self, name: str, listing: Listing, **keys: object) -> None:
        log.warning(name, folder=listing.mailbox.folder, **keys)
        self.ledger.record_event(name, self.watch.now(), mailbox=str(listing.mailbox), **keys)

    def _add(self, **counts: int) -> None:
        with self._counting:
            changed = {name: getattr(self._summary, name) + count for name, count in counts.items()}
            self._summary = replace(self._summary, **changed)


def _gone(observation: Observation) -> list[UidRange]:
    """Return what was listed, never archived, and is listed no more."""
    lost = ranges_of(ref.uid for ref in observation.lost)
    return list(uids.union(observation.gone, lost))


def _shown(listing: Listing, ranges: Sequence[UidRange]) -> dict[str, object]:
    """Return UIDs as an event holds them."""
    return {
        "uidvalidity": listing.uidvalidity,
        "uids": uids.encode_uids(ranges[:RANGES_MAX]),
        "uids_count": uids.count(ranges),
        "is_cut": len(ranges) > RANGES_MAX,
    }


def _text(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat().replace("+00:00", "Z")
