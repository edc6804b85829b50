"""Writes down what a cycle does: counts, log lines and ledger events.

Rule: nothing here decides anything about a message, but for one thing: a
mailbox whose server broke the rules for UIDs is not deleted from in that cycle.
Log lines name messages by UID, sequence number and digest only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

import structlog

from collector.custody.intake import Committed
from collector.custody.watch import Watch
from collector.domain.custody import LedgerEntry, Proof, Settlement, State, Summary
from collector.domain.errors import MessageError
from collector.domain.mailbox import Announced, Listing, MessageRef, Removal
from collector.ledger.ledger import Ledger

log = structlog.get_logger("collector.custody")

RANGES_MAX = 500
"""Of UIDs in one event; their number is told whole."""


@dataclass(slots=True)
class Notes:
    """The running account of one cycle."""

    ledger: Ledger
    watch: Watch
    _summary: Summary = field(default_factory=Summary)

    def summary(self, *, interrupted: bool) -> Summary:
        """Return what has happened so far."""
        return replace(self._summary, interrupted=interrupted)

    def observed(self, listing: Listing, settlements: Sequence[Settlement]) -> Listing:
        """Compare the listing with the last one; return it as this cycle may use it."""
        observation = self.ledger.observe(listing, self.watch.now())
        self._add(waiting=len(listing.uids))
        self._settled(listing, settlements)
        for ref in observation.lost:
            self._event("message.vanished", listing, uid=ref.uid, collected=False)
        self._add(vanished=len(observation.lost))
        if observation.gap:
            self._gap(listing, observation.gap)
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

    def _gap(self, listing: Listing, gap: Sequence[tuple[int, int]]) -> None:
        """Note UIDs that nobody accounts for: never listed here, and given out all the same."""
        shown = (f"{first}:{last}" if last > first else f"{first}" for first, last in gap)
        self._event(
            "mailbox.gap",
            listing,
            uidvalidity=listing.uidvalidity,
            uids_count=sum(last - first + 1 for first, last in gap),
            uids=",".join(islice(shown, RANGES_MAX)),
            is_cut=len(gap) > RANGES_MAX,
        )

    def _settled(self, listing: Listing, settlements: Sequence[Settlement]) -> None:
        for each in settlements:
            if each.state is State.VANISHED:
                self._event("message.vanished", listing, seq=each.seq, collected=True)
        self._add(
            expunged=sum(each.state is State.EXPUNGED for each in settlements),
            vanished=sum(each.state is State.VANISHED for each in settlements),
        )

    def announced(self, due: Sequence[Announced]) -> None:
        """Note how long the oldest message that is due has waited."""
        arrived = [each.internal_date for each in due if each.internal_date is not None]
        if arrived:
            waited_s = max(0.0, (self.watch.now() - min(arrived)).total_seconds())
            oldest_s = max(waited_s, self._summary.oldest_waiting_s or 0.0)
            self._summary = replace(self._summary, oldest_waiting_s=round(oldest_s, 1))

    def committed(self, batch: Committed) -> None:
        """Note what has become ours, and what the server would not hand over."""
        for each in batch.unfetched:
            self._set_aside(each.announced.ref, each.error)
        entries = batch.entries
        for entry in entries:
            receipt = entry.receipt
            log.info(
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
        self, held: Sequence[LedgerEntry], leaving: Sequence[LedgerEntry], listing: Listing
    ) -> None:
        """Note messages whose deletion was asked for and that are still there, or not allowed."""
        refused = sum(entry.state is State.CLEARED for entry in held)
        if listing.removal is Removal.REFUSED:
            refused = len(leaving)
        if refused:
            log.warning(
                "mailbox.refused",
                folder=listing.mailbox.folder,
                messages_count=refused,
                reason=listing.removal_refused_because or "deleted, but listed again",
            )
        self._add(refused=refused)

    def replaced(self, settlements: Sequence[Settlement], listing: Listing) -> None:
        """Note proven messages whose UID names another message now."""
        for each in settlements:
            self._event("message.replaced", listing, seq=each.seq)
        self._add(vanished=len(settlements))

    def cleared(self, proofs: Sequence[Proof]) -> None:
        """Note what was proven and asked to be deleted."""
        for proof in proofs:
            log.info("message.cleared", uid=proof.ref.uid, seq=proof.seq, digest=str(proof.digest))
        self._add(cleared=len(proofs))

    def _event(self, name: str, listing: Listing, **keys: object) -> None:
        log.warning(name, folder=listing.mailbox.folder, **keys)
        self.ledger.record_event(name, self.watch.now(), mailbox=str(listing.mailbox), **keys)

    def _add(self, **counts: int) -> None:
        changed = {name: getattr(self._summary, name) + count for name, count in counts.items()}
        self._summary = replace(self._summary, **changed)
