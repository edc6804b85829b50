"""``make install``: below another root, where it harms nobody."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest
from throwaway import found

from collector import __version__

SCRIPT = Path(__file__).resolve().parents[2] / "packaging" / "install.sh"
PYTHON = "/usr/bin/python3"
COUNT_COMPILED = """
import importlib.machinery as machinery
compiled = machinery.SourceFileLoader.source_to_code
names = []
def counted(self, data, path, **more):
    names.append(path)
    return compiled(self, data, path, **more)
machinery.SourceFileLoader.source_to_code = counted
from collector.cli import collect, run, verify
print(len(names))
"""
"""Prints how many modules had to be compiled to import three commands."""


def install(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the script."""
    environment = {**os.environ, "PYTHON": PYTHON}
    return subprocess.run(
        ["sh", SCRIPT, *arguments], capture_output=True, check=False, text=True, env=environment
    )


def test_a_dry_run_says_everything_and_does_nothing(tmp_path: Path) -> None:
    """Program, units, user, directory, example; as any user."""
    done = install("--dry-run", "--root", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert list(tmp_path.iterdir()) == []
    lines = done.stdout.splitlines()
    assert all(line.startswith("would run: ") for line in lines)
    for part in (
        "/opt/collector", "/etc/systemd/system", "systemd-sysusers", "install -d -m 0750",
        "install -m 0640",
    ):  # fmt: skip
        assert any(part in line for line in lines), part


def test_what_it_does_not_know_it_refuses(tmp_path: Path) -> None:
    """With its usage, and exit code 2."""
    done = install("--rot", tmp_path)
    assert (done.returncode, done.stderr) == (2, "usage: install.sh [--root DIR] [--dry-run]\n")


def mode_of(path: Path) -> str:
    """Return mode and owners of a file, those as they are known in its root."""
    known = path.stat()
    return f"{stat.S_IMODE(known.st_mode):04o} {known.st_uid} {known.st_gid}"


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes users and gives files away")
def test_it_installs_and_overwrites_nothing(building: None, tmp_path: Path) -> None:
    """A second time, it brings the program up to date and leaves the configuration alone."""
    found("systemd-sysusers", "apt-get install systemd")
    done = install("--root", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "systemctl enable --now collector.service collector-verify.timer" in done.stdout
    python = tmp_path / "opt/collector/bin/python3"
    told = subprocess.run(
        [python, "-IB", "-m", "collector", "--version"], capture_output=True, check=True, text=True
    )
    assert told.stdout == f"collector {__version__}\n"
    compiled = subprocess.run(
        [python, "-I", "-c", COUNT_COMPILED], capture_output=True, check=True, text=True
    )
    assert compiled.stdout == "0\n"
    units = {each.name for each in (tmp_path / "etc/systemd/system").iterdir()}
    assert units == {each.name for each in (SCRIPT.parents[1] / "systemd").iterdir()}
    (user,) = (
        line.split(":")
        for line in (tmp_path / "etc/passwd").read_text(encoding="utf-8").splitlines()
        if line.startswith("collector:")
    )
    assert user[5:] == ["/nonexistent", "/usr/sbin/nologin"]
    config = tmp_path / "etc/collector"
    example = config / "collector.example.toml"
    assert [mode_of(config), mode_of(example)] == [f"0750 0 {user[3]}", f"0640 0 {user[3]}"]

    example.write_text("# mine\n", encoding="utf-8")
    (config / "collector.toml").write_text("# mine too\n", encoding="utf-8")
    (tmp_path / "opt/collector/stray").touch()
    assert install("--root", tmp_path).returncode == 0
    texts = [each.read_text(encoding="utf-8") for each in sorted(config.iterdir())]
    assert texts == ["# mine\n", "# mine too\n"]
    assert not (tmp_path / "opt/collector/stray").exists()
