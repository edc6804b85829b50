"""A sample of power cuts on every file system; ``make faults`` makes thousands."""

from __future__ import annotations

from pathlib import Path

import pytest
from disks import FILE_SYSTEMS
from killpoint_suite import Workers
from powercut_suite import COLLECTOR, STORE, run_powercuts
from scenarios import Server

CUTS = {STORE: 35, COLLECTOR: 15}


@pytest.mark.parametrize("kind", FILE_SYSTEMS)
@pytest.mark.parametrize("workload", CUTS)
def test_a_power_cut_takes_nothing_that_was_promised(
    disks: None, server: Server, scratch: Path, workload: str, kind: str
) -> None:
    """Whatever the cut left of the last writes: what was durable is there, and all goes on."""
    with Workers(1, scratch) as workers:
        cuts = {workload: CUTS[workload]}
        (report,) = run_powercuts(server, workers, scratch, cuts, file_systems=(kind,))
    assert report.failures == []
    assert report.cuts == CUTS[workload]
    assert report.promises > 20
    assert report.replays_exactly, "a write was not recorded"
