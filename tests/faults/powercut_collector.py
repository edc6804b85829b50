"""The whole collector under power cuts, against a real Dovecot that keeps its power.

The archive lies on the recorded disk.  A tap hears every command; the moment the
collector asks for a deletion, the message becomes a promise.  After a cut the
mailbox is put back to what it was at that moment, UIDs and all, and the program
is started again.
"""

from __future__ import annotations

import hashlib
import imaplib
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import fault_mail
from archive_reader import Archived, read_archive
from forked_program import Program
from imap_tap import ImapTap
from killpoint_run import CLOCK_AHEAD_S
from scenarios import Server, Stage, new_stage

ROUNDS = 4
MESSAGES_PER_ROUND = 8
SIZES_BYTES = (700, 3_000, 12_000, 40_000)
ROUND, GONE = "round", "gone"
_REMOVAL = re.compile(r"\S+ UID (?:STORE|EXPUNGE|MOVE) ([\d,:]+)")


class CollectorUnderCuts:
    """Workload and checker; one object for one recorded disk.

    Args:
        work: directory that is not on the disk.
    """

    def __init__(self, server: Server, program: Program, work: Path) -> None:
        self._server, self._program, self._work = server, program, work
        self._rounds: list[Stage] = []
        self._cuts = 0

    def workload(self, archive: Path, promise: Callable[[str], None]) -> None:
        """Deliver and collect a few times; promise every message whose deletion is asked for."""
        gone: set[str] = set()

        def hear(line: str) -> None:
            if found := _REMOVAL.match(line):
                for uid in _uids(found[1]):
                    digest = _digest(uid - 1)
                    if digest not in gone:
                        gone.add(digest)
                        promise(f"{GONE} {digest}")

        with ImapTap(self._server.port, hear) as tap:
            tapped = replace(self._server, port=tap.port)
            stage = new_stage(tapped, self._work / "recorded", archive)
            for number in range(ROUNDS):
                stage.deliver([_raw(each) for each in _of_round(number)])
                for user in stage.users:
                    self._number_messages(user)
                self._rounds.append(stage.copy(self._work / f"round-{number}", archive))
                self._rounds[-1].server = self._server
                promise(f"{ROUND} {number}")
                ran = self._program.run(stage.config, "collect")
                assert ran.returncode == 0, ran.output
                assert not stage.left(), "the collector did not finish"
        assert len(gone) == ROUNDS * MESSAGES_PER_ROUND

    def problems(self, archive: Path, promised: list[str]) -> list[str]:
        """Return what the cut took that was promised, and what recovery could not do."""
        gone = Counter(each.removeprefix(f"{GONE} ") for each in promised if GONE in each)
        bad = _missing(read_archive(archive), gone)
        rounds = [each for each in promised if ROUND in each]
        if not rounds:
            return bad
        before = self._rounds[len(rounds) - 1]
        self._cuts += 1
        stage = before.copy(self._work / f"cut-{self._cuts}", archive)
        for user in stage.users:
            stage.server.maildirs.remove_messages(user, gone)
        bad += self._go_on(stage)
        for user in stage.users:
            stage.server.maildirs.remove(user)
        return bad

    def _go_on(self, stage: Stage) -> Iterator[str]:
        ran = self._program.run(stage.config, "collect", clock_ahead_s=CLOCK_AHEAD_S)
        if ran.returncode != 0:
            yield f"recovery ended with {ran.returncode}: {ran.output.strip().splitlines()[-1:]}"
        if stage.left():
            yield "after recovery messages are still in the mailbox"
        found = read_archive(stage.archive)
        yield from found.broken
        entries = Counter(row["digest"] for row in found.rows)
        if entries != stage.delivered:
            yield f"{entries.total()} entries for {stage.delivered.total()} messages"
        if set(found.copies) != set(stage.delivered) or max(found.copies.values()) > 1:
            yield "after recovery a message is lost, or stored twice"
        ran = self._program.run(stage.config, "verify")
        if ran.returncode != 0:
            yield f"verify finds: {ran.output.strip()[:200]}"

    def _number_messages(self, user: str) -> None:
        """Let the server give out UIDs in the order of delivery."""
        client = imaplib.IMAP4("127.0.0.1", self._server.port)
        client.login(user, self._server.password)
        client.select("INBOX", readonly=True)
        client.logout()


def _missing(found: Archived, gone: Counter[str]) -> list[str]:
    lost = [f"lost: {digest[:16]}" for digest in gone if not found.copies[digest]]
    unproven = [f"deleted unproven: {digest[:16]}" for digest in gone - found.proven()]
    return [*lost, *unproven, *found.broken]


def _of_round(number: int) -> range:
    return range(number * MESSAGES_PER_ROUND, (number + 1) * MESSAGES_PER_ROUND)


def _raw(number: int) -> bytes:
    kind = fault_mail.FORMATS[number % 2]
    return fault_mail.message(kind, number, SIZES_BYTES[number % len(SIZES_BYTES)])


def _digest(number: int) -> str:
    return hashlib.sha256(_raw(number)).hexdigest()


def _uids(text: str) -> Iterator[int]:
    for part in text.split(","):
        first, _, last = part.partition(":")
        yield from range(int(first), int(last or first) + 1)
