"""The rules of the house, checked on the source itself."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCES = sorted((ROOT / "collector").rglob("*.py"))
FILE_LINES_MAX = 350
BODY_LINES_MAX = 50
EXCEPTIONS: dict[str, str] = {
    # "collector/x.py:function": "why it is longer",
}
DURABLE_CALLS = {"fsync", "fdatasync", "rename", "replace", "renames", "mkdir", "makedirs", "link"}


def name_of(path: Path) -> str:
    """Return the path as it is written in the rules."""
    return str(path.relative_to(ROOT))


def calls(path: Path) -> Iterator[tuple[str, str]]:
    """Yield (owner, name) of every call in a file; the owner is empty for plain functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Attribute):
                yield ast.unparse(node.func.value), node.func.attr
            elif isinstance(node.func, ast.Name):
                yield "", node.func.id


def test_a_proof_is_made_in_one_place() -> None:
    """Only custody/verify.py makes a Proof."""
    makers = {name_of(path) for path in SOURCES for _, name in calls(path) if name == "Proof"}
    assert makers == {"collector/custody/verify.py"}


def test_expunge_is_called_in_one_place() -> None:
    """Only custody/cycle.py asks a mailbox to delete, and only once."""
    callers = [
        name_of(path)
        for path in SOURCES
        for owner, name in calls(path)
        if name == "expunge" and owner.split(".")[-1] == "mailbox"
    ]
    assert callers == ["collector/custody/cycle.py"]


def test_nobody_else_reaches_a_deletion() -> None:
    """Outside the source room nothing is called expunge, uid_expunge or move_messages."""
    outside = {
        name_of(path)
        for path in SOURCES
        for owner, name in calls(path)
        if name in {"expunge", "uid_expunge"}
        and owner != "self"
        and not name_of(path).startswith("collector/source/")
    }
    assert outside == {"collector/custody/cycle.py"}


def test_durable_writes_live_in_one_module() -> None:
    """Only store/durable.py calls fsync, rename and their relatives of the os module."""
    offenders = {
        name_of(path)
        for path in SOURCES
        for owner, name in calls(path)
        if owner == "os" and name in DURABLE_CALLS
    }
    assert offenders == {"collector/store/durable.py"}


def test_the_ledger_is_written_before_the_mailbox_is_changed() -> None:
    """In the page, proof, clear and expunge stand in this order."""
    text = (ROOT / "collector/custody/cycle.py").read_text(encoding="utf-8")
    places = [text.index(step) for step in ("prove(leaving", ".clear(proofs", "mailbox.expunge(")]
    assert places == sorted(places)


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_files_and_functions_stay_small(path: Path) -> None:
    """A file has at most 350 lines, a function body at most 50."""
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= FILE_LINES_MAX
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef) and f"{name_of(path)}:{node.name}" not in EXCEPTIONS:
            body = node.body[1:] if ast.get_docstring(node) else node.body
            lines = (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0
            assert lines <= BODY_LINES_MAX, f"{node.name} has {lines} lines"


def test_every_event_is_in_the_table() -> None:
    """Code emits no event that the table of events does not explain."""
    from collector.telemetry import EVENTS

    levels = {"debug", "info", "warning", "error", "critical"}
    emitted = set()
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            function, first = ast.unparse(node.func), node.args[0]
            logs = function.startswith(("log.", "(log.")) and (
                function.split(".")[-1] in levels or function.startswith("(log.")
            )
            records = function.split(".")[-1] in {"record", "record_event", "_event"}
            if (logs or records) and isinstance(first, ast.Constant) and "." in str(first.value):
                emitted.add(first.value)
    assert len(emitted) >= 10
    assert emitted <= set(EVENTS)


def test_every_module_says_what_it_is() -> None:
    """Every module of the program begins with a docstring."""
    missing = [
        name_of(path)
        for path in SOURCES
        if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert missing == []
