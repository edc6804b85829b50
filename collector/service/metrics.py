"""Serves figures for Prometheus, taken when they are asked for.

Rule: labels are names of mailboxes, folders, states and kinds; never an address or a
subject.  A scrape reads the ledger beside the service and cannot hold it up.

The only module that knows prometheus-client, which is imported when figures are served.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any

import structlog

from collector import __version__
from collector.config import Settings
from collector.custody.watch import utc_now
from collector.domain.errors import CollectorError
from collector.service.activity import CYCLE_BOUNDS_S, Activity
from collector.service.assemble import House
from collector.service.metric_table import METRICS, METRICS_HINT, METRICS_OPEN, QUANTILES
from collector.service.situation import Rooms, figures
from collector.watch.situation import ArchiveFigures, FolderFigures

if TYPE_CHECKING:
    from prometheus_client.core import Metric

log = structlog.get_logger("collector.service")

KEPT_S = 1.0
"""Scrapes that come at once are answered with the same figures."""
STOP_S = 5.0
Sample = tuple[str, dict[str, str], float]


@dataclass(slots=True, eq=False)  # each is itself: the registry keeps them by identity
class FiguresCollector:
    """What prometheus-client asks for its metrics (its custom collector)."""

    rooms: Rooms
    activity: Activity
    _lock: Lock = field(default_factory=Lock)
    _taken_s: float = float("-inf")
    _taken: list[Metric] = field(default_factory=list)

    def collect(self) -> list[Metric]:
        """Return all metrics."""
        with self._lock:
            if time.monotonic() - self._taken_s >= KEPT_S:
                self._taken = _families([*self._samples()], self.activity)
                self._taken_s = time.monotonic()
            return self._taken

    def describe(self) -> list[Metric]:
        """Return nothing: names are not asked for before the first scrape."""
        return []

    def _samples(self) -> Iterator[Sample]:
        yield "collector_build_info", {"version": __version__}, 1
        began_s = time.monotonic()
        samples: list[Sample] = []
        try:
            with self.rooms.ledger.session():
                seen = figures(self.rooms, utc_now())
                samples += _archive_samples(seen.archive)
                for folder in seen.folders:
                    samples += _folder_samples(folder)
                samples += self._alarm_samples()
        except CollectorError as error:
            log.warning("metrics.failed", error=error.problem, hint=error.hint)
            yield "collector_ledger_readable", {}, 0
            return
        yield "collector_ledger_readable", {}, 1
        yield from samples
        yield "collector_scrape_seconds", {}, time.monotonic() - began_s

    def _alarm_samples(self) -> Iterator[Sample]:
        lasting = [each.alarm for each in self.rooms.ledger.memory.alarms() if not each.gone_at]
        counted = Counter((each.kind, each.severity.value) for each in lasting)
        for (kind, severity), count in counted.items():
            yield "collector_alarms", {"kind": kind, "severity": severity}, count
        for severity in ("critical", "warning"):
            count = sum(each.severity.value == severity for each in lasting)
            yield "collector_alarms_lasting", {"severity": severity}, count


def _archive_samples(archive: ArchiveFigures) -> Iterator[Sample]:
    for name, value in (
        ("collector_archive_entries", archive.entries_count),
        ("collector_archive_segments", archive.segments_count),
        ("collector_archive_sealed_segments", archive.sealed_count),
        ("collector_archive_stored_bytes", archive.stored_bytes),
        ("collector_archive_ledger_bytes", archive.ledger_bytes),
        ("collector_archive_free_bytes", archive.free_bytes),
        ("collector_log_leaves", archive.leaves_count),
        ("collector_checkpoint_leaves", archive.checkpoint_leaves),
    ):
        yield name, {}, value
    if archive.sealed_ratio is not None:
        yield "collector_sealed_ratio", {}, archive.sealed_ratio
    if archive.checkpoint_at is not None:
        yield "collector_checkpoint_timestamp_seconds", {}, archive.checkpoint_at.timestamp()
    for name, at in archive.stamps:
        if at is not None:
            yield "collector_stamp_timestamp_seconds", {"authority": name}, at.timestamp()


def _folder_samples(folder: FolderFigures) -> Iterator[Sample]:
    status = folder.status
    labels = {"mailbox": status.mailbox.name, "folder": status.mailbox.folder}
    states = dict(status.state_counts)
    for name, value in (
        ("collector_messages_waiting", status.waiting_count),
        ("collector_oldest_waiting_seconds", folder.oldest_waiting_s or 0.0),
        ("collector_messages_collected_total", status.entries_count),
        ("collector_messages_deleted_total", states.get("expunged", 0)),
        ("collector_messages_quarantined_total", status.quarantined_count),
        ("collector_messages_set_aside", status.set_aside_count),
        ("collector_collected_bytes_total", folder.raw_bytes),
        ("collector_gaps_last_week", folder.gaps_count),
        ("collector_mailbox_failing", float(bool(status.last_error))),
    ):
        yield name, labels, value
    for state, count in states.items():
        yield "collector_messages", {**labels, "state": state}, count
    for name, at in (
        ("collector_last_poll_timestamp_seconds", status.polled_at),
        ("collector_last_cycle_timestamp_seconds", status.last_cycle_at),
        ("collector_last_proof_timestamp_seconds", status.last_proof_at),
    ):
        if at is not None:
            yield name, labels, at.timestamp()
    if folder.exposure is not None:
        for quantile in QUANTILES:
            value = folder.exposure.quantile(quantile)
            yield "collector_exposure_seconds", {**labels, "quantile": f"{quantile:g}"}, value


def _families(samples: list[Sample], activity: Activity) -> list[Metric]:
    """Return samples as prometheus-client wants them: by name, with type and text."""
    from prometheus_client.core import (  # noqa: PLC0415 - only when figures are served
        CounterMetricFamily,
        GaugeMetricFamily,
        HistogramMetricFamily,
    )

    found: dict[str, Any] = {}
    for name, labels, value in [*samples, *_activity_samples(activity)]:
        family = found.get(name)
        if family is None:
            kind = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
            family = found[name] = kind(name, METRICS[name], labels=list(labels))
        family.add_metric(list(labels.values()), value)
    name = "collector_cycle_duration_seconds"
    durations = HistogramMetricFamily(name, METRICS[name], labels=["mailbox", "folder"])
    for mailbox, done in activity.folders().items():
        buckets, total = [], 0
        for bound, count in zip([*CYCLE_BOUNDS_S, float("inf")], done.durations, strict=True):
            total += count
            buckets.append(("+Inf" if bound == float("inf") else f"{bound:g}", total))
        durations.add_metric([mailbox.name, mailbox.folder], buckets, done.duration_sum_s)
    return [*found.values(), durations]


def _activity_samples(activity: Activity) -> Iterator[Sample]:
    for mailbox, done in activity.folders().items():
        labels = {"mailbox": mailbox.name, "folder": mailbox.folder}
        yield "collector_messages_cleared_total", labels, done.cleared_count
        yield "collector_throttled_seconds_total", labels, done.throttled_s
        for kind, count in done.failures.items():
            yield "collector_cycle_failures_total", {**labels, "kind": kind.value}, count


@contextmanager
def served_metrics(settings: Settings, house: House, activity: Activity) -> Iterator[None]:
    """Serve figures for the block, if that is configured; without them the service runs on."""
    address = settings.metrics.address
    server = None
    if address is not None:
        rooms = Rooms(settings, house.archive, house.ledger, house.intake.checkpoints)
        server = _start(address, FiguresCollector(rooms, activity))
        if server is not None and settings.metrics.is_open:
            log.warning("metrics.exposed", error=METRICS_OPEN, hint=METRICS_HINT)
    try:
        yield
    finally:
        if server is not None:
            listening, thread = server
            listening.shutdown()
            listening.server_close()
            thread.join(STOP_S)


def _start(address: tuple[str, int], collector: FiguresCollector) -> Any:  # noqa: ANN401 - untyped
    try:
        from prometheus_client import CollectorRegistry, start_http_server  # noqa: PLC0415

        registry = CollectorRegistry(auto_describe=False)
        registry.register(collector)
        server = start_http_server(address[1], addr=address[0], registry=registry)
    except (OSError, ImportError) as error:
        hint = "choose another address in [metrics], or install prometheus-client"
        log.error("metrics.failed", error=f"figures cannot be served: {error}", hint=hint)
        return None
    log.info("metrics.served", listen=f"{address[0]}:{address[1]}")
    return server
