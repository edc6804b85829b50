"""Shows checkpoints to others: time-stamp authorities, and anchors outside the archive.

Rule: never inside a cycle, and nothing waits for it.  A place that cannot be
reached is tried again after a growing pause; the next checkpoint covers all
before it, so none is made good.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import structlog

from collector.config import Settings
from collector.custody.checkpoints import NAME, SUFFIX
from collector.custody.intake import Intake
from collector.custody.watch import utc_now
from collector.domain.errors import ConfigError, CycleError
from collector.domain.evidence import SignedCheckpoint, TimeStamp
from collector.evidence.anchors import Anchor, FileAnchor, WebhookAnchor
from collector.evidence.timestamp import Authority, request_stamp, verify_stamp
from collector.evidence.web import Address
from collector.service.backoff import Backoff
from collector.service.evidence import directory_of
from collector.service.pulse import Pulse
from collector.store import durable

log = structlog.get_logger("collector.service")

STAMP_SUFFIX = ".tsr"
STAMP_PAUSE_S = timedelta(hours=1).total_seconds()
ANCHOR_PAUSE_S = 10.0
LOOK_S = 10.0
SHOWN = "shown"
"""The reading of a place that has a checkpoint."""
CERTIFICATES_BYTES_MAX = 1024 * 1024


@dataclass(slots=True)
class Place:
    """Somebody outside, and when he is asked again.

    Attributes:
        show: takes a checkpoint there; it is there when this returns.
        pause_s: between two checkpoints.
    """

    name: str
    show: Callable[[SignedCheckpoint], None]
    pause_s: float
    _shown: int = 0
    _again_s: float = 0.0
    _backoff: Backoff = field(default_factory=Backoff)

    def bring(self, signed: SignedCheckpoint) -> bool:
        """Show a checkpoint, if there is one he has not seen and it is time; say whether he has."""
        if signed.checkpoint.size <= self._shown or time.monotonic() < self._again_s:
            return False
        try:
            self.show(signed)
        except (CycleError, ConfigError) as error:
            self._again_s = time.monotonic() + self._backoff.failed(error)
            log.warning("checkpoint.unseen", place=self.name, error=error.what, hint=error.hint)
            return False
        self._backoff.succeeded()
        self._shown = signed.checkpoint.size
        self._again_s = time.monotonic() + self.pause_s
        log.info("checkpoint.shown", place=self.name, leaves_count=self._shown)
        return True


@dataclass(slots=True)
class OutsideJob:
    """The job that shows checkpoints."""

    places: list[Place]
    name: str = ":outside"
    pulse: Pulse = field(default_factory=Pulse)

    def work(self, intake: Intake, stop: Callable[[], bool]) -> float:
        """Show the newest checkpoint to everybody who has not seen it; return seconds to rest."""
        newest = intake.checkpoints.latest() if intake.checkpoints else None
        for place in self.places if newest else ():
            if stop():
                break
            self.pulse.beat()
            assert newest is not None  # noqa: S101 - there are no places without one
            if place.bring(newest):
                leaves_count = newest.checkpoint.size
                intake.ledger.memory.note_reading(
                    place.name, SHOWN, utc_now(), leaves_count=leaves_count
                )
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
        Place(authority.name, _stamping(authority, directory), STAMP_PAUSE_S)
        for authority in authorities(settings)
    ]
    for path in evidence.anchor_files:
        file = FileAnchor(path, durable.sync_file)
        places.append(Place(str(path), _anchoring(file), ANCHOR_PAUSE_S))
    for url in evidence.anchor_urls:
        hook = WebhookAnchor(Address(url))
        places.append(Place(hook.address.host, _anchoring(hook), ANCHOR_PAUSE_S))
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
    """Return the sizes of the checkpoints that have a time stamp."""
    names = (path.name.partition(".")[0] for path in directory.glob(f"*{STAMP_SUFFIX}"))
    return {int(name) for name in names if NAME.fullmatch(f"{name}{SUFFIX}")}


def _anchoring(anchor: Anchor) -> Callable[[SignedCheckpoint], None]:
    return lambda signed: anchor.publish(signed, utc_now())


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
