"""A full verification that was interrupted goes on where it stopped, and only then."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from collector_program import Collector
from taking import take
from throwaway import wait_until

from collector.config import Settings, load
from collector.custody.watch import utc_now
from collector.service.assemble import open_house, open_reading
from collector.service.selection import Wanted
from collector.service.verify import Verified, last_full_verification, verify

ENTRIES = 12


def letters(first: int, count: int, size_bytes: int = 100) -> list[bytes]:
    """Return messages that cannot be compressed."""
    numbers = range(first, first + count)
    return [b"Subject: %d\r\n\r\n" % each + os.urandom(size_bytes) for each in numbers]


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Return the configuration of an archive of twelve entries in two segments."""
    monkeypatch.setattr("collector.custody.audit.WINDOW_MESSAGES", 2)
    path = tmp_path / "collector.toml"
    path.write_text(f'[archive]\npath = "{tmp_path / "archive"}"\n')
    settings = load(path)
    with open_house(settings) as house:
        take(house, 1, letters(1, ENTRIES // 2))
        house.intake.writer.roll(bytes_min=1)
        take(house, 1 + ENTRIES // 2, letters(1 + ENTRIES // 2, ENTRIES // 2))
    return settings


def run(settings: Settings, stop: Callable[[], bool] = lambda: False, **wanted) -> Verified:
    """Verify, until ``stop`` says so."""
    return verify(settings, Wanted(**wanted), lambda _done, _total: None, stop)


def after(steps: int) -> Callable[[], bool]:
    """Return a stop sign that is set after so many steps: log, windows, stored, segments."""
    signs: Iterator[bool] = iter([False] * steps)
    return lambda: next(signs, True)


def state(settings: Settings) -> Path:
    """Return the file that says how far it is."""
    return settings.archive.path / "verification.json"


LOG_STEPS = 1
"""The log of a small archive is compared in one."""


@pytest.mark.parametrize("steps", range(1, 12))
def test_it_goes_on_wherever_it_stopped(settings: Settings, steps: int) -> None:
    """Every entry is read once in the end; the beginning is that of the first run."""
    first = run(settings, after(steps))
    if first.finished:
        assert steps >= 9
        return
    assert state(settings).exists()
    second = run(settings)
    done = min(max(0, 2 * (steps - LOG_STEPS + 1)), ENTRIES)
    assert (first.entries, second.resumed) == (done, done)
    assert (second.finished, second.entries, second.problems) == (True, ENTRIES, [])
    assert second.began_at == first.began_at
    assert not state(settings).exists()


def test_only_what_came_to_its_end_is_a_full_verification(settings: Settings) -> None:
    """The event says when it began, and the report can name it."""
    with open_reading(settings) as (_archive, ledger):
        assert last_full_verification(ledger) is None
        first = run(settings, after(3))
        assert last_full_verification(ledger) is None
        run(settings, sample=2)
        assert last_full_verification(ledger) is None
        run(settings)
        event = last_full_verification(ledger)
    assert event is not None
    assert event.keys["began_at"] == first.began_at.isoformat()
    assert (event.keys["entries_count"], event.keys["broken"]) == (ENTRIES, 0)


def test_what_was_found_before_is_told_again(settings: Settings) -> None:
    """Damage in the part that is not read again, once; and it is said in the end."""
    with open_reading(settings) as (_archive, ledger):
        (entry,) = ledger.entries(1, 1)
    path = settings.archive.path / "segments" / f"{entry.blob.segment}.tar.zst"
    sound = path.read_bytes()
    content = bytearray(sound)
    content[entry.blob.frame_offset + entry.blob.frame_bytes // 2] ^= 1
    path.chmod(0o600)
    path.write_bytes(content)
    first = run(settings, after(2))
    assert 1 in {each.seq for each in first.problems}
    path.write_bytes(sound)
    second = run(settings)
    assert second.resumed > 0
    assert 1 in {each.seq for each in second.problems}
    assert len(set(second.problems)) == len(second.problems)


def test_a_log_that_was_rolled_back_is_verified_from_the_beginning(
    settings: Settings, tmp_path: Path
) -> None:
    """What was read belongs to another log."""
    old = tmp_path / "old"
    shutil.copytree(settings.archive.path, old)
    with open_house(settings) as house:
        take(house, 1 + ENTRIES, letters(1 + ENTRIES, 2))
    run(settings, after(4))
    kept = state(settings).read_bytes()
    shutil.rmtree(settings.archive.path)
    old.rename(settings.archive.path)
    state(settings).write_bytes(kept)
    assert run(settings).resumed == 0


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("saved_at", (utc_now() - timedelta(days=7, minutes=1)).isoformat()),
        ("saved_at", (utc_now() + timedelta(days=1)).isoformat()),
        ("root", "00" * 32),
        ("form", "verification/0"),
        ("seq", "many"),
        ("problems", [{"no": "problem"}]),
    ],
    ids=["old", "future", "another log", "another form", "no number", "no problem"],
)
def test_what_cannot_be_believed_is_not(settings: Settings, key: str, value: object) -> None:
    """Older than seven days, of another log, or of another form."""
    run(settings, after(4))
    told = json.loads(state(settings).read_text())
    state(settings).write_text(json.dumps({**told, key: value}))
    assert (run(settings).resumed, state(settings).exists()) == (0, False)


def test_a_stranger_begins_anew(settings: Settings) -> None:
    """What lies in the archive may have been written by whoever changed it."""
    run(settings, after(4))
    again = run(settings, anew=True)
    assert (again.resumed, again.entries) == (0, ENTRIES)


def test_a_sample_leaves_the_full_one_where_it_is(settings: Settings) -> None:
    """And the log is compared each time."""
    run(settings, after(4))
    kept = state(settings).read_bytes()
    assert run(settings, sample=3).entries == 3
    assert run(settings, bodies=False).entries == ENTRIES
    assert state(settings).read_bytes() == kept


def test_new_entries_are_read_by_the_run_that_goes_on(settings: Settings) -> None:
    """The log continues the one it was begun for."""
    run(settings, after(4))
    with open_house(settings) as house:
        take(house, 1 + ENTRIES, letters(1 + ENTRIES, 3))
    assert run(settings).entries == ENTRIES + 3


def test_what_is_appended_to_a_segment_meanwhile_is_walked(settings: Settings) -> None:
    """Only what is sealed is passed over: the open segment was read, and grew."""
    assert not run(settings, after(8)).finished  # behind the last segment
    with open_house(settings) as house:
        take(house, 1 + ENTRIES, letters(1 + ENTRIES, 1))
    tampered = "UPDATE receipts SET uid = 99 WHERE seq = (SELECT MAX(seq) FROM receipts)"
    subprocess.run(["sqlite3", settings.archive.path / "ledger.db", tampered], check=True)
    differs = "the ledger's row differs from the stored receipt"
    assert (1 + ENTRIES, differs) in {(each.seq, each.what) for each in run(settings).problems}


def test_a_sample_can_be_drawn_again(settings: Settings) -> None:
    """By its seed, which is told and recorded; another seed draws others."""
    looked: list[list[int]] = []
    for seed in (1, 1, 2):
        with open_reading(settings) as (_archive, ledger):
            from collector.service.selection import chosen

            looked.append([each.seq for each in chosen(ledger, Wanted(sample=4, seed=seed))])
    assert looked[0] == looked[1] == sorted(set(looked[0]))
    assert looked[0] != looked[2]
    told = run(settings, sample=4)
    with open_reading(settings) as (_archive, ledger):
        event = ledger.events(names=["archive.verified"])[0]
    assert (event.keys["sample"], event.keys["seed"]) == (4, told.wanted.seed)
    assert told.wanted.seed is not None


def test_a_timer_verifies_in_full_when_it_is_time(settings: Settings) -> None:
    """The first time, after an interruption, and when the last one is old."""
    month = timedelta(days=30)

    def was_full(**more) -> bool:
        return run(settings, sample=2, full_every=month, **more).wanted.full

    assert was_full()
    assert not was_full()
    run(settings, after(4))
    assert was_full()
    assert not was_full()
    assert run(settings, sample=2, full_every=timedelta()).wanted.full


@pytest.fixture
def large(collector: Collector) -> Collector:
    """Return a program whose archive takes a while to read."""
    collector.configure()
    with open_house(load(collector.home / "collector.toml")) as house:
        for first in range(1, 2401, 600):
            take(house, first, letters(first, 600, 60_000))
    return collector


def test_the_program_stops_when_told_and_goes_on(large: Collector) -> None:
    """SIGTERM while messages are read: exit code 1, and the same command finishes."""
    running = large.start("verify", "--full", "--json")
    files = Path(f"/proc/{running.process.pid}/fd")

    def reads_a_segment() -> bool:
        assert running.process.poll() is None
        return any("/segments/" in target(each) for each in files.iterdir())

    wait_until(reads_a_segment, "a segment is read", 60)
    stopped = running.end(signal.SIGTERM)
    told = stopped.json()
    assert (stopped.code, told["finished"], told["broken"]) == (1, False, 0)
    text = large.run("verify")
    assert text.code == 0, text.err
    assert re.search(r"verified 2400 entries, in full, 0 broken", text.text)
    assert re.search(rf"went on after {told['verified']} entries", text.text) or (
        told["verified"] == 0
    )


def target(link: Path) -> str:
    """Return where a link leads, nowhere when it is gone."""
    try:
        return str(link.readlink())
    except FileNotFoundError:
        return ""


@pytest.mark.parametrize(
    "options",
    [
        ("--full", "--sample", "3"),
        ("--full", "--without-bodies"),
        ("--full-every", "30d"),
        ("--sample", "3", "--full-every", "soon"),
        ("--seed", "3"),
        ("--anchors", "nowhere"),
    ],
)
def test_options_that_cannot_be_used_are_refused(
    collector: Collector, options: tuple[str, ...]
) -> None:
    """Before anything is read."""
    collector.configure()
    assert collector.run("verify", *options).code == 2
