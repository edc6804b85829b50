"""The log of an archive: events of any process enter it, and a rebuild makes the same tree."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from collector.config import Settings, load
from collector.custody.indexing import index
from collector.custody.intake import Arrived
from collector.domain.blob import RawBytes
from collector.domain.custody import Settlement, State
from collector.domain.errors import CycleError
from collector.domain.evidence import Event
from collector.domain.journal import UNCONFIGURED
from collector.domain.mailbox import Announced, Fetched, MailboxId, MessageRef
from collector.service.assemble import House, open_house, open_reading
from collector.service.rebuild import rebuild

NOW = datetime(2026, 3, 4, 5, 6, 7, 89, tzinfo=UTC)
INBOX = MailboxId("journal", "INBOX")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Return the configuration of an archive without mailboxes."""
    path = tmp_path / "collector.toml"
    path.write_text(f'[archive]\npath = "{tmp_path / "archive"}"\n')
    return load(path)


def take(house: House, first_uid: int, count: int) -> None:
    """Take messages over as a cycle does."""
    arrived = []
    for uid in range(first_uid, first_uid + count):
        raw = RawBytes(b"Subject: %d\r\n\r\nbody\r\n" % uid)
        announced = Announced(MessageRef(INBOX, 7, uid), None, NOW)
        arrived.append(Arrived(Fetched(announced, raw), NOW, index(raw, UNCONFIGURED)))
    with house.intake.turn():
        house.intake.commit(house.intake.store(arrived, NOW))


def tree(settings: Settings) -> tuple[int, bytes, list[Event]]:
    """Return size and root of the log, and the events that are in it."""
    with open_reading(settings) as (_archive, ledger):
        size = ledger.log.size()
        unlogged = {event.number for event in ledger.unlogged_events()}
        logged = [event for event in ledger.events() if event.number not in unlogged]
        return size, ledger.log.root(size), logged


def fill(settings: Settings) -> None:
    """Fill an archive over two runs, with events between entries, and settlements."""
    with open_house(settings) as house:
        take(house, 1, 3)
        house.record("service.started", version="1")
        house.intake.attest(NOW)
        take(house, 4, 2)
        gone = [Settlement(2, State.VANISHED, None, NOW)]
        house.intake.writer.append_settlements(gone)
        house.ledger.settle(gone)
        house.ledger.record_event("message.vanished", NOW, mailbox=str(INBOX), seq=2)
    with open_house(settings) as house:
        take(house, 6, 1)
        house.record("service.stopped", exit_code=0)


def test_a_rebuild_makes_the_same_tree_and_brings_events_back(settings: Settings) -> None:
    """Root, size and logged events are the same from the segments alone."""
    fill(settings)
    before = tree(settings)
    assert before[0] == 6 + 5, "the key, and how the index is derived, are events, too"
    adopted = rebuild(settings, lambda _count: None)
    assert (adopted.entries_count, adopted.events_count) == (6, 5)
    assert tree(settings) == before
    with open_house(settings) as house:
        assert house.ledger.log.size() == before[0] + 2, "ledger.rebuilt, index.derived"


def test_a_sealed_segment_rebuilds_to_the_same_tree(settings: Settings) -> None:
    """Sealing keeps events and their place."""
    fill(settings)
    with open_house(settings) as house:
        house.intake.writer.roll(bytes_min=1)
        house.intake.seal()
        house.intake.finish_sealing(lambda: False)
        (segment,) = house.archive.segments()
        assert segment.sealed
    before = tree(settings)
    rebuild(settings, lambda _count: None)
    assert tree(settings) == before


def test_what_another_process_recorded_enters_with_the_writer(settings: Settings) -> None:
    """A reader may record an event; it has no leaf until the writer comes."""
    fill(settings)
    size, *_ = tree(settings)
    with open_reading(settings) as (_archive, ledger):
        ledger.record_event("archive.exported", NOW, messages_count=1)
    assert tree(settings)[0] == size
    with open_house(settings):
        pass
    after, _root, events = tree(settings)
    last = max(events, key=lambda event: event.number)
    assert (after, last.name) == (size + 1, "archive.exported")


@pytest.mark.parametrize("stage", ["before the segment", "after the segment"])
def test_an_interrupted_logging_is_made_good_in_order(
    settings: Settings, stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An event that is durable but has no leaf gets it before the next entry does."""

    def fail(_events: Sequence[Event]) -> int:
        raise CycleError("the ledger is locked")

    with open_house(settings) as house:
        take(house, 1, 1)
        house.record("service.started")
        with monkeypatch.context() as patch:
            owner = house.intake.writer if stage.startswith("before") else house.ledger
            patch.setattr(
                owner, "append_events" if stage.startswith("before") else "log_events", fail
            )
            house.intake.attest(NOW)
        assert house.ledger.log.size() == 1 + 2
        take(house, 2, 1)
        house.intake.attest(NOW)
        leaf = house.ledger.log.position(2)
        assert leaf == (3 if stage.startswith("before") else 4)
    before = tree(settings)
    assert before[0] == 5
    rebuild(settings, lambda _count: None)
    assert tree(settings) == before


def test_a_stranger_finds_the_events_in_the_segments(settings: Settings) -> None:
    """Tar and zstd alone show what happened, as FORMAT.md says."""
    fill(settings)
    (segment,) = (settings.archive.path / "segments").glob("*.tar.zst")
    command = ["tar", "--zstd", "--wildcards", "-xOf", str(segment), "*-events.json"]
    shown = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    names = ("service.started", "message.vanished", "service.stopped")
    places = [shown.index(f'"name":"{name}"') for name in names]
    assert places == sorted(places)
