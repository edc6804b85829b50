"""A sample of cut connections; ``make faults`` cuts at many more places."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from connection_cut import DOWN, SCENARIOS, UP, run_cuts
from killpoint_suite import Workers
from scenarios import Scenario, Server

CUTS = int(os.environ.get("COLLECTOR_CUTS", "8"))


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_wherever_the_connection_ends_no_message_is_lost(
    scenario: Scenario, server: Server, scratch: Path
) -> None:
    """Cut after any byte in either direction, and started again: every message is there once."""
    with Workers(1, scratch) as workers:
        up, down = run_cuts([scenario], server, workers, scratch, CUTS)
    assert (up.way, down.way) == (UP, DOWN)
    assert up.wrong == down.wrong == []
    assert (
        (up.lost, up.doubled, up.unproven) == (0, 0, 0) == (down.lost, down.doubled, down.unproven)
    )
    assert up.cuts >= CUTS - 2
    assert down.cuts >= CUTS - 2
