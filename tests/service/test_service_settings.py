"""A changed setting is an event, whenever the program was stopped in between."""

from __future__ import annotations

import signal
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from collector_program import Collector

from collector.config import Settings, load
from collector.custody.watch import utc_now
from collector.service.acts import Person
from collector.service.assemble import open_house, open_reading
from collector.service.clock import Clock, behind_s
from collector.service.rebuild import rebuild

ANNA = Person("anna")
NOW = datetime(2026, 3, 4, tzinfo=UTC)


def settings_with(tmp_path: Path, more: str = "") -> Settings:
    """Return settings of one archive."""
    path = tmp_path / "collector.toml"
    path.write_text(f'[archive]\npath = "{tmp_path / "archive"}"\n{more}')
    return load(path)


def changed(settings: Settings) -> list[dict[str, Any]]:
    """Open the archive once; return what it says of changes, oldest first."""
    with open_house(settings, ANNA) as house:
        return [each.keys for each in house.ledger.events(names=["config.changed"])][::-1]


def test_a_change_is_told_once_with_both_values_and_who(tmp_path: Path) -> None:
    """The first start knows nothing to compare with; the same settings again say nothing."""
    first = settings_with(tmp_path)
    assert changed(first) == changed(first) == []
    second = settings_with(tmp_path, '[log]\nlevel = "debug"\n')
    told = {
        "person": {"user": "anna"},
        "digest_before": first.digest,
        "digest": second.digest,
        "changes": [{"key": "log.level", "before": "info", "after": "debug"}],
    }
    assert changed(second) == [told]
    assert changed(second) == [told]


def test_a_new_ledger_has_nothing_to_compare_with(tmp_path: Path) -> None:
    """After a rebuild the change is in the events that the segments hold."""
    changed(settings_with(tmp_path))
    second = settings_with(tmp_path, '[log]\nlevel = "debug"\n')
    assert len(changed(second)) == 1
    rebuild(second, lambda _count: None, ANNA)
    assert len(changed(second)) == 1


def test_a_clock_that_is_set_is_noticed() -> None:
    """Ahead and back; slewing and sleeping are no jumps."""
    wall, steady = [1000.0], [50.0]
    clock = Clock(lambda: wall[0], lambda: steady[0])
    told = []
    for wall_s, steady_s in ((30, 30), (30.4, 30), (9000, 9000), (3630, 30), (-570, 30), (30, 30)):
        wall[0] += wall_s
        steady[0] += steady_s
        told.append(clock.jumped_s())
    assert told == [None, None, None, 3600.0, -600.0, None]


def test_a_clock_behind_the_last_event_is_noticed_at_the_start(tmp_path: Path) -> None:
    """What was recorded lies in the future."""
    with open_house(settings_with(tmp_path)) as house:
        house.ledger.record_event("log.continued", NOW)
        (event,) = house.ledger.events(names=["log.continued"])
    assert behind_s(event, NOW.replace(year=2025)) == 365 * 86400
    assert behind_s(event, NOW) is None
    assert behind_s(None, NOW) is None


@pytest.mark.dovecot
def test_the_service_says_that_the_clock_is_behind_and_who_started_it(
    collector: Collector, dovecot
) -> None:
    """A clock that was set back between two runs is in the events of the second."""
    collector.configure(collector.mailbox(dovecot.new_user()), log='level = "info"')
    settings = load(collector.home / "collector.toml")
    with open_house(settings) as house:
        house.ledger.record_event("log.continued", utc_now() + timedelta(hours=1))
    running = collector.start("--as", "Anna", "run")
    deadline_s = time.monotonic() + 30
    while b"service.started" not in running.err.read_bytes():
        assert time.monotonic() < deadline_s
        time.sleep(0.05)
    assert running.end(signal.SIGTERM).code == 0
    with open_reading(settings) as (_archive, ledger):
        (jumped,) = ledger.events(names=["clock.jumped"])
        (started,) = ledger.events(names=["service.started"])
    assert -3601 < jumped.keys["jump_s"] < -3500
    assert started.keys["person"]["as"] == "Anna"
