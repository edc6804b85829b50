"""Collects until nothing is due: the one-shot commands ``collect`` and ``backfill``.

Rule: one mailbox that cannot be reached does not keep the others waiting; its
error is told at the end.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date
from functools import partial

from structlog.contextvars import bound_contextvars

from collector.config import MailboxSettings, Settings
from collector.custody.cycle import run_cycle
from collector.custody.ration import LedgerRation
from collector.custody.watch import Watch, utc_now
from collector.domain.custody import Policy, Summary
from collector.domain.errors import ConfigError, CycleError, ThrottledError
from collector.domain.mailbox import MailboxId
from collector.service.assemble import House, account_of, policy_of
from collector.service.job import failure_of, report_cycle
from collector.service.side_by_side import side_by_side
from collector.service.throttle import find_throttle, note_throttle, still_throttled
from collector.source.imap import ImapMailbox


@dataclass(frozen=True, slots=True)
class Work:
    """One folder to be collected, and how."""

    mailbox: MailboxSettings
    folder: str
    policy: Policy


@dataclass(slots=True)
class Outcome:
    """What all the work came to."""

    summary: Summary = field(default_factory=Summary)
    errors: list[CycleError | ConfigError] = field(default_factory=list)
    elapsed_s: float = 0.0


def collect_work(settings: Settings, names: Sequence[str] = ()) -> list[Work]:
    """Return the folders of the named mailboxes, of all when none is named.

    Raises:
        ConfigError: there is no such mailbox, or none at all.
    """
    mailboxes = [_mailbox(settings, name) for name in names] or list(settings.mailboxes)
    work = [Work(each, folder, policy_of(each)) for each in mailboxes for folder in each.folders]
    return _not_empty(work)


def backfill_work(
    settings: Settings,
    sources: Sequence[str],
    since: date | None,
    before: date | None,
    *,
    delete: bool,
) -> list[Work]:
    """Return the folders to backfill: ``NAME:FOLDER``, ``NAME``, or all configured ones.

    ``NAME`` alone means the mailbox's ``backfill_folders``, or its ``folders``
    when it has none.

    Raises:
        ConfigError: a source names no configured mailbox.
    """
    named = [_source(settings, source) for source in sources]
    if not sources:
        named = [(each, each.backfill_folders) for each in settings.mailboxes]
    work = []
    for mailbox, folders in named:
        policy = replace(policy_of(mailbox), delete=delete, since=since, before=before)
        for folder in folders:  # people may use those that are only looked through once
            watched = folder in mailbox.folders
            work.append(Work(mailbox, folder, replace(policy, watched=watched)))
    return _not_empty(work)


def _source(settings: Settings, source: str) -> tuple[MailboxSettings, Sequence[str]]:
    name, colon, folder = source.partition(":")
    mailbox = _mailbox(settings, name)
    return mailbox, ((folder,) if colon else mailbox.backfill_folders or mailbox.folders)


def _mailbox(settings: Settings, name: str) -> MailboxSettings:
    for mailbox in settings.mailboxes:
        if mailbox.name == name:
            return mailbox
    known = ", ".join(each.name for each in settings.mailboxes) or "none"
    raise ConfigError(
        "there is no such mailbox in the configuration",
        subject=name,
        hint=f"configured are: {known}; a folder is written NAME:FOLDER",
    )


def _not_empty(work: list[Work]) -> list[Work]:
    if not work:
        raise ConfigError(
            "there is no folder to collect",
            subject="[[mailbox]]",
            hint="add a [[mailbox]] with folders to the configuration, or name a source",
        )
    return work


def run_until_done(house: House, settings: Settings, work: Sequence[Work], watch: Watch) -> Outcome:
    """Run cycles over each folder until a cycle finds nothing to do.

    Mailboxes are worked on side by side, the folders of one in turn.  Segments that
    earlier runs filled are sealed meanwhile; those this run fills are left to the next.

    Raises:
        IntegrityError: nothing more is deleted anywhere.
    """
    began_s = time.monotonic()
    house.intake.seal()
    mailboxes: dict[str, list[Work]] = {}
    for each in work:
        mailboxes.setdefault(each.mailbox.name, []).append(each)
    action = partial(_until_done, house, settings)
    outcome = Outcome()
    for done in side_by_side(action, list(mailboxes.values()), watch):
        outcome.summary = _and(outcome.summary, done.summary)
        outcome.errors += done.errors
    outcome.elapsed_s = time.monotonic() - began_s
    house.intake.finish_sealing(watch.stop)
    return outcome


def _until_done(house: House, settings: Settings, folders: Sequence[Work], watch: Watch) -> Outcome:
    """Run cycles over the folders of one mailbox."""
    outcome = Outcome()
    with house.ledger.session(), bound_contextvars(mailbox=folders[0].mailbox.name):
        for each in folders:
            if watch.stop():
                outcome.summary = replace(outcome.summary, interrupted=True)
                break
            mailbox = ImapMailbox(account_of(settings, each.mailbox, watch.progress), each.folder)
            mailbox.ration = LedgerRation(each.mailbox.name, house.ledger.throttles, utc_now)
            try:
                throttled = _heed_throttle(house, mailbox, each)
                outcome.summary = _and(outcome.summary, _cycles(house, mailbox, each, watch))
                if throttled:
                    house.ledger.throttles.forget(each.mailbox.name)
            except (CycleError, ConfigError) as error:
                outcome.errors.append(error)
                with suppress(CycleError):  # a full disk; the error itself is told all the same
                    house.ledger.note_cycle(_id(each), utc_now(), failure_of(error, 0.0))
                    if isinstance(error, ThrottledError):
                        note_throttle(house.ledger, each.mailbox.name, error, utc_now())
                if isinstance(error, CycleError) and error.done:
                    outcome.summary = _and(outcome.summary, error.done)
            finally:
                mailbox.close()
    return outcome


def _heed_throttle(house: House, mailbox: ImapMailbox, work: Work) -> bool:
    """Leave a server alone that asked for it; say whether it did, in this run or before.

    Raises:
        ThrottledError: it is not time yet.
    """
    now = utc_now()
    found = find_throttle(house.ledger, work.mailbox.name, now)
    if found is None:
        return False
    if found.until_at > now:
        raise still_throttled(found, work.mailbox.name, now)
    mailbox.resume(found.throttle)
    return True


def _cycles(house: House, mailbox: ImapMailbox, work: Work, watch: Watch) -> Summary:
    total = Summary()
    while True:
        began_s = time.monotonic()
        try:
            summary = run_cycle(mailbox, house.intake, work.policy, watch)
        except CycleError as error:
            error.done = total.plus(error.done or Summary())
            raise
        report_cycle(work.folder, summary, time.monotonic() - began_s)
        house.ledger.note_cycle(_id(work), utc_now(), summary)
        house.intake.attest(utc_now())
        total = total.plus(summary)
        if summary.interrupted or not (summary.collected or summary.cleared):
            return total


def _id(work: Work) -> MailboxId:
    return MailboxId(work.mailbox.name, work.folder)


def _and(one: Summary, other: Summary) -> Summary:
    """Return the sum over two folders."""
    return replace(
        one.plus(other),
        waiting=one.waiting + other.waiting,
        refused=one.refused + other.refused,
        interrupted=one.interrupted or other.interrupted,
    )
