"""The README's commands for looking and leaving, run as they stand there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from throwaway import found

README = Path(__file__).resolve().parents[2] / "README.md"
FENCE = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(heading: str) -> list[str]:
    """Return the shell blocks of a section."""
    section = README.read_text(encoding="utf-8").partition(f"\n## {heading}\n")[2]
    return FENCE.findall(section.partition("\n## ")[0])


def shell(commands: str, folder: Path) -> str:
    """Run commands of which each must succeed; return what they said."""
    search = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands],
        capture_output=True,
        check=False,
        cwd=folder,
        env={**os.environ, "PATH": search},
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_what_the_readme_says_can_be_done(tmp_path: Path) -> None:
    """In the archive of the demonstration: looked at, exported, read with tar and sha256sum."""
    found("zstd", "apt-get install zstd")
    shell("collector demo", tmp_path)
    folder = tmp_path / "demo-archive"
    (looking,) = blocks("Looking")
    assert re.search(r"^verified \d entries.*, 0 broken", shell(looking, folder), re.MULTILINE)
    exporting, reading = blocks("Leaving")
    checked = shell(exporting, folder).splitlines()
    digests = {each.stem for each in (folder / "mail").glob("*.eml")}
    assert {f"{each}.eml: OK" for each in digests} <= set(checked)
    read = {line.split()[0] for line in shell(reading, folder).splitlines()}
    assert read == digests
