"""Builds the rooms from the settings: the only place where they are put together.

Rule: one process at a time writes an archive; any number may read it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import structlog

from collector import __version__
from collector.config import MailboxSettings, Settings, shown_settings
from collector.custody.derivation import Derivation
from collector.custody.indexing import Indexing
from collector.custody.intake import Intake
from collector.custody.rereading import Rereading
from collector.custody.watch import utc_now
from collector.domain.custody import Policy
from collector.domain.errors import ConfigError, CycleError
from collector.domain.journal import JournalProfile
from collector.ledger.ledger import Ledger
from collector.ledger.migrate import migrate
from collector.service.access import token_source
from collector.service.activity import Activity
from collector.service.acts import Person, person_of, record_act
from collector.service.evidence import open_checkpoints
from collector.service.job import MailboxJob
from collector.service.pulse import Pulse
from collector.source.account import Account
from collector.source.imap import ImapMailbox
from collector.store.archive import Archive
from collector.store.durable import settle, sync_directory
from collector.store.writer import ArchiveWriter

log = structlog.get_logger("collector.service")

LEDGER = "ledger.db"
UNWATCHED = timedelta(minutes=15)
UNWATCHED_POLLS = 3
"""A longer pause between two polls is an outage; a slow pace alone is none."""
FITTED = ("deleted_folder", "size_is_hint", "daily_bytes_max", "connections_max")
"""Settings that the preset of a provider fills in where nobody configured them."""


@dataclass(frozen=True, slots=True)
class House:
    """The open rooms of a process that writes an archive."""

    archive: Archive
    ledger: Ledger
    intake: Intake
    person: Person

    def record_act(self, name: str, **keys: object) -> None:
        """Log an act and write it into the ledger, with who does it."""
        log.info(name, **keys)
        record_act(self.ledger, self.person, name, **keys)

    def record(self, name: str, **keys: object) -> None:
        """Log an event and write it into the ledger."""
        log.info(name, **keys)
        self.ledger.record_event(name, utc_now(), mailbox="", **keys)


@contextmanager
def open_house(settings: Settings, person: Person | None = None) -> Iterator[House]:
    """Open the archive for writing; make it when it is not there.

    Args:
        person: who does it; the user of this process when not given.

    Raises:
        ConfigError: the directory cannot be used, or the ledger is missing
            beside segments that hold messages.
        CycleError: another process has it.
    """
    root = settings.archive.path
    derivation = derivation_of(settings)
    profiles = list(dict.fromkeys(derivation.profiles.values()))
    with (
        closing(Rereading.beside(root, root / LEDGER)) as rereading,  # forks, both: they
        closing(Indexing.beside(profiles)) as indexing,  # inherit next to nothing
        ArchiveWriter.open(root) as writer,
    ):
        archive = Archive(root)
        # Without a segment there is nothing a ledger could have named, so one may be made.
        create = not archive.segments()
        if writer.unclean:
            _believe_the_medium(root)
        ledger = Ledger.open(root / LEDGER, create=create, sync_directory=sync_directory)
        try:
            with ledger.session():
                recovered = writer.recover(ledger.last_blob())
                intake = Intake(
                    writer,
                    ledger,
                    archive,
                    profile_of=derivation.profile_of,
                    indexing=indexing,
                    rereading=rereading,
                )
                house = House(archive, ledger, intake, person or person_of())
                from_seq = ledger.last_seq() + 1
                with suppress(CycleError, ConfigError), intake.turn():
                    pass  # adopts what a crash left, with its events, before others are numbered
                if recovered:
                    house.record("archive.recovered", segments=recovered)
                house.intake.checkpoints = open_checkpoints(settings, house.record)
                _note_settings(house, settings)
                if derivation.note(ledger, from_seq, utc_now()):
                    log.info("index.derived", from_seq=from_seq, **derivation.facts())
                house.intake.attest(utc_now())
                yield house
                house.intake.attest(utc_now())
        finally:
            rereading.close()  # first: who closes a ledger last tidies it up
            ledger.close()


def _note_settings(house: House, settings: Settings) -> None:
    """Write down which settings differ from those last in effect, secrets hidden."""
    keys = {"person": house.person.facts()}
    changes = house.ledger.accounts.note_settings(shown_settings(settings), utc_now(), keys)
    if changes:
        log.info("config.changed", keys=[each.key for each in changes])


def _believe_the_medium(root: Path) -> None:
    """Forget what the kernel remembers of the ledger: a commit whose sync failed is not one."""
    for name in (LEDGER, f"{LEDGER}-wal"):
        if (root / name).exists():
            settle(root / name)


@contextmanager
def open_reading(settings: Settings) -> Iterator[tuple[Archive, Ledger]]:
    """Open the archive for reading, beside a service that may be writing it.

    One that cannot be written (a copy, another's archive) is opened all the same.

    Raises:
        ConfigError: there is no archive, or its ledger needs a migration.
    """
    root = settings.archive.path
    ledger = Ledger.open_reading(root / LEDGER, sync_directory)
    try:
        with ledger.session():
            yield Archive(root), ledger
    finally:
        ledger.close()


def account_of(
    settings: Settings, mailbox: MailboxSettings, progress: Callable[[], None] = lambda: None
) -> Account:
    """Return what the source needs to reach a configured mailbox."""
    return Account(
        name=mailbox.name,
        host=mailbox.host,
        port=mailbox.port,
        security=mailbox.security,
        username=mailbox.username,
        password=mailbox.password,
        token=token_source(settings, mailbox),
        ca_file=mailbox.ca_file,
        spool_dir=spool_of(settings.archive.path),
        message_bytes_max=mailbox.message_bytes_max,
        provider=mailbox.provider,
        configured=frozenset(each for each in FITTED if getattr(mailbox, each) is not None),
        deleted_folder=mailbox.deleted_folder,
        exclusive=mailbox.exclusive,
        size_is_hint=bool(mailbox.size_is_hint),
        daily_bytes_max=mailbox.daily_bytes_max,
        connections_max=mailbox.connections_max,
        progress=progress,
        alert=lambda text: log.warning("server.alerted", mailbox=mailbox.name, text=text),
    )


def spool_of(root: Path) -> Path:
    """Return the directory for large messages on their way; on the archive's own disk."""
    return Archive(root).spool_dir


def profile_of(mailbox: MailboxSettings) -> JournalProfile:
    """Return what a mailbox is configured to hold, and what is believed there."""
    return mailbox.profile_for(mailbox.username)


def derivation_of(settings: Settings) -> Derivation:
    """Return how this program derives the index, with these settings."""
    return Derivation(__version__, {each.name: profile_of(each) for each in settings.mailboxes})


def policy_of(mailbox: MailboxSettings) -> Policy:
    """Return the policy a configured mailbox is collected under."""
    pause = timedelta(seconds=UNWATCHED_POLLS * mailbox.poll_interval_s)
    return Policy(
        journal=profile_of(mailbox),
        delete=mailbox.delete,
        keep_unrecognised=mailbox.keep_unrecognised,
        unwatched_after=max(UNWATCHED, pause),
    )


def mailbox_jobs(settings: Settings, activity: Activity) -> list[MailboxJob]:
    """Return one job for every mailbox that has folders to collect."""
    return [_job(settings, mailbox, activity) for mailbox in settings.mailboxes if mailbox.folders]


def _job(settings: Settings, mailbox: MailboxSettings, activity: Activity) -> MailboxJob:
    pulse = Pulse()
    account = account_of(settings, mailbox, pulse.beat)
    return MailboxJob(
        name=mailbox.name,
        folders=mailbox.folders,
        connect=lambda folder: ImapMailbox(account, folder),
        policy=policy_of(mailbox),
        poll_interval_s=mailbox.poll_interval_s,
        idle=mailbox.idle,
        pulse=pulse,
        activity=activity,
    )


def migrate_ledger(settings: Settings) -> list[str]:
    """Apply pending migrations to the ledger; return their names.

    Raises:
        CycleError: another process has the archive.
    """
    root = settings.archive.path
    with ArchiveWriter.open(root):
        return migrate(root / LEDGER, sync_directory)
