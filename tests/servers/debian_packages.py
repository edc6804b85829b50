"""Server programs from Debian packages that are unpacked, not installed.

Mail servers exclude each other as packages.

Packages are kept in ``~/.cache/journal-collector-tests``; a place is unpacked anew from
them, because the ordinary user who serves cannot enter another's home.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from throwaway import missing, run

NOT_NEEDED = re.compile(r"exim4|-dev$|gnutls-bin|db5?\.?3?-util")
"""What apt would add to make a mail host of this machine."""


def unpack(root: Path, *packages: str) -> None:
    """Unpack packages and what they need into ``root``; skip where that cannot be had."""
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        missing(packages[0], "its package can be unpacked on Debian and Ubuntu only")
    try:
        files = _downloaded(packages)
    except (AssertionError, OSError) as error:
        missing(packages[0], f"its package could not be downloaded: {error}")
    root.mkdir(exist_ok=True)
    for file in files:
        run(["dpkg-deb", "-x", file, root])


def _downloaded(packages: Sequence[str]) -> list[Path]:
    """Return the files, from the cache where they are there already."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    place = cache / "journal-collector-tests" / "-".join(packages)
    place.mkdir(parents=True, exist_ok=True)
    with (place / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several test processes want the same
        if not (place / "complete").exists():
            run(["apt-get", "download", *_names(packages)], cwd=place)
            (place / "complete").touch()
    return sorted(place.glob("*.deb"))


def _names(packages: Sequence[str]) -> list[str]:
    """Return what apt would install for ``packages``."""
    command = ["apt-get", "install", "--simulate", "-qq", "--no-install-recommends", *packages]
    done = subprocess.run(command, capture_output=True, check=False, text=True)
    names = set(re.findall(r"^Inst (\S+)", done.stdout, re.MULTILINE))
    return sorted({*packages, *(each for each in names if not NOT_NEEDED.search(each))})


def library_path(root: Path) -> str:
    """Return LD_LIBRARY_PATH for programs unpacked into ``root``."""
    places = {path.parent for path in root.rglob("*.so*") if "lib" in path.parts}
    plain = sorted(place for place in places if place.name.endswith("linux-gnu"))
    others = sorted(places.difference(plain))
    return ":".join(map(str, [*plain, *others]))
