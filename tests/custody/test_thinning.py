"""Old checkpoints are thinned out, and nothing that was signed is unsigned by it."""

from __future__ import annotations

import errno
import os
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.config import Settings, load
from collector.custody.anchored import Anchored
from collector.custody.audit import Signed
from collector.custody.checkpoints import checkpoint_files, read_file
from collector.custody.thinning import superfluous
from collector.custody.watch import utc_now
from collector.domain.errors import CycleError
from collector.domain.evidence import Checkpoint
from collector.ledger.merkle import verify_consistency
from collector.service.assemble import House, open_house, open_reading
from collector.service.evidence import directory_of, known_keys
from collector.service.selection import Wanted
from collector.service.thinning import thinning_job
from collector.service.verify import verify

OLD = utc_now().replace(hour=12, minute=0) - timedelta(days=90)
DAYS, EACH_DAY = 3, 4


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Return the configuration of an archive with four checkpoints on each of three old days."""
    path = tmp_path / "collector.toml"
    path.write_text(f'[archive]\npath = "{tmp_path / "archive"}"\n')
    settings = load(path)
    with open_house(settings) as house:
        for day in range(DAYS):
            for hour in range(EACH_DAY):
                grow(house, OLD + timedelta(days=day, hours=hour))
    return settings


def grow(house: House, at: datetime) -> None:
    """Record an event of some time, and sign it."""
    house.ledger.record_event("service.started", at)
    house.intake.attest(utc_now())


def sizes(settings: Settings) -> list[int]:
    """Return the sizes of all checkpoints."""
    return [int(path.stem) for path in checkpoint_files(directory_of(settings.archive.path))]


def thin(settings: Settings) -> float:
    """Run the job once; return how long it rests."""
    with open_house(settings) as house:
        return thinning_job(settings).work(house.intake, lambda: False)


def checkpoint_of(settings: Settings, size: int) -> Checkpoint:
    """Read a checkpoint with the keys of the archive."""
    root = settings.archive.path
    path = directory_of(root) / f"{size:012d}.checkpoint"
    return read_file(path, known_keys(root)).checkpoint


def test_the_last_of_each_day_stays_and_all_that_others_hold(settings: Settings) -> None:
    """Stamped and anchored ones as well, the first, and what is young."""
    before = sizes(settings)
    first, *old = before[: 1 + DAYS * EACH_DAY]
    directory = directory_of(settings.archive.path)
    (directory / f"{old[1]:012d}.tsa.example.net.tsr").write_bytes(b"stamp")
    Anchored(directory).add(old[5], "file:/elsewhere", utc_now())
    Anchored(directory).intend(old[6], "proof:1", utc_now())
    thin(settings)
    days = [old[EACH_DAY - 1], old[2 * EACH_DAY - 1], old[3 * EACH_DAY - 1]]
    young = [size for size in sizes(settings) if size > old[-1]]
    assert young
    assert sizes(settings) == sorted({first, *days, old[1], old[5], old[6], *young})


def test_what_is_left_is_consistent_and_verifies(settings: Settings) -> None:
    """Each kept tree contains the one before it, by the proof of RFC 9162; verify agrees."""
    before = sizes(settings)
    thin(settings)
    kept = sizes(settings)
    assert len(before) - len(kept) >= DAYS * (EACH_DAY - 1) - 1
    with open_reading(settings) as (_archive, ledger):
        for old, new in pairwise(kept):
            proof = ledger.log.prove_consistency(old, new)
            roots = (checkpoint_of(settings, each).root for each in (old, new))
            assert verify_consistency(old, new, proof, *roots)
    assert verify(settings, Wanted(), lambda _done, _total: None).problems == []


def test_what_was_removed_stands_in_the_log(settings: Settings) -> None:
    """How many, from where to where, and it is in the tree like every event."""
    before = sizes(settings)
    thin(settings)
    gone = sorted(set(before) - set(sizes(settings)))
    with open_reading(settings) as (_archive, ledger):
        (event,) = ledger.events(names=["checkpoints.thinned"])
        assert ledger.unlogged_events() == []
    keys = (event.keys["removed_count"], event.keys["first_leaves"], event.keys["last_leaves"])
    assert keys == (len(gone), gone[0], gone[-1])
    thin(settings)
    with open_reading(settings) as (_archive, ledger):
        assert len(ledger.events(names=["checkpoints.thinned"])) == 1


def test_a_checkpoint_that_contradicts_the_log_is_evidence_and_stays(settings: Settings) -> None:
    """So is one that cannot be read; verify names both."""
    directory = directory_of(settings.archive.path)
    broken, other = sizes(settings)[2:4]
    (directory / f"{broken:012d}.checkpoint").write_text("nothing")
    with open_house(settings) as house:
        signer = house.intake.checkpoints.signer
    from collector.evidence.checkpoint import sign_checkpoint

    forged = sign_checkpoint(Checkpoint(signer.key.name, other, bytes(32)), [signer])
    (directory / f"{other:012d}.checkpoint").write_bytes(forged.raw)
    thin(settings)
    assert {broken, other} <= set(sizes(settings))
    found = verify(settings, Wanted(bodies=False), lambda _done, _total: None).problems
    assert len(found) == 2


def test_many_are_removed_a_few_at_a_time(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rest has its turn a minute later; when there is none, a day later."""
    for module in ("custody", "service"):
        monkeypatch.setattr(f"collector.{module}.thinning.THINNED_MAX", 4)
    before = len(sizes(settings))
    assert thin(settings) == 60.0
    with open_house(settings) as house:
        while thinning_job(settings).work(house.intake, lambda: False) == 60.0:
            pass
    with open_reading(settings) as (_archive, ledger):
        told = ledger.events(names=["checkpoints.thinned"])
    assert {each.keys["removed_count"] for each in told} <= {1, 2, 3, 4}
    assert sum(each.keys["removed_count"] for each in told) >= 8
    assert before > len(sizes(settings))


def test_a_full_disk_leaves_everything_as_it_is(settings: Settings) -> None:
    """That something is removed cannot be recorded, so nothing is; the service goes on."""
    before = sizes(settings)
    with open_house(settings) as house:
        database = house.ledger._database
        database.pragma("max_page_count", database.pragma("page_count"))
        with pytest.raises(CycleError, match="the disk is full"):
            record_forever(house)
        assert thinning_job(settings).work(house.intake, lambda: False) == 60.0
        database.pragma("max_page_count", 2**30)
    assert set(before) <= set(sizes(settings))


def record_forever(house: House) -> None:
    """Record events until something ends it."""
    while True:
        house.ledger.record_event("service.started", OLD)


def test_a_checkpoint_thinned_while_it_is_verified_is_no_problem(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list was made before it was removed."""
    directory = directory_of(settings.archive.path)
    listed = list(checkpoint_files(directory))
    listed[3].unlink()
    monkeypatch.setattr("collector.custody.audit.checkpoint_files", lambda _directory: listed)
    roots: dict[int, bytes] = {}
    assert list(Signed(directory, known_keys(settings.archive.path)).read(roots)) == []
    assert len(roots) == len(listed) - 1


def test_without_knowing_what_was_anchored_nothing_is_removed(settings: Settings) -> None:
    """The record cannot be read; that is told, and no reason to stop."""
    (directory_of(settings.archive.path) / "anchored.txt").mkdir()
    before = sizes(settings)
    assert thin(settings) == 86_400.0
    assert set(before) <= set(sizes(settings))


def test_a_directory_that_gives_nothing_up_stops_nobody(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when somebody made it append-only (chattr +a)."""

    def refused(path: Path, missing_ok: bool = False) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM), str(path))

    before = sizes(settings)
    with open_house(settings) as house:
        monkeypatch.setattr(Path, "unlink", refused)
        assert thinning_job(settings).work(house.intake, lambda: False) == 86_400.0
        monkeypatch.undo()
    assert set(before) <= set(sizes(settings))


NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)


@given(
    st.lists(st.integers(0, 400), max_size=60),
    st.sets(st.integers(1, 60), max_size=10),
    st.integers(0, 20),
)
def test_every_day_keeps_its_last(hours: list[int], kept: set[int], days: int) -> None:
    """Whatever the archive did: no day, no stamp and nothing young is lost."""
    instants = {size: NOON + timedelta(hours=at) for size, at in enumerate(sorted(hours), 1)}
    before = NOON + timedelta(days=days)
    going = set(superfluous(sorted(instants), instants, kept, before))
    left = instants.keys() - going
    assert {instants[each].date() for each in left} == {at.date() for at in instants.values()}
    assert not going & kept
    assert all(instants[each] < before for each in going)
    assert not instants or {min(instants), max(instants)} <= left
    assert going == set(superfluous(sorted(instants), instants, kept, before))


def test_what_has_no_time_stays() -> None:
    """A checkpoint larger than the log, or over a leaf that is gone."""
    instants = {size: NOON - timedelta(hours=size) for size in (1, 3, 5)}
    assert superfluous([1, 2, 3, 4, 5, 6], instants, set(), NOON) == [3]
