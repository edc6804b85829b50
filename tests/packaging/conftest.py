"""The Debian package, built once for all tests of a process."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from throwaway import found

PACKAGING = Path(__file__).resolve().parents[2] / "packaging"
PYTHON = "/usr/bin/python3"


@pytest.fixture(scope="session")
def building() -> None:
    """Skip where a program for the system's Python cannot be built."""
    found(PYTHON, "apt-get install python3")
    done = subprocess.run([PYTHON, "-c", "import ensurepip"], capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"{PYTHON} has no pip to build with: apt-get install python3-venv")


@pytest.fixture(scope="session")
def package(building: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the package of this checkout."""
    found("dpkg-deb", "packages are built on Debian and Ubuntu only")
    place = tmp_path_factory.mktemp("package")
    done = subprocess.run(
        ["sh", PACKAGING / "build-deb.sh", place],
        capture_output=True,
        check=False,
        text=True,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "PYTHON": PYTHON, "HOME": str(Path.home())},
    )
    assert done.returncode == 0, done.stderr
    (file,) = place.iterdir()
    assert done.stdout == f"{file}\n"
    return file
