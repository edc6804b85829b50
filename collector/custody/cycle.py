"""One cycle of custody: out of the journal mailbox, into the archive.

    poll -> fetch -> unwrap -> store -> commit -> prove -> clear -> expunge
            `-- hand over --´  `-- collect --´            `-- expunge --´

The mailbox is the to-do list, the ledger is the done list, and a cycle works
off the difference; there is no cursor to lose.  Each thing is durable before
the next thing relies on it, and the ledger is written before the mailbox is
changed, so a crash between any two lines leaves a message in the mailbox or
in both places, never in neither.

While one batch is proven the next is stored and the one after that is fetched.
Between two windows whoever fetches deletes what is proven by then; what is left is
deleted before the next one, and the last of it at the end.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field

from collector.custody.ahead import ahead
from collector.custody.intake import Committed, HandedOver, Intake, Promised
from collector.custody.notes import Notes
from collector.custody.policy import batches, verdict
from collector.custody.proven import Proven
from collector.custody.verify import prove
from collector.custody.watch import Watch
from collector.domain.custody import LedgerEntry, Policy, Summary, Verdict
from collector.domain.errors import CycleError
from collector.domain.mailbox import Announced, Fetched, Listing, MessageRef, Removal, Unfetched
from collector.source.mailbox import Mailbox


def run_cycle(mailbox: Mailbox, intake: Intake, policy: Policy, watch: Watch) -> Summary:
    """Collect what is new, expunge what is proven, and say what happened.

    Raises:
        CycleError: it was stopped; its ``done`` says what had happened by then.
        IntegrityError: nothing more may be deleted.
    """
    notes = Notes(intake.ledger, watch, policy)
    try:
        horizon = intake.ledger.accounts.horizon(mailbox.id)
        listing = mailbox.poll(policy.since, policy.before, horizon)
        watch.progress()
        return Cycle(mailbox, intake, policy, watch, notes).run(listing)
    except CycleError as error:
        error.done = notes.summary(interrupted=True)
        raise


@dataclass(frozen=True, slots=True)
class Cycle:
    """One listing, worked off: batches go one way, proofs come back.

    Attributes:
        proven: what may be deleted, and was not asked to be deleted yet.
    """

    mailbox: Mailbox
    intake: Intake
    policy: Policy
    watch: Watch
    notes: Notes
    proven: Proven = field(default_factory=Proven)

    def run(self, listing: Listing) -> Summary:
        """Work off the listing, window by window."""
        listing = self.notes.observed(listing, self.intake.settle(listing, self.watch.now()))
        most = self.policy.ahead_batches_max
        with (
            ahead(self.hand_over(listing), most) as fetched,
            ahead(self.collect(fetched), most) as ours,
        ):
            for committed in ours:
                self.notes.committed(committed)
                self.prove(committed.entries, listing)
        if not self.watch.stop():
            self.expunge(listing)
        self.notes.refused(listing)
        return self.notes.summary(interrupted=self.watch.stop())

    def hand_over(self, listing: Listing) -> Generator[HandedOver, None, None]:
        """Fetch window by window, and delete between them: one thread talks to the server."""
        with self.intake.ledger.session():
            for window in listing.windows(self.policy.window_messages_max):
                self.expunge(listing)  # what of the windows before is proven by now
                due = self.intake.ledger.due(window, self.watch.now())
                self.prove(self.held(window, due), listing)
                announced = self.mailbox.announce(due)
                self.notes.announced(announced, listing)
                yield from batches(self.fetch(announced), self.policy)
                if self.watch.stop():
                    return

    def held(self, window: Sequence[MessageRef], due: Sequence[MessageRef]) -> list[LedgerEntry]:
        """Return what an earlier cycle has archived, and the mailbox still lists."""
        fetched = {each.uid for each in due}
        return self.intake.ledger.held([each for each in window if each.uid not in fetched])

    def fetch(self, due: Sequence[Announced]) -> Iterator[Promised | Unfetched]:
        """Yield what the server hands over; one bad message must not hold up the rest."""
        messages = self.intake.indexing.begin(self.policy.journal)
        for answer in self.mailbox.fetch(due) if not self.watch.stop() else ():
            if isinstance(answer, Fetched):
                yield Promised(answer, self.watch.now(), messages.add(answer.raw))
            else:
                yield answer
            self.watch.progress()
            if self.watch.stop():  # what has arrived is still committed
                break

    def collect(self, fetched: Iterator[HandedOver]) -> Generator[Committed, None, None]:
        """Take new messages into the archive; every entry yielded is durable."""
        with self.proven.unless_it_fails(), self.intake.ledger.session():
            yield from map(self.commit, fetched)

    def commit(self, batch: HandedOver) -> Committed:
        """Take one batch into the archive."""
        arrived = [each.arrived() for each in batch.promised]  # before anybody waits for us
        with self.intake.batch() as let_the_next_store:
            pending = self.intake.store(arrived, self.watch.now())  # durable now
            let_the_next_store()
            entries = self.intake.commit(pending)  # the commit point: now they are ours
        return Committed(entries, batch.unfetched)

    def prove(self, entries: Sequence[LedgerEntry], listing: Listing) -> None:
        """Read back from the medium what the mailbox will let go."""
        now = self.watch.now()
        leaving = [each for each in entries if verdict(each, self.policy, now) is Verdict.EXPUNGE]
        self.notes.kept(entries, leaving, listing)
        if leaving and listing.removal is not Removal.REFUSED:
            with self.proven.unless_it_fails():
                self.proven.add(prove(leaving, self.intake.read_back, now))

    def expunge(self, listing: Listing) -> None:
        """Delete from the mailbox what the archive proves it holds."""
        proofs = self.proven.take()
        if not proofs:
            return
        self.intake.check_sound()  # another mailbox may have met a failed fsync meanwhile
        self.intake.ledger.clear(proofs)  # what we are about to do, on which evidence
        strangers = self.mailbox.expunge(proofs, listing.removal)  # the next poll settles the rest
        self.notes.replaced(self.intake.supersede(strangers, self.watch.now()), listing)
        self.notes.cleared(proofs)
        self.watch.progress()
