"""Kills or fails the real program at one point, starts it again, and looks what became of mail.

Rule: what is archived is read from the disk, what is in the mailbox from the
server's files, and in the end ``verify`` must agree.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from archive_reader import Archived, read_archive
from forked_program import Program, Ran
from killpoints import KILL, LIE, SHORT, SOCKET, SYNCS, WHOLESALE, Point
from scenarios import Stage

BROKEN, ATTENTION = 3, 4
CLOCK_AHEAD_S = 2 * 24 * 3600
RECOVERY_RUNS_MAX = 4
LOG_LOST = "the log does not continue the checkpoint"
"""The disk lied about a batch while another mailbox came to its end and had the log signed."""


@dataclass(slots=True)
class Verdict:
    """What became of the mail of one run.

    Attributes:
        fired: the fault took place.
        rebuilt: the ledger had to be rebuilt from the segments.
        lost, doubled, unproven: numbers of messages.
        wrong: everything that is not as promised, one line each.
    """

    point: Point
    fired: bool = False
    rebuilt: bool = False
    lost: int = 0
    doubled: int = 0
    unproven: int = 0
    wrong: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Losses:
    """What became of the mail of many runs."""

    lost: int = 0
    doubled: int = 0
    unproven: int = 0
    wrong: list[str] = field(default_factory=list)

    def count(self, verdict: Verdict) -> None:
        """Take in one run."""
        self.lost += verdict.lost
        self.doubled += verdict.doubled
        self.unproven += verdict.unproven
        self.wrong += [f"{verdict.point}: {line}" for line in verdict.wrong]


def run_point(program: Program, template: Stage, point: Point, work: Path) -> Verdict:
    """Run the program with the fault of ``point``, start it again, and judge."""
    verdict = Verdict(point)
    stage = template.copy(work / "point")
    try:
        if point.how == SHORT:
            ran = program.run(stage.config, "collect", file_bytes_max=point.call.when)
        else:
            options = _options(point, stage)
            ran = program.run(stage.config, "collect", strace=options, thread=point.call.thread)
        _judge_run(verdict, ran, stage)
        judge_custody(verdict, stage, "after the fault")
        recover(verdict, program, stage)
    except (OSError, AssertionError, ValueError) as error:
        verdict.wrong.append(f"{type(error).__name__}: {error}")
    stage.remove()
    return verdict


def _options(point: Point, stage: Stage) -> tuple[str, ...]:
    """Return what makes strace do it; a filter by path makes it count on that file only."""
    call = point.call
    action = "signal=KILL" if point.how == KILL else point.how
    inject = ("-e", f"inject={call.name}:{action}:when={call.when}")
    if call.where == SOCKET:
        return ("-s", "40", "-e", f"trace={','.join({call.name, 'sendto'})}", *inject)
    counted = ("-P", str(stage.archive / call.where), "-e", f"trace={call.name}")
    return ("-ttt", *counted, *inject)


def _judge_run(verdict: Verdict, ran: Ran, stage: Stage) -> None:
    """Look at the run itself: did the fault take place, and was anything deleted after it?"""
    injected = [index for index, line in enumerate(ran.trace) if "(INJECTED)" in line]
    killed = any("+++ killed by SIGKILL" in line for line in ran.trace)
    fired = {KILL: killed, SHORT: ran.returncode != 0}
    verdict.fired = fired.get(verdict.point.how, bool(injected))
    if "Traceback" in ran.output:
        verdict.wrong.append(f"a traceback: {ran.output.strip().splitlines()[-1]}")
    if any(WHOLESALE.search(line) for line in ran.trace):
        verdict.wrong.append("EXPUNGE or CLOSE was sent")
    failed_sync = bool(injected) and verdict.point.call.name in SYNCS
    if failed_sync and not _kept_by_sqlite(verdict.point, ran):
        failed_at = float(ran.trace[injected[0]].split()[0])
        if stage.left() != stage.delivered and _last_cleared_at(stage) > failed_at:
            verdict.wrong.append("something was deleted after a failed fsync")


def _last_cleared_at(stage: Stage) -> float:
    """Return when, by the ledger, a deletion was last decided on (seconds since 1970)."""
    rows = read_archive(stage.archive).rows
    cleared = [datetime.fromisoformat(row["cleared_at"]) for row in rows if row["cleared_at"]]
    return max((each.timestamp() for each in cleared), default=0.0)


def _kept_by_sqlite(point: Point, ran: Ran) -> bool:
    """Say whether SQLite kept a failed sync to itself, and may.

    It does so when it syncs the directory (the program syncs it once more) and when it
    copies the write-ahead log into the database: every commit in the log was synced
    before, and the log stays until a later copy succeeded.  Then the program ends well.
    """
    directory = point.call.name == "fdatasync" and point.call.where == ""
    return directory or (point.call.where.startswith("ledger.db") and ran.returncode == 0)


def judge_custody(verdict: Verdict, stage: Stage, when: str) -> Archived:
    """Count what is in neither place, what is there twice, what was deleted unproven."""
    found = read_archive(stage.archive)
    left = stage.left()
    gone = stage.delivered - left
    lost = [digest for digest in gone if not found.copies[digest]]
    unproven = gone - found.proven()
    verdict.lost = max(verdict.lost, len(lost))
    if found.ledger_problem or verdict.rebuilt:  # the proofs are in the ledger that was set aside
        unproven = Counter()
    verdict.unproven = max(verdict.unproven, unproven.total())
    verdict.wrong += [f"{when}: lost {digest[:16]}" for digest in lost]
    verdict.wrong += [f"{when}: deleted unproven {digest[:16]}" for digest in unproven]
    if not _lied(verdict.point):
        twice = [digest for digest, count in found.copies.items() if count > 1]
        verdict.doubled += len(twice)
        verdict.wrong += [f"{when}: stored twice {digest[:16]}" for digest in twice]
        verdict.wrong += [f"{when}: {problem}" for problem in found.broken]
        verdict.wrong += [f"{when}: {found.ledger_problem}"] if found.ledger_problem else []
    return found


def recover(verdict: Verdict, program: Program, stage: Stage) -> None:
    """Start again as after a restart, two days later, until all is done; then look again."""
    for _ in range(RECOVERY_RUNS_MAX):
        ran = program.run(stage.config, "collect", clock_ahead_s=CLOCK_AHEAD_S)
        if ran.returncode == 0:
            break
        if verdict.rebuilt and ran.returncode == ATTENTION:
            continue  # a new ledger does not know what was to be deleted: that "vanished"
        if ran.returncode != BROKEN or not _lied(verdict.point):
            last = ran.output.strip().splitlines()[-1:]
            verdict.wrong.append(f"recovery ended with {ran.returncode}: {last}")
            return
        if LOG_LOST in ran.output:
            stage.begin_log()
        verdict.rebuilt = True
        program.run(stage.config, "rebuild")
    problems = _verify(program, stage)
    if problems and _lied(verdict.point):
        verdict.rebuilt = True
        program.run(stage.config, "rebuild")
        program.run(stage.config, "collect", clock_ahead_s=CLOCK_AHEAD_S)
        # A frame the disk never wrote stays damaged; no entry may need it.
        problems = [each for each in _verify(program, stage) if each["seq"] is not None]
    verdict.wrong += [f"verify finds: {each}" for each in problems[:3]]
    _judge_entries(verdict, stage)


def _verify(program: Program, stage: Stage) -> list[dict[str, object]]:
    ran = program.run(stage.config, "verify", "--json")
    try:
        return ran.json()["problems"]
    except IndexError:  # the ledger cannot even be opened
        return [{"what": ran.output.strip(), "seq": 0}]


def _judge_entries(verdict: Verdict, stage: Stage) -> None:
    """In the end every arrival has exactly one entry, and nothing waits any more."""
    found = judge_custody(verdict, stage, "after recovery")
    if left := stage.left():
        verdict.wrong.append(f"after recovery: {left.total()} messages are still in the mailbox")
    entries = Counter(row["digest"] for row in found.rows)
    verdict.doubled += (entries - stage.delivered).total()
    if entries != stage.delivered:
        counts = f"{entries.total()} entries for {stage.delivered.total()} messages"
        verdict.wrong.append(f"after recovery: {counts}")


def _lied(point: Point) -> bool:
    """Say whether a write claimed to be done and was not: that may cost the ledger, no message."""
    return point.how == LIE
