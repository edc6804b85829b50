"""Cuts the power under a workload many times and counts what was lost that was promised."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from disks import mounted, scratch_directory
from recorded_disk import Cuts, Promise, RecordedDisk

Workload = Callable[[Path, Callable[[str], None]], None]
Checker = Callable[[Path, list[str]], list[str]]
ARCHIVE = "archive"


@dataclass(slots=True)
class CutReport:
    """What the cuts of one workload on one file system came to.

    Attributes:
        failures: one line for each cut after which something was wrong.
        replays_exactly: the recorded writes give the disk, so nothing was overlooked.
    """

    workload: str
    file_system: str
    cuts: int = 0
    promises: int = 0
    flushes: int = 0
    failures: list[str] = field(default_factory=list)
    replays_exactly: bool = False
    elapsed_s: float = 0.0


def cut_power(
    name: str, kind: str, workload: Workload, checker: Checker, cuts_count: int, seed: int = 1
) -> CutReport:
    """Record ``workload`` once on file system ``kind``, then check ``cuts_count`` rebuilt disks.

    Args:
        workload: gets the archive's directory and a function that notes a promise.
        checker: gets the archive's directory on a rebuilt disk and the promises
            made before the cut; returns what is wrong.
    """
    began_s = time.monotonic()
    report = CutReport(name, kind)
    with scratch_directory() as directory:
        promises: list[Promise] = []
        with RecordedDisk(directory, kind) as disk:
            workload(
                disk.place / ARCHIVE,
                lambda what: promises.append(Promise(what, disk.log_bytes())),
            )
        cuts = Cuts(disk, directory, seed)
        report.promises, report.flushes = len(promises), cuts.flushes_count
        for log_bytes, image in cuts.rebuild(cuts.positions(cuts_count, promises)):
            promised = [each.name for each in promises if each.log_bytes <= log_bytes]
            bad = _check(kind, image, directory / "cut", checker, promised)
            report.cuts += 1
            if bad:
                report.failures.append(f"cut {report.cuts}: {'; '.join(bad[:3])}")
        report.replays_exactly = cuts.replays_exactly()
        cuts.close()
    report.elapsed_s = time.monotonic() - began_s
    return report


def _check(kind: str, image: Path, place: Path, checker: Checker, promised: list[str]) -> list[str]:
    try:
        with mounted(kind, image, place, "loop"):
            return checker(place / ARCHIVE, promised)
    except OSError as error:
        return [f"the disk could not be read: {error}"]
