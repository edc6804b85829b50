"""A disk of 12 MB."""

import os
import subprocess

import pytest


@pytest.fixture
def small_disk(tmp_path):
    """Mount a memory disk of 12 MB; only root may."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a small disk: the check for free space is NOT tested")
    yield place
    subprocess.run(["umount", str(place)], check=True)
