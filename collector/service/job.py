"""The work of one mailbox: cycles over its folders, then rest.

Rule: an error that stops a cycle ends here and becomes a pause, and so does a
setting that went wrong while the service runs: the other mailboxes go on.  An
error that stops the service goes up.  One job never runs twice at once.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import structlog
from structlog.contextvars import bound_contextvars

from collector.custody.cycle import run_cycle
from collector.custody.intake import Intake
from collector.custody.ration import LedgerRation
from collector.custody.watch import Watch, utc_now
from collector.domain.custody import Policy, Summary
from collector.domain.errors import ConfigError, CycleError, LoginError, ThrottledError
from collector.domain.mailbox import MailboxId, Survey
from collector.ledger.memory import Memory
from collector.ledger.watched import Failure, FailureKind
from collector.service.activity import Activity
from collector.service.backoff import Backoff, jittered
from collector.service.pulse import Pulse
from collector.service.throttle import find_throttle, note_throttle
from collector.source.imap import ImapMailbox

log = structlog.get_logger("collector.service")

SURVEY_S = 3600.0
"""Between two looks at quota and certificate."""

REVIVE_S = 30.0
"""Before a connection that died while it waited for mail is made anew."""


@dataclass(slots=True)
class MailboxJob:
    """One configured mailbox and its folders.

    Attributes:
        connect: opens the mailbox for a folder; called once per folder and kept, as far
            as the server allows so many connections.
        activity: told of every cycle.
    """

    name: str
    folders: tuple[str, ...]
    connect: Callable[[str], ImapMailbox]
    policy: Policy
    poll_interval_s: float
    idle: bool
    pulse: Pulse = field(default_factory=Pulse)
    activity: Activity = field(default_factory=Activity)
    _backoffs: dict[str, Backoff] = field(default_factory=lambda: defaultdict(Backoff))
    _rest_until_s: dict[str, float] = field(default_factory=dict)
    _open: dict[str, ImapMailbox] = field(default_factory=dict)
    _throttle: str | None = None
    _survey_at_s: dict[str, float] = field(default_factory=dict)

    def work(self, intake: Intake, stop: Callable[[], bool]) -> float:
        """Run a cycle over every folder, wait for new mail; return seconds to rest.

        Raises:
            IntegrityError: nothing more may be deleted.
        """
        watch = Watch(stop=stop, progress=self.pulse.beat)
        with bound_contextvars(mailbox=self.name), intake.ledger.session():
            if self._throttle is None:
                self._recall(intake)
            busy = self._cycles(intake, watch)
            intake.attest(utc_now())
            intake.seal()
        if busy:
            return self._rest(0.0)  # look again at once: settle, and take what came meanwhile
        if all(folder in self._rest_until_s for folder in self.folders):
            return self._rest(max(0.0, min(self._rest_until_s.values()) - time.monotonic()))
        if stop() or not self._can_idle():
            return self._rest(jittered(self.poll_interval_s))
        return self._wait(stop)

    def close(self) -> None:
        """Log out of every folder."""
        for mailbox in self._open.values():
            mailbox.close()
        self._open.clear()

    def _recall(self, intake: Intake) -> None:
        """Rest as long as the server asked an earlier run to."""
        now = utc_now()
        found = find_throttle(intake.ledger, self.name, now)
        self._throttle = found.throttle if found else ""
        if found is not None and found.until_at > now:
            left_s = (found.until_at - now).total_seconds()
            log.warning("mailbox.throttled", throttle=found.throttle, wait_s=round(left_s))
            for folder in self.folders:
                self._rest_until_s[folder] = time.monotonic() + left_s

    def _cycles(self, intake: Intake, watch: Watch) -> bool:
        """Run a cycle over each folder that does not rest; return whether one was busy.

        A folder that fails does not keep the others waiting.
        """
        busy = False
        for folder in self.folders:
            if time.monotonic() < self._rest_until_s.get(folder, 0.0):
                continue
            self._rest_until_s.pop(folder, None)
            try:
                summary = self._cycle(folder, intake, watch)
                busy |= bool(summary.collected or summary.cleared)
                self._backoffs[folder].succeeded()
            except (CycleError, ConfigError) as error:
                self._failed(folder, error, intake)
        return busy

    def _failed(self, folder: str, error: CycleError | ConfigError, intake: Intake) -> None:
        """Let a folder rest; all of them, when the server does not let us in."""
        pause_s = self._backoffs[folder].failed(error)
        failure = failure_of(error, pause_s)
        log.error(
            "cycle.failed",
            folder=folder,
            kind=failure.kind.value,
            error=error.problem,
            hint=error.hint,
            retry_in_s=round(pause_s, 1),
        )
        mailbox = MailboxId(self.name, folder)
        self.activity.failed(mailbox, failure)
        with suppress(CycleError):  # a full disk is no reason to stop
            intake.ledger.note_cycle(mailbox, utc_now(), failure)
            if isinstance(error, ThrottledError):
                self._throttle = error.throttle
                note_throttle(intake.ledger, self.name, error, utc_now())
        until_s = time.monotonic() + pause_s
        of_account = isinstance(error, LoginError | ThrottledError)
        for each in self.folders if of_account else (folder,):
            self._rest_until_s[each] = until_s

    def _cycle(self, folder: str, intake: Intake, watch: Watch) -> Summary:
        started_s = time.monotonic()
        mailbox = self._opened(folder, intake)
        summary = run_cycle(mailbox, intake, self.policy, watch)
        elapsed_s = time.monotonic() - started_s
        report_cycle(folder, summary, elapsed_s)
        intake.ledger.note_cycle(MailboxId(self.name, folder), utc_now(), summary)
        self.activity.succeeded(MailboxId(self.name, folder), summary, elapsed_s)
        self._survey(folder, mailbox, intake)
        if self._throttle:
            intake.ledger.throttles.forget(self.name)
            self._throttle = ""
        return summary

    def _opened(self, folder: str, intake: Intake) -> ImapMailbox:
        """Return the folder's mailbox; close another first when the server allows no more."""
        if folder not in self._open:
            for other in self._too_many():
                self._open.pop(other).close()
            mailbox = self.connect(folder)
            mailbox.ration = LedgerRation(self.name, intake.ledger.throttles, utc_now)
            mailbox.resume(self._throttle or "")
            self._open[folder] = mailbox
        return self._open[folder]

    def _too_many(self) -> list[str]:
        """Return whose connection must go before one more is opened.

        One of what the server allows is left to others (`collector check`, a person), and
        the first folder keeps its own for IDLE, as far as there are so many.
        """
        known = [each.connections_max for each in self._open.values() if each.connections_max]
        if not known or len(self._open) < max(1, min(known) - 1):
            return []
        kept = self.folders[0] if min(known) > 1 else ""
        return [each for each in self._open if each != kept][:1]

    def _survey(self, folder: str, mailbox: ImapMailbox, intake: Intake) -> None:
        """Look at quota and certificate now and then; a failure is told and changes nothing."""
        if time.monotonic() < self._survey_at_s.get(folder, 0.0):
            return
        self._survey_at_s[folder] = time.monotonic() + SURVEY_S
        try:
            note_survey(intake.ledger.memory, MailboxId(self.name, folder), mailbox.survey())
        except (CycleError, ConfigError) as error:
            log.warning("mailbox.unsurveyed", folder=folder, error=error.problem, hint=error.hint)

    def _can_idle(self) -> bool:
        first = self._open.get(self.folders[0])
        rests = self.folders[0] in self._rest_until_s
        return self.idle and not rests and first is not None and first.offers_idle

    def _wait(self, stop: Callable[[], bool]) -> float:
        """Wait for new mail in the first folder; the others are polled when it returns.

        Meanwhile the server shows life at every renewal of IDLE.  A connection that died is
        made anew soon, however seldom the folders are polled.
        """
        self.pulse.beat()
        began_s = time.monotonic()
        if self._open[self.folders[0]].wait_for_arrival(self.poll_interval_s, stop):
            return self._rest(0.0)
        left_s = max(0.0, self.poll_interval_s - (time.monotonic() - began_s))
        return self._rest(left_s if self._can_idle() else min(left_s, jittered(REVIVE_S)))

    def _rest(self, pause_s: float) -> float:
        self.pulse.rest(pause_s)
        return pause_s


def failure_of(error: CycleError | ConfigError, pause_s: float) -> Failure:
    """Return what is kept of a cycle that failed and is tried again after ``pause_s``."""
    match error:
        case LoginError():
            kind = FailureKind.LOGIN
        case ThrottledError():
            kind = FailureKind.THROTTLED
        case ConfigError():
            kind = FailureKind.CONFIGURATION
        case _:
            kind = FailureKind.UNREACHABLE
    done = error.done if isinstance(error, CycleError) else None
    return Failure(kind, str(error), pause_s, done.oldest_waiting_s if done else None)


def note_survey(memory: Memory, mailbox: MailboxId, survey: Survey) -> None:
    """Keep what was seen of a mailbox; what the server does not tell is not kept."""
    now = utc_now()
    if survey.quotas:
        quotas = [[each.resource, each.used, each.limit] for each in survey.quotas]
        memory.note_reading(str(mailbox), "quota", now, quotas=quotas)
    if survey.certificate_expires_at is not None:
        at = survey.certificate_expires_at.isoformat()
        memory.note_reading(mailbox.name, "certificate", now, expires_at=at)


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
        oldest_waiting_s=summary.oldest_waiting_s,
    )
