"""The page of guarantees: its tables can be made, and what it names is there."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from connection_cut import CutTally
from fault_report import FAULTS, MUTANTS, PAGE, report, write_page
from killpoint_run import Verdict
from killpoint_suite import Tally
from killpoints import KILL, Call, Point
from powercut import CutReport
from scenarios import ALL

REPOSITORY = PAGE.parent.parent


def test_the_tables_go_between_their_marks(tmp_path: Path) -> None:
    """A run replaces its own table and nothing else of the page."""
    page = tmp_path / "page.md"
    shutil.copy(PAGE, page)
    write_page(page, FAULTS, "first")
    write_page(page, MUTANTS, "second")
    write_page(page, FAULTS, "third")
    text = page.read_text()
    assert "first" not in text.replace("first start", "")
    for maker, made in ((FAULTS, "third"), (MUTANTS, "second")):
        assert f"<!-- begin: {maker} -->\n\n{made}\n<!-- end: {maker} -->" in text
    assert text.count("## ") == PAGE.read_text().count("\n## ") + text.count("### ")


def test_a_page_without_marks_is_refused(tmp_path: Path) -> None:
    """No table is written where nobody expects it."""
    page = tmp_path / "page.md"
    page.write_text("# something else\n")
    with pytest.raises(ValueError, match="no marks"):
        write_page(page, FAULTS, "text")
    assert page.read_text() == "# something else\n"


def test_a_run_is_added_up_and_told() -> None:
    """Every run counts once: calls, kills, failures, losses."""
    tally = Tally(scenario="batch-plain")
    call = Call("write", "segments/000001.tar.zst", 3)
    for how, lost in ((KILL, 0), ("error=EIO", 1)):
        verdict = Verdict(Point(ALL[0], call, how), fired=True, lost=lost)
        tally.add(verdict)
    tally.add(Verdict(Point(ALL[0], call, KILL), fired=False))
    cut = CutTally(
        scenario="batch-exchange", way="to the server", session_bytes=900, cuts=5, lost=1
    )
    reports = [CutReport("store alone", "xfs", cuts=7, failures=["x"])]
    text = report([tally], [cut], reports, 60.0)
    assert "| batch-plain | 1 | 1 | 1 | 1 | 0 | 0 | 0 | 0 |" in text
    assert "| **all** | **1** | **1** | **1** | **1** |" in text
    assert "| batch-exchange | to the server | 900 | 5 | 1 | 0 | 0 | 0 |" in text
    assert "| store alone | xfs | 7 | 0 | 0 | 1 |" in text
    assert len(tally.missed) == 1


def test_what_the_page_names_exists() -> None:
    """Files and make targets on the page are those of this project."""
    text = PAGE.read_text()
    for name in re.findall(r"`(tests/[\w/.]+)`", text):
        assert (REPOSITORY / name).exists(), name
    makefile = (REPOSITORY / "Makefile").read_text()
    for target in re.findall(r"`make (\w+)`", text):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
