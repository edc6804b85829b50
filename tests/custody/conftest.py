"""Lets these tests read archives as a stranger would, in memory, and with a seeded mistake."""

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "faults"))

import mutants

mutants.apply_from_environment()


@pytest.fixture
def scratch() -> Iterator[Path]:
    """A directory in memory: thousands of fsyncs, and the disk is not what is tested here."""
    parent = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(prefix="collector-custody-", dir=parent) as directory:
        yield Path(directory)
