"""Runs a script of the store room under strace: to see its calls, or to make them fail."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

import collector

REPOSITORY = Path(collector.__file__).parent.parent
CALLS = (
    "mkdir,openat,flock,write,pwrite64,ftruncate,fchmod,"
    "fsync,fdatasync,rename,link,linkat,unlink,fadvise64"
)


@dataclass(frozen=True)
class Traced:
    """What a script printed, how it ended, and its calls on files below a directory."""

    returncode: int
    stdout: str
    stderr: str
    calls: list[tuple[str, str]]


def environment() -> dict[str, str]:
    """Return what a script needs to import the collector and the samples."""
    path = os.pathsep.join([str(REPOSITORY), str(Path(__file__).parent)])
    return {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}


def run(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a script as a process of its own."""
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, env=environment(), check=False, timeout=120
    )


def trace(script: str, base: Path, *options: str) -> Traced:
    """Run ``script`` with ``base`` as its argument; ``options`` are strace's."""
    if shutil.which("strace") is None:
        if os.environ.get("CI"):
            pytest.fail("strace is missing; the order of system calls cannot be shown")
        pytest.skip("strace is MISSING: the order of system calls and failing disks are NOT tested")
    log = base / "strace.log"
    command = ["strace", "-f", "-y", "-o", str(log), "-e", f"trace={CALLS}", *options]
    ran = subprocess.run(
        [*command, sys.executable, "-c", script, str(base / "work")],
        capture_output=True,
        text=True,
        env=environment(),
        check=False,
        timeout=120,
    )
    lines = log.read_text(errors="replace").splitlines()
    calls = [call for line in lines if (call := _call(line, str(base / "work")))]
    return Traced(ran.returncode, ran.stdout, ran.stderr, calls)


def _call(line: str, work: str) -> tuple[str, str] | None:
    found = re.match(r"\d+ +(\w+)\((.*)", line)
    place = re.search(rf"{re.escape(work)}[^\">]*", line)
    if not found or not place:
        return None
    name = found[1]
    if name == "openat":
        if "O_CREAT" not in line:
            return None
        name = "create" if "O_EXCL" in line else "open"
    return name, place[0].removeprefix(work).lstrip("/") or "."
