"""A sync that fails at any moment: what was promised is kept, and nothing is written after."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from collector.ledger.ledger import Ledger
from collector.store.durable import sync_directory

COMMITS = 4
SYNCS_MAX = 40
CHILD = """
import sys
sys.path[:0] = {paths!r}
from pathlib import Path
from ledger_samples import commit
from collector.domain.errors import CollectorError
from collector.ledger.ledger import Ledger
from collector.store.durable import sync_directory
try:
    ledger = Ledger.open(Path({path!r}), create=True, sync_directory=sync_directory)
except CollectorError as error:
    sys.exit("opening: " + type(error).__name__)
for number in range({commits}):
    try:
        commit(ledger, 1)
    except CollectorError as error:
        print(type(error).__name__)
    else:
        print("committed")
"""


def run(path: Path, failing: int) -> subprocess.CompletedProcess[str]:
    """Commit a few messages one by one while the ``failing``-th sync of the process fails."""
    paths = [str(Path(__file__).parent), *sys.path]
    script = CHILD.format(paths=paths, path=str(path), commits=COMMITS)
    inject = f"inject=fsync,fdatasync:error=EIO:when={failing}"
    command = ["strace", "-f", "-o", f"{path}.trace", "-e", inject, sys.executable, "-c", script]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("strace"), reason="needs strace: failing syncs are NOT tested")
def test_whichever_sync_fails_no_commit_is_lost_and_none_follows(tmp_path: Path) -> None:
    """Each sync fails once, from making the file to the last commit; the next start is whole."""
    outcomes = set()
    for failing in range(1, SYNCS_MAX):
        path = tmp_path / f"{failing}.db"
        done = run(path, failing)
        lines = done.stdout.split()
        committed = lines.count("committed")
        assert lines == ["committed"] * committed + ["IntegrityError"] * (len(lines) - committed)
        assert not done.stderr or done.stderr.startswith("opening: ")
        ledger = Ledger.open(path, create=True, sync_directory=sync_directory)
        assert committed <= ledger.last_seq() <= committed + len(lines[committed:])
        assert ledger.check_consistency() == []
        ledger.close()
        outcomes.add(done.stderr.strip() or committed)
        if "INJECTED" not in Path(f"{path}.trace").read_text(encoding="utf-8"):
            break
    else:
        pytest.fail(f"the process syncs more than {SYNCS_MAX} times")
    assert set(range(COMMITS)) <= outcomes, "a failure in each of the commits was seen"
