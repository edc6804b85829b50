"""Mistakes in the order of custody: what is deleted, on which evidence, and what is forgotten."""

from __future__ import annotations

from mutants import mutant, replace


@mutant
def delete_before_proof() -> None:
    """The mailbox is asked to delete before the stored copy was read back."""
    from collector.custody import cycle
    from collector.domain.custody import Proof

    def make(original):
        def prove(self, entries, listing):
            if entries:
                now = self.watch.now()
                believed = [
                    Proof(each.seq, each.ref, each.receipt.digest, each.receipt.size_bytes, now)
                    for each in entries
                ]
                self.mailbox.expunge(believed, listing.removal)
            return original(self, entries, listing)

        return prove

    replace(cycle.Cycle, "prove", make)


@mutant
def expunge_before_clear() -> None:
    """The mailbox is asked to delete, and only then the ledger told on which evidence."""
    from collector.custody import cycle

    class Late:
        """The ledger, whose ``clear`` waits until the mailbox was asked."""

        def __init__(self, ledger) -> None:
            self._ledger, self.waiting = ledger, []

        def __getattr__(self, name: str):
            return getattr(self._ledger, name)

        def clear(self, proofs) -> None:
            self.waiting = list(proofs)

    def make(original):
        def expunge(self, *arguments):
            real = self.intake.ledger
            self.intake.ledger = late = Late(real)
            try:
                original(self, *arguments)
            finally:
                self.intake.ledger = real
            if late.waiting:
                real.clear(late.waiting)

        return expunge

    replace(cycle.Cycle, "expunge", make)


@mutant
def proof_without_reading() -> None:
    """A proof is made of what is remembered."""
    from collector.custody import cycle
    from collector.domain.custody import Proof

    def prove(entries, _read_back, now):
        return [
            Proof(each.seq, each.ref, each.receipt.digest, each.receipt.size_bytes, now)
            for each in entries
        ]

    replace(cycle, "prove", lambda _: prove)


@mutant
def plain_expunge() -> None:
    """EXPUNGE without UIDs: whatever anybody flagged is deleted."""
    from collector.source.client import Client

    def make(original):
        def do(self, command):
            return original(self, b"EXPUNGE" if command.startswith(b"UID EXPUNGE") else command)

        return do

    replace(Client, "do", make)


@mutant
def everything_listed_is_deleted() -> None:
    """What was listed is deleted, not what of it was proven."""
    from collector.custody import cycle
    from collector.domain.custody import Proof

    def make(original):
        def expunge(self, listing):
            proofs = self.proven.take()
            self.proven.add(proofs)
            original(self, listing)
            if proofs:
                last = proofs[-1]
                more = [
                    Proof(last.seq, ref, last.digest, last.size_bytes, last.proven_at)
                    for window in listing.windows(len(listing.uids))
                    for ref in window
                ]
                self.mailbox.expunge(more, listing.removal)

        return expunge

    replace(cycle.Cycle, "expunge", make)


@mutant
def uid_cursor() -> None:
    """What is below the highest UID collected so far counts as done."""
    from collector.ledger.ledger import Ledger

    def make(original):
        def due(self, refs, now):
            highest = max((each.ref.uid for each in self.entries()), default=0)
            return [ref for ref in original(self, refs, now) if ref.uid > highest]

        return due

    replace(Ledger, "due", make)


@mutant
def only_this_cycle() -> None:
    """Only what this process committed is deleted: after a crash the rest stays for ever."""
    from collector.ledger.ledger import Ledger

    ours: set[int] = set()

    def make_commit(original):
        def commit(self, pending, **options):
            entries = original(self, pending, **options)
            ours.update(id(self._database) ^ each.seq for each in entries)
            return entries

        return commit

    def make_held(original):
        def held(self, refs):
            found = original(self, refs)
            return [each for each in found if id(self._database) ^ each.seq in ours]

        return held

    replace(Ledger, "commit", make_commit)
    replace(Ledger, "held", make_held)


@mutant
def nothing_is_adopted() -> None:
    """What was stored and not committed is forgotten; its numbers are used again."""
    from collector.custody import intake

    replace(intake, "adopt", lambda _: lambda *_arguments, **_options: None)


@mutant
def stored_is_unknown() -> None:
    """What is stored and not committed yet is not known to the batch that is stored behind it."""
    from collector.custody.intake import Intake, LastBatch

    def make(original):
        def store(self, arrived, now):
            self._last_batch = LastBatch()
            return original(self, arrived, now)

        return store

    replace(Intake, "store", make)


@mutant
def uidvalidity_ignored() -> None:
    """A renumbered mailbox is taken for the one it was."""
    from collector.ledger import polls
    from collector.ledger.ledger import Ledger

    def as_known(ledger, listing):
        import dataclasses

        with ledger._database.reading():
            row = polls.folder_row(ledger._database, listing.mailbox)
        known = row["uidvalidity"] if row else None
        return dataclasses.replace(listing, uidvalidity=known or listing.uidvalidity)

    def make(original):
        def method(self, listing, now):
            return original(self, as_known(self, listing), now)

        return method

    replace(Ledger, "unsettled", make)
    replace(Ledger, "observe", make)


@mutant
def unfetched_is_forgotten() -> None:
    """A message that a fetch did not bring is never asked for again."""
    from collector.ledger.ledger import Ledger

    def make(original):
        tried: set[object] = set()

        def due(self, refs, now):
            found = [ref for ref in original(self, refs, now) if ref not in tried]
            tried.update(found)
            return found

        return due

    replace(Ledger, "due", make)


@mutant
def log_before_segment() -> None:
    """Events get their leaves before a segment holds them."""
    from collector.custody.intake import Intake

    def log_events(self) -> None:
        with self.turn():
            while events := self.ledger.unlogged_events():
                self.ledger.log_events(events)
                self.writer.append_events(events)

    replace(Intake, "_log_events", lambda _original: log_events)
