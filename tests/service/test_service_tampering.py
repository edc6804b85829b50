# ruff: noqa: S608 - the statements are ours
"""What somebody does to an archive that the real program made, ``verify`` finds and names.

The archive was collected from a real server by the service, in two segments (the first run
was killed), and its checkpoints were copied to a file elsewhere.
"""

from __future__ import annotations

import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from collector_program import Collector
from sample_mail import mixed
from throwaway import free_ports, wait_until

FIRST, SECOND = 8, 6
VICTIM = 3


@dataclass(frozen=True, slots=True)
class Made:
    """An archive, and what was put aside while it was made.

    Attributes:
        home: of the program; holds the archive and ``elsewhere``, the anchor file.
        old: a copy of the archive from before the second run.
        published: the verifier key as it was published.
    """

    home: Path
    old: Path
    published: str


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, dovecot) -> Made:
    """Let the service collect twice, and be killed once."""
    home = tmp_path_factory.mktemp("tampering") / "home"
    home.mkdir(mode=0o700)
    program = Collector(home)
    user = dovecot.new_user()
    configure(program, program.mailbox(user))
    raws = mixed(FIRST + SECOND)
    user.append_many(raws[:FIRST])
    serve(program, lambda: user.messages() == {} and settled(program, FIRST), signal.SIGKILL)
    serve(program, (home / "elsewhere").exists)
    old = home.parent / "old"
    shutil.copytree(program.archive, old)
    user.append_many(raws[FIRST:])
    serve(program, lambda: user.messages() == {} and settled(program, FIRST + SECOND))
    anchored = (home / "elsewhere").stat().st_size
    serve(program, lambda: (home / "elsewhere").stat().st_size > anchored and is_sealed(program))
    published = (program.archive / "checkpoints" / "log.vkeys").read_text().strip()
    return Made(home, old, published)


def configure(program: Collector, *mailboxes: str) -> None:
    """Write a configuration with an anchor file."""
    program.configure(*mailboxes)
    with (program.home / "collector.toml").open("a") as file:
        file.write(f'\n[evidence]\nanchor_files = ["{program.home}/elsewhere"]\n')


def settled(program: Collector, count: int) -> bool:
    """Say whether so many messages are known to be gone from the mailbox."""
    question = "SELECT COUNT(*) FROM entries WHERE state = 'expunged'"
    return rows(program.archive, question) == [(count,)]


def serve(program: Collector, until: Callable[[], bool], end: int = signal.SIGTERM) -> None:
    """Run the service until something is so."""
    running = program.start("run")
    try:
        wait_until(until, "the service did its work", 60)
    finally:
        running.end(end)


def is_sealed(program: Collector) -> bool:
    """Say whether the segment of the run that was killed is sealed: that is done beside others."""
    return (program.archive / "segments" / "000001.sealed.tar.zst").exists()


def rows(archive: Path, question: str) -> list[tuple[object, ...]]:
    """Ask the ledger."""
    connection = sqlite3.connect(archive / "ledger.db")
    try:
        return connection.execute(question).fetchall()
    finally:
        connection.close()


@pytest.fixture
def victim(made: Made, tmp_path: Path) -> Collector:
    """Return the program with a copy of the archive, to be tampered with."""
    home = tmp_path / "home"
    shutil.copytree(made.home, home)
    program = Collector(home)
    configure(program)
    return program


def found(program: Collector, *options: str) -> list[str]:
    """Verify; return what is broken as ``seq, subject: what``."""
    done = program.run("verify", "--json", *options)
    problems = done.json()["problems"]
    assert done.code == (3 if problems else 0), done.err
    return [f"{each['seq']}, {each['subject']}: {each['what']}" for each in problems]


def tamper(program: Collector, sql: str) -> None:
    """Change the ledger with another program."""
    command = ["sqlite3", program.archive / "ledger.db", f"PRAGMA foreign_keys = 0; {sql}"]
    subprocess.run(command, check=True)


def segments(program: Collector) -> list[Path]:
    """Return the segments in order."""
    return sorted((program.archive / "segments").glob("*.tar.zst"))


def test_the_archive_as_it_was_made_is_sound(victim: Collector, made: Made) -> None:
    """In full, with the published key and what was anchored; both are said in the result."""
    assert len(segments(victim)) == 2
    done = victim.run("verify", "--full", "--json", "--key", made.published)
    told = done.json()
    assert (done.code, told["verified"], told["broken"]) == (0, FIRST + SECOND, 0)
    assert (told["full"], told["finished"], told["anchors"]["agreed"] >= 2) == (True, True, True)
    assert told["checkpoints"]["anchored"] >= 2
    assert told["checkpoints"]["count"] > told["checkpoints"]["anchored"]


def test_a_flipped_bit_is_found(victim: Collector) -> None:
    """Each message of the frame is named, with its segment; the others are not."""
    ((segment, offset, length),) = rows(
        victim.archive,
        f"SELECT segment, frame_offset, frame_bytes FROM entries WHERE seq = {VICTIM}",
    )
    question = f"SELECT seq FROM entries WHERE segment = '{segment}' AND frame_offset = {offset}"
    path = victim.archive / "segments" / f"{segment}.tar.zst"
    content = bytearray(path.read_bytes())
    content[offset + length // 2] ^= 0x10
    path.chmod(0o600)
    path.write_bytes(content)
    named = {each.split(",")[0] for each in found(victim) if each.split(",")[0] != "None"}
    assert named == {str(seq) for (seq,) in rows(victim.archive, question)}
    assert str(VICTIM) in named


def test_a_changed_row_is_found(victim: Collector) -> None:
    """By the log, and by the receipt in the segment."""
    tamper(
        victim,
        f"UPDATE receipts SET committed_at = '2020-01-01T00:00:00.000000Z' WHERE seq = {VICTIM}",
    )
    assert found(victim) == [
        f"{VICTIM}, ledger.db: it is not what was logged: its row was changed",
        f"{VICTIM}, segment 000001.sealed: the ledger's row differs from the stored receipt",
    ]


def test_a_removed_row_is_found(victim: Collector) -> None:
    """With all that belongs to it."""
    tables = ("recipients", "originals", "envelopes", "proofs", "receipts", "entries")
    tamper(victim, "".join(f"DELETE FROM {table} WHERE seq = {VICTIM};" for table in tables))
    problems = found(victim)
    assert f"{VICTIM}, ledger.db: it is in the log, but no longer in the ledger" in problems
    stored = "a stored message is not in the ledger; run `collector rebuild`"
    assert f"{VICTIM}, 000001.sealed: {stored}" in problems


def test_an_inserted_row_is_found(victim: Collector) -> None:
    """A message that never was, in the tables but not in the log."""
    last = FIRST + SECOND
    columns = [name for _, name, *_ in rows(victim.archive, "PRAGMA table_info(entries)")]
    new = {"seq": str(last + 1), "uid": "4711"}
    values = ", ".join(new.get(name, name) for name in columns)
    tamper(victim, f"INSERT INTO entries SELECT {values} FROM entries WHERE seq = {last}")
    assert f"{last + 1}, ledger.db: it is not in the log: somebody inserted it" in found(victim)


def test_a_swapped_segment_is_found(victim: Collector) -> None:
    """Two files under each other's names, each sound in itself."""
    first, second = segments(victim)
    shutil.move(first, victim.home / "aside")
    shutil.move(second, first)
    shutil.move(victim.home / "aside", second)
    named = {each.split(",")[0] for each in found(victim)}
    assert {str(seq) for seq in range(1, FIRST + SECOND + 1)} <= named


def test_an_older_copy_of_a_segment_is_found(victim: Collector, made: Made) -> None:
    """It holds less than the ledger says; nothing in it is damaged."""
    newest = segments(victim)[-1]
    older = made.old / "segments" / newest.name
    content = older.read_bytes() if older.exists() else newest.read_bytes()[:100]
    newest.write_bytes(content)
    named = {each.split(",")[0] for each in found(victim)}
    assert {str(seq) for seq in range(FIRST + 1, FIRST + SECOND + 1)} <= named


def sign_anew(victim: Collector) -> None:
    """Throw ledger, log and keys away, and let the program make and sign all of it anew."""
    shutil.rmtree(victim.archive / "checkpoints")
    (victim.archive / "ledger.db").unlink()
    assert victim.run("rebuild").code == 0
    (port,) = free_ports(1)
    keys = ["name", "host", "username", "password_env", "security"]
    values = ["journal", "127.0.0.1", "nobody", "HOME", "plain"]
    mailbox = "".join(f'{key} = "{value}"\n' for key, value in zip(keys, values, strict=True))
    configure(victim, f"{mailbox}port = {port}\n")
    assert victim.run("collect").code == 1  # nobody there; the archive was opened and signed


def test_a_log_signed_anew_with_another_key_is_found(victim: Collector, made: Made) -> None:
    """Consistent in itself; the published key tells, and so does what was anchored."""
    sign_anew(victim)
    assert (victim.archive / "checkpoints" / "log.vkeys").read_text().strip() != made.published
    assert found(victim, "--without-bodies") == []
    strange = found(victim, "--without-bodies", "--key", made.published)
    assert strange
    assert all(each.endswith(": no known key signed this note") for each in strange)
    anchors = victim.home / "elsewhere"
    disagree = f"None, anchors {anchors}: no anchored checkpoint agrees with this archive"
    assert disagree in found(victim, "--without-bodies", "--anchors", str(anchors))
    assert disagree in found(victim, "--full")


def test_a_rolled_back_ledger_is_found_by_the_checkpoints(victim: Collector, made: Made) -> None:
    """An old copy of ledger and segments was put back, the checkpoints were forgotten."""
    for name in ("segments", "ledger.db"):
        put_back(made.old / name, victim.archive / name)
    (problem,) = found(victim, "--without-bodies")
    assert problem.startswith("None, ledger.db: the log has")
    assert problem.endswith("were signed: it was rolled back")


def test_an_archive_rolled_back_as_a_whole_is_found_by_what_was_anchored(
    victim: Collector, made: Made
) -> None:
    """Nothing inside shows it, which the manual says; what lies outside does."""
    put_back(made.old, victim.archive)
    assert found(victim, "--without-bodies") == []
    anchors = victim.home / "elsewhere"
    problems = found(victim, "--without-bodies", "--anchors", str(anchors))
    assert problems
    assert all(each.startswith(f"None, anchors {anchors}: ") for each in problems)
    assert all(each.endswith("rolled back") for each in problems)
    assert found(victim, "--full") == problems  # the anchor file is configured


def put_back(old: Path, place: Path) -> None:
    """Replace a file or directory by an old copy."""
    if place.is_dir():
        shutil.rmtree(place)
        shutil.copytree(old, place)
    else:
        for each in place.parent.glob(f"{place.name}*"):
            each.unlink()
        shutil.copy(old, place)
