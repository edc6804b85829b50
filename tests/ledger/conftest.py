"""A ledger in a directory of its own."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.ledger.ledger import Ledger
from collector.store.durable import sync_directory


@pytest.fixture
def ledger_path(tmp_path: Path) -> Path:
    """Return where the ledger lies."""
    return tmp_path / "ledger.db"


@pytest.fixture
def ledger(ledger_path: Path) -> Iterator[Ledger]:
    """Return an empty open ledger; every test that leaves it inconsistent fails."""
    ledger = Ledger.open(ledger_path, create=True, sync_directory=sync_directory)
    yield ledger
    assert ledger.check_consistency() == []
    ledger.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a memory disk of 12 MB; only root may."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a small disk: a really full one is NOT tested")
    yield place
    subprocess.run(["umount", str(place)], check=True)
