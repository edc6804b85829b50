"""A spread sample of the kill points; ``make faults`` runs them all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from forked_program import InstalledProgram, Program
from killpoint_run import run_point
from killpoint_suite import Workers, run_killpoints
from killpoints import CALLS, KILL, SYNCS, WRITES, survey, trace_calls
from scenarios import ALL, BESIDE, FRESH, RECOVERY, WINDOWS, Scenario, Server, prepare

CHANGING = {*WRITES, *SYNCS, "mkdir", "rename", "link", "unlink", "ftruncate", "fchmod"}
SHM = "-shm"  # SQLite's index in memory: how it grows depends on who else looks
POINTS = int(os.environ.get("COLLECTOR_KILLPOINTS", "14"))


@pytest.mark.parametrize("scenario", ALL, ids=str)
def test_no_message_is_lost_doubled_or_deleted_unproven(
    scenario: Scenario, server: Server, program: Program, scratch: Path
) -> None:
    """Killed at a system call, or refused one, and started again: every message is there once."""
    with Workers(1, scratch) as workers:
        (tally,) = run_killpoints([scenario], server, workers, scratch, POINTS)
    assert tally.wrong == []
    assert (tally.lost, tally.doubled, tally.unproven) == (0, 0, 0)
    assert tally.kills >= 2
    assert tally.failures >= 2
    # Where much runs side by side, the calls of a run are not always the same.
    varies = scenario.shape in {RECOVERY, WINDOWS, BESIDE}
    assert len(tally.missed) <= POINTS // (2 if varies else 4), tally.missed


def test_after_a_failed_sync_nothing_is_deleted(
    server: Server, program: Program, scratch: Path
) -> None:
    """Whichever sync fails: that process deletes nothing any more, and the next one is whole."""
    found = survey(Scenario("batch", "exchange"), server, scratch, program)
    points = [each for each in found.points if each.call.name in SYNCS and each.how != KILL]
    assert len(points) > 10
    verdicts = [run_point(program, found.template, each, scratch) for each in points]
    assert all(each.fired for each in verdicts)
    assert [line for each in verdicts for line in each.wrong] == []


def test_after_an_unclean_stop_only_the_medium_is_believed(
    server: Server, program: Program, scratch: Path
) -> None:
    """Segments and ledger are synced and forgotten by the kernel before they are read again."""
    stage = prepare(Scenario("recovery", "plain"), server, scratch / "template", program)
    options = ("-f", "-e", "trace=fsync,fadvise64,pread64,read")
    ran = program.run(stage.config, "collect", strace=options)
    assert ran.returncode == 0, ran.output
    for name in ("segments/000001.tar.zst", "ledger.db", "ledger.db-wal"):
        calls = [line.split()[1].partition("(")[0] for line in ran.trace if f"/{name}>" in line]
        assert calls[:3] == ["fsync", "fadvise64", "pread64"], name


def test_every_step_that_matters_is_a_point(
    server: Server, program: Program, scratch: Path
) -> None:
    """Writes, syncs and renames of segment and ledger, sends and receives are all among them."""
    found = survey(Scenario(FRESH, "plain"), server, scratch, program)
    killed = {(each.call.name, each.call.where) for each in found.points if each.how == KILL}
    assert {
        ("write", "segments/000001.tar.zst"),
        ("fdatasync", "segments/000001.tar.zst"),
        ("fsync", "segments"),
        ("pwrite64", "ledger.db-wal"),
        ("fdatasync", "ledger.db-wal"),
        ("pwrite64", "lock"),
        ("sendto", "socket"),
        ("recvfrom", "socket"),
        ("mkdir", "segments"),
    } <= killed
    assert {each.call.name for each in found.points} - {"write"} <= set(CALLS)
    beside = {(each.call.name, each.call.where) for each in found.points if each.call.thread < 0}
    assert ("pread64", "segments/000001.tar.zst") in beside  # what reads back is a process


def test_the_forked_program_is_the_installed_one(
    server: Server, program: Program, scratch: Path
) -> None:
    """A fork makes the same calls on the archive as ``python -m collector`` in a new process."""
    template = prepare(Scenario("batch", "exchange"), server, scratch / "template", program)
    made = []
    for number, each in enumerate((program, InstalledProgram(scratch))):
        calls = trace_calls(each, template.copy(scratch / f"run-{number}"))
        made.append(
            {str(call) for call in calls if call.name in CHANGING and SHM not in call.where}
        )
    forked, installed = made
    assert len(forked) > 20
    assert forked == installed
