"""Sends canaries, looks for their copies in the archive, and tells how each path does.

Rule: storing knows nothing of this.  A copy is found afterwards, in the ledger by its
Message-ID, and believed only when the stored bytes carry our signature.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import structlog

from collector.config import Settings
from collector.config.canary import RelaySettings
from collector.custody.watch import utc_now
from collector.domain.alarm import Alarm
from collector.domain.canary import Canary, CanaryGrade, CanaryPath
from collector.domain.errors import ConfigError, CycleError
from collector.evidence.submission import Relay, submit
from collector.formats.originals import original_windows
from collector.ledger.ledger import Ledger
from collector.ledger.query import Filter, Record
from collector.service.facts import Facts, instant
from collector.store import durable
from collector.store.archive import Archive
from collector.watch.canary import CanaryFacts, alarms, grade
from collector.watch.canary_mail import (
    HEADER_BYTES_MAX,
    KEY_BYTES,
    compose,
    is_signed,
    new_canary,
    new_key,
)

log = structlog.get_logger("collector.service")

KEY = "canary.key"
KEY_BYTES_MAX = 64 * 1024
COPIES_MAX = 50
"""Of one canary: servers send several reports of a message, strangers may send more."""
COPY_BYTES_MAX = 1024 * 1024
"""A larger message is none of ours."""
UNCLOSED_MAX = 500
SHOWN_MAX = 20
FORGOTTEN_AFTER = timedelta(days=7)
"""A copy that comes later is archived like any mail, and no longer looked for."""


@dataclass(frozen=True, slots=True)
class Canaries:
    """The canaries of one configuration."""

    settings: Settings
    archive: Archive
    ledger: Ledger
    key: bytes

    def send(self, path: CanaryPath) -> Canary:
        """Send one; what became of it is in the answer and written down.

        Raises:
            ConfigError, CycleError: it could not be written down.
        """
        canary = new_canary(path, utc_now())
        self.ledger.canaries.note(canary)  # before it leaves: a copy never meets an unknown nonce
        try:
            recipients = list(dict.fromkeys([*path.to, *path.lists, *path.bcc]))
            raw = compose(canary, path, self.key)
            submit(relay_of(self.settings, path), path.sender, recipients, raw)
        except (ConfigError, CycleError) as error:
            log.warning("canary.unsent", path=path.name, error=error.problem, hint=error.hint)
            canary = replace(canary, error=error.problem)
        else:
            log.info("canary.sent", path=path.name, nonce=canary.nonce)
            canary = replace(canary, accepted_at=utc_now())
        self.ledger.canaries.note(canary)
        return canary

    def look(self, now: datetime) -> None:
        """Look for the copies of all canaries whose grade is not final."""
        paths = {path.name: path for path in self.settings.canary.paths}
        for canary in self.ledger.canaries.unclosed(UNCLOSED_MAX):
            path = paths.get(canary.path)
            seen = self._seen(canary, path, now) if path else replace(canary, closed_at=now)
            if seen != canary:
                self.ledger.canaries.note(seen)

    def _seen(self, canary: Canary, path: CanaryPath, now: datetime) -> Canary:
        """Return a canary as it stands now."""
        copies = list(self._copies(canary, path))
        if not copies:
            return self._missing(canary, path, now)
        first = min(copies, key=lambda each: each.entry.seq)
        found = replace(
            canary,
            accepted_at=canary.accepted_at or canary.sent_at,  # it came, so somebody took it
            arrived_at=first.entry.receipt.committed_at,
            seq=first.entry.seq,
            grade=grade(path, [each.unwrapped for each in copies]),
        )
        assert found.arrived_at is not None  # noqa: S101 - set above
        waited_s = (now - found.arrived_at).total_seconds()
        if found.grade is not CanaryGrade.COMPLETE and waited_s < path.late_after_s:
            return found  # another report may name the others
        self._event("canary.arrived", found, seq=found.seq, latency_s=found.latency_s)
        return replace(found, closed_at=now)

    def _missing(self, canary: Canary, path: CanaryPath, now: datetime) -> Canary:
        lost = canary.age_s(now) > path.lost_after_s
        if lost and not canary.accepted_at:
            return replace(canary, error=canary.error or "interrupted", closed_at=now)
        if lost and canary.grade is None:
            self._event("canary.lost", canary)
            return replace(canary, grade=CanaryGrade.COPY_MISSING)
        if canary.sent_at + FORGOTTEN_AFTER < now:
            return replace(canary, closed_at=now)
        return canary

    def _copies(self, canary: Canary, path: CanaryPath) -> Iterator[Record]:
        wanted = Filter(mailbox=path.mailbox, message_id=canary.message_id, limit=COPIES_MAX)
        for record in self.ledger.records(wanted):
            small = record.entry.receipt.size_bytes <= COPY_BYTES_MAX
            if small and is_signed(self._head(record), canary, self.key):
                yield record

    def _head(self, record: Record) -> bytes:
        """Return the beginning of the message that a copy is about."""
        raw, original = self.archive.raw(record.entry.blob), record.unwrapped.primary
        if original is None:
            return raw.window(0, HEADER_BYTES_MAX)
        head = b""
        for piece in original_windows(raw, original):
            head += piece
            if len(head) >= HEADER_BYTES_MAX:
                break
        return head

    def _event(self, name: str, canary: Canary, **keys: object) -> None:
        """Log what became of a canary and write it into the ledger."""
        graded = (canary.grade or CanaryGrade.COPY_MISSING).value
        log.info(name, path=canary.path, nonce=canary.nonce, grade=graded, **keys)
        self.ledger.record_event(
            name, utc_now(), mailbox="", path=canary.path, nonce=canary.nonce, grade=graded, **keys
        )


def relay_of(settings: Settings, path: CanaryPath) -> Relay:
    """Return the server that takes the canaries of a path."""
    return relay_from(settings.canary.relay_of(path.name))


def relay_from(relay: RelaySettings) -> Relay:
    """Return a configured server as it is spoken to."""
    return Relay(
        name=relay.name,
        host=relay.host,
        port=relay.port,
        security=relay.security,
        ca_file=relay.ca_file,
        username=relay.username or "",
        password=relay.password,
    )


def canary_key(settings: Settings) -> bytes:
    """Return the key that signs canaries; make one in the archive if none is configured.

    Raises:
        ConfigError: it cannot be read, or is too short to be one.
        CycleError: the disk is full.
    """
    named = settings.canary.hmac_key_file
    path = named or settings.archive.path / KEY
    try:
        if named is None and not path.exists():
            durable.publish(path, new_key())
        with path.open("rb") as file:
            key = file.read(KEY_BYTES_MAX)
    except OSError as error:
        if durable.is_full(error):
            raise durable.disk_full(path) from error
        raise _unusable(path, os.strerror(error.errno or 0)) from error
    if len(key) < KEY_BYTES:
        raise _unusable(path, f"it has fewer than {KEY_BYTES} bytes")
    return key


def _unusable(path: Path, why: str) -> ConfigError:
    return ConfigError(
        f"the key of the canaries cannot be used: {why}",
        subject=str(path),
        hint=f"make one: head -c {KEY_BYTES} /dev/urandom > {path}, mode 0600",
    )


def canary_knowledge(settings: Settings, ledger: Ledger) -> list[CanaryFacts]:
    """Return every path with its latest canaries."""
    return [
        CanaryFacts(path, ledger.canaries.latest(path.name, SHOWN_MAX))
        for path in settings.canary.paths
    ]


def canary_alarms(settings: Settings, ledger: Ledger, now: datetime) -> list[Alarm]:
    """Return what canaries tell that a person should know."""
    known = canary_knowledge(settings, ledger)
    return [alarm for facts in known for alarm in alarms(facts, now)]


def canary_facts(settings: Settings, ledger: Ledger) -> list[Facts]:
    """Return how every path does, as JSON values."""
    return [_path_facts(each) for each in canary_knowledge(settings, ledger)]


def _path_facts(known: CanaryFacts) -> Facts:
    newest = next(iter(known.canaries), None)
    arrived = next((each for each in known.canaries if each.arrived_at), None)
    graded = next((each for each in known.canaries if each.grade), None)
    return {
        "path": known.path.name,
        "mailbox": known.path.mailbox,
        "grade": graded and graded.grade and graded.grade.value,
        "expected": known.path.expected.value,
        "last_sent_at": instant(newest.sent_at if newest else None),
        "last_error": newest.error if newest else "",
        "last_arrived_at": instant(arrived.arrived_at if arrived else None),
        "last_latency_s": arrived and arrived.latency_s,
        "last_seq": arrived and arrived.seq,
    }
