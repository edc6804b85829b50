"""The work of one mailbox: cycles over its folders, then rest.

Rule: an error that stops a cycle ends here and becomes a pause; an error that
stops the service goes up.  One job never runs twice at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog
from structlog.contextvars import bound_contextvars

from collector.custody.cycle import run_cycle
from collector.custody.intake import Intake
from collector.custody.watch import Watch, utc_now
from collector.domain.custody import Policy, Summary
from collector.domain.errors import CycleError
from collector.domain.mailbox import MailboxId
from collector.service.backoff import Backoff, jittered
from collector.service.pulse import Pulse
from collector.source.imap import ImapMailbox

log = structlog.get_logger("collector.service")


@dataclass(slots=True)
class MailboxJob:
    """One configured mailbox and its folders.

    Attributes:
        connect: opens the mailbox for a folder; called once per folder and kept.
    """

    name: str
    folders: tuple[str, ...]
    connect: Callable[[str], ImapMailbox]
    policy: Policy
    poll_interval_s: float
    idle: bool
    pulse: Pulse = field(default_factory=Pulse)
    backoff: Backoff = field(default_factory=Backoff)
    _open: dict[str, ImapMailbox] = field(default_factory=dict)

    def work(self, intake: Intake, stop: Callable[[], bool]) -> float:
        """Run a cycle over every folder, wait for new mail; return seconds to rest.

        Raises:
            IntegrityError: nothing more may be deleted.
        """
        watch = Watch(stop=stop, progress=self.pulse.beat)
        with bound_contextvars(mailbox=self.name), intake.ledger.session():
            try:
                summaries = [self._cycle(folder, intake, watch) for folder in self.folders]
                self.backoff.succeeded()
                intake.seal()
            except CycleError as error:
                return self._rest(self.backoff.failed(error))
            if any(each.collected or each.cleared for each in summaries):
                return self._rest(0.0)  # look again at once: settle, and take what came meanwhile
            if stop() or not self._can_idle():
                return self._rest(jittered(self.poll_interval_s))
            return self._wait(stop)

    def close(self) -> None:
        """Log out of every folder."""
        for mailbox in self._open.values():
            mailbox.close()
        self._open.clear()

    def _cycle(self, folder: str, intake: Intake, watch: Watch) -> Summary:
        mailbox_id = MailboxId(self.name, folder)
        started_s = time.monotonic()
        try:
            mailbox = self._open.get(folder) or self.connect(folder)
            self._open[folder] = mailbox
            summary = run_cycle(mailbox, intake, self.policy, watch)
        except CycleError as error:
            log.error("cycle.failed", folder=folder, error=error.problem, hint=error.hint)
            intake.ledger.note_cycle(mailbox_id, utc_now(), None, str(error))
            raise
        report_cycle(folder, summary, time.monotonic() - started_s)
        intake.ledger.note_cycle(mailbox_id, utc_now(), summary, "")
        return summary

    def _can_idle(self) -> bool:
        first = self._open.get(self.folders[0])
        return self.idle and first is not None and first.offers_idle

    def _wait(self, stop: Callable[[], bool]) -> float:
        """Wait for new mail in the first folder; the others are polled when it returns."""
        self.pulse.rest(self.poll_interval_s)
        began_s = time.monotonic()
        if self._open[self.folders[0]].wait_for_arrival(self.poll_interval_s, stop):
            return self._rest(0.0)
        waited_s = time.monotonic() - began_s
        return self._rest(max(0.0, self.poll_interval_s - waited_s))

    def _rest(self, pause_s: float) -> float:
        self.pulse.rest(pause_s)
        return pause_s


def report_cycle(folder: str, summary: Summary, elapsed_s: float) -> None:
    """Log one line for a cycle; a quiet one only at DEBUG."""
    busy = summary.collected or summary.cleared or summary.expunged or summary.set_aside
    (log.info if busy else log.debug)(
        "cycle.finished",
        folder=folder,
        waiting=summary.waiting,
        collected=summary.collected,
        cleared=summary.cleared,
        expunged=summary.expunged,
        elapsed_s=round(elapsed_s, 3),
    )
