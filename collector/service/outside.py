"""Shows checkpoints to others: time-stamp authorities, and anchors outside the archive.

Rule: never inside a cycle, and nothing waits for it, however long somebody outside
takes.  A place that cannot be reached is tried again after a growing pause; the next
checkpoint covers all before it, so none is made good.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from threading import Thread

import structlog

from collector.config import Settings
from collector.config.mail import MailSettings
from collector.custody.anchored import Anchored
from collector.custody.checkpoints import NAME, SUFFIX, names_in
from collector.custody.intake import Intake
from collector.custody.watch import utc_now
from collector.domain.errors import ConfigError, CycleError, IntegrityError
from collector.domain.evidence import SignedCheckpoint, TimeStamp
from collector.evidence.anchors import Anchor, FileAnchor, MailAnchor, WebhookAnchor
from collector.evidence.timestamp import Authority, request_stamp, verify_stamp
from collector.evidence.web import Address
from collector.service.backoff import Backoff
from collector.service.evidence import directory_of
from collector.service.pulse import Pulse
from collector.store import durable

log = structlog.get_logger("collector.service")

STAMP_SUFFIX = ".tsr"
STAMP_INTERVAL_S = 3600.0
SHOW_S_MAX = 90.0
"""Longest wait for one place; what is bounded by nothing else is a hanging mount, or names
that nobody resolves."""

LOOK_S = 10.0
SHOWN = "shown"
"""The reading of a place that has a checkpoint."""
CERTIFICATES_BYTES_MAX = 1024 * 1024


@dataclass(slots=True)
class Place:
    """Somebody outside, and when he is asked again.

    The day is divided into turns of ``interval_s``; in each the newest checkpoint is shown
    once, so that all places of one interval get the same one.

    Attributes:
        show: takes a checkpoint there; it is there when this returns.
        intend: writes down that it may be there soon; a kill may come before ``note``.
        note: writes down that it is there.
        shown: size of the newest one he has.
    """

    name: str
    show: Callable[[SignedCheckpoint], None]
    interval_s: float
    intend: Callable[[int], None] = lambda _size: None
    note: Callable[[int], None] = lambda _size: None
    shown: int = 0
    _intended: int = 0
    _turn: int = -1
    _again_s: float = 0.0
    _backoff: Backoff = field(default_factory=Backoff)
    _attempt: Thread | None = None

    def bring(self, signed: SignedCheckpoint, now: datetime) -> bool:
        """Show a checkpoint, if he has not seen it and it is time; say whether he has now."""
        size, turn = signed.checkpoint.size, int(now.timestamp() // self.interval_s)
        if size == self.shown or turn == self._turn or time.monotonic() < self._again_s:
            return False
        try:
            if size != self._intended:
                self.intend(size)
                self._intended = size
            self._show_in_time(signed)
            self.note(size)
        except durable.DurabilityError:
            raise  # the archive's own disk
        except (CycleError, ConfigError, IntegrityError) as error:
            self._again_s = time.monotonic() + self._backoff.failed(CycleError(error.what))
            log.warning("checkpoint.unseen", place=self.name, error=error.what, hint=error.hint)
            return False
        self._backoff.succeeded()
        self.shown, self._turn = size, turn
        log.info("checkpoint.shown", place=self.name, leaves_count=size)
        return True

    def _show_in_time(self, signed: SignedCheckpoint) -> None:
        """Show it in a thread of its own, which nobody waits for longer than ``SHOW_S_MAX``."""
        if self._attempt is not None and self._attempt.is_alive():
            raise CycleError("an earlier attempt has not ended", subject=self.name)
        failures: list[Exception] = []

        def attempt() -> None:
            try:
                self.show(signed)
            except Exception as error:  # noqa: BLE001 - raised again by whoever waits
                failures.append(error)

        self._attempt = Thread(target=attempt, daemon=True)
        self._attempt.start()
        self._attempt.join(SHOW_S_MAX)
        if self._attempt.is_alive():
            raise CycleError(f"not done within {SHOW_S_MAX:.0f} s", subject=self.name)
        if failures:
            raise failures[0]


@dataclass(slots=True)
class OutsideJob:
    """The job that shows checkpoints."""

    places: list[Place]
    name: str = ":outside"
    pulse: Pulse = field(default_factory=Pulse)

    def work(self, intake: Intake, stop: Callable[[], bool]) -> float:
        """Show the newest checkpoint to everybody who has not seen it; return seconds to rest."""
        newest = intake.checkpoints.newest() if intake.checkpoints else None
        now = utc_now()
        for place in self.places if newest else ():
            if stop():
                break
            self.pulse.beat()
            assert newest is not None  # noqa: S101 - there are no places without one
            if place.bring(newest, now):
                leaves_count = newest.checkpoint.size
                intake.ledger.memory.note_reading(place.name, SHOWN, now, leaves_count=leaves_count)
        self.pulse.rest(LOOK_S)
        return LOOK_S

    def close(self) -> None:
        """Nothing is held open."""


def outside_jobs(settings: Settings) -> list[OutsideJob]:
    """Return the job, if anybody outside is configured.

    Raises:
        ConfigError: an address cannot be used, or certificates cannot be read.
    """
    evidence, directory = settings.evidence, directory_of(settings.archive.path)
    places = [
        Place(authority.name, _stamping(authority, directory), STAMP_INTERVAL_S)
        for authority in authorities(settings)
    ]
    anchored, names = Anchored(directory), Counter[str]()

    def add(name: str, show: Callable[[SignedCheckpoint], None], interval_s: float) -> None:
        names[name] += 1
        name = name if names[name] == 1 else f"{name}#{names[name]}"
        try:
            shown = anchored.newest(name)
        except IntegrityError:  # shown once more, then
            shown = 0
        places.append(Place(name, show, interval_s, *_noting(anchored, name), shown))

    for path in evidence.anchor_files:
        show = _anchoring(FileAnchor(path, durable.sync_file))
        add(f"file:{path}", show, evidence.anchor_interval_s)
    for url in evidence.anchor_urls:
        hook = WebhookAnchor(Address(url))
        add(f"web:{hook.address.host}", _anchoring(hook), evidence.anchor_interval_s)
    if evidence.mail.recipients:
        mail = evidence.mail
        add(f"mail:{mail.host}", _mailing(mail), mail.interval_s)
    return [OutsideJob(places)] if places else []


def authorities(settings: Settings) -> list[Authority]:
    """Return the time-stamp authorities, named by their hosts.

    Raises:
        ConfigError: an address cannot be used, or certificates cannot be read.
    """
    evidence = settings.evidence
    if not evidence.stamp_urls:
        return []
    if evidence.stamp_certificates is None:
        raise ConfigError(
            "the certificates of the time-stamp authorities are missing",
            subject="[evidence] stamp_certificates",
            hint="write their root certificates, PEM, into one file",
        )
    try:
        with evidence.stamp_certificates.open("rb") as file:
            certificates = file.read(CERTIFICATES_BYTES_MAX)
    except OSError as error:
        raise ConfigError(
            f"certificates cannot be read: {error.strerror}",
            subject=str(evidence.stamp_certificates),
        ) from error
    addresses = map(Address, evidence.stamp_urls)
    return [Authority(each.host.lower(), each, certificates) for each in addresses]


def stamps_of(directory: Path, signed: SignedCheckpoint, known: list[Authority]) -> list[TimeStamp]:
    """Return the time stamps that lie beside a checkpoint, verified.

    Raises:
        IntegrityError: one is not over this checkpoint, or not by its authority.
    """
    stamps = []
    for authority in known:
        path = _stamp_file(directory, signed, authority)
        if path.exists():
            raw = path.read_bytes()
            stamps.append(verify_stamp(authority.name, raw, signed.raw, authority.certificates))
    return stamps


def stamped_sizes(directory: Path) -> set[int]:
    """Return the sizes of the checkpoints that have a time stamp.

    Raises:
        IntegrityError: the directory cannot be read.
    """
    return {size for size, _authority in _stamps_in(directory)}


def stamp_files(directory: Path) -> dict[int, set[str]]:
    """Return the names of the authorities whose stamps lie in a directory, by size.

    Raises:
        IntegrityError: the directory cannot be read.
    """
    found: dict[int, set[str]] = {}
    for size, authority in _stamps_in(directory):
        found.setdefault(size, set()).add(authority)
    return found


def _stamps_in(directory: Path) -> Iterator[tuple[int, str]]:
    for name in names_in(directory):
        size, _, authority = name.removesuffix(STAMP_SUFFIX).partition(".")
        if name.endswith(STAMP_SUFFIX) and NAME.fullmatch(f"{size}{SUFFIX}"):
            yield int(size), authority


def _anchoring(anchor: Anchor) -> Callable[[SignedCheckpoint], None]:
    def show(signed: SignedCheckpoint) -> None:
        try:
            anchor.publish(signed, utc_now())
        except durable.DurabilityError as error:  # another disk than the archive's
            raise CycleError(error.what, subject=error.subject) from error

    return show


def _noting(anchored: Anchored, place: str) -> tuple[Callable[[int], None], Callable[[int], None]]:
    """Return what writes down that a place is about to have a checkpoint, and that it has it."""
    return (
        lambda size: anchored.intend(size, place, utc_now()),
        lambda size: anchored.add(size, place, utc_now()),
    )


def mail_anchor(mail: MailSettings) -> MailAnchor:
    """Return the anchor that mails; the password is read now.

    Raises:
        ConfigError: an address or the password cannot be used.
        CycleError: the password cannot be had now.
    """
    return MailAnchor(
        host=mail.host,
        port=mail.port,
        sender=mail.sender or mail.recipients[0],
        recipients=mail.recipients,
        security=mail.security,
        username=mail.username or "",
        password=mail.password() if mail.password else "",
        ca_file=mail.ca_file,
    )


def _mailing(mail: MailSettings) -> Callable[[SignedCheckpoint], None]:
    return lambda signed: mail_anchor(mail).publish(signed, utc_now())


def _stamping(authority: Authority, directory: Path) -> Callable[[SignedCheckpoint], None]:
    def stamp(signed: SignedCheckpoint) -> None:
        path = _stamp_file(directory, signed, authority)
        if path.exists():
            return
        raw = request_stamp(authority, signed.raw).raw
        try:
            durable.publish(path, raw)
        except OSError as error:
            raise durable.write_error(error, path) from error

    return stamp


def _stamp_file(directory: Path, signed: SignedCheckpoint, authority: Authority) -> Path:
    return directory / f"{signed.checkpoint.size:012d}.{authority.name}{STAMP_SUFFIX}"
