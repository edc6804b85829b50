"""The servers that tests start do not end one another."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from throwaway import Server

WAIT = "import time; time.sleep(60)"
END_MY_GROUP = "import os, signal; os.kill(0, signal.SIGTERM)"


def test_a_server_that_ends_its_group_ends_nobody_else(tmp_path: Path) -> None:
    """As Cyrus does: all servers run as one user, and nothing else would keep them apart."""
    other = Server([sys.executable, "-c", WAIT], tmp_path / "other.log", as_self=True)
    ending = Server([sys.executable, "-c", END_MY_GROUP], tmp_path / "ending.log", as_self=True)
    assert ending.process.wait(20) == -signal.SIGTERM
    assert other.process.poll() is None
    assert os.getpgid(other.pid) not in {os.getpgid(0), ending.pid}
    other.end()
