"""What servers asked us to wait is kept over a restart."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from collector.domain.errors import ThrottledError
from collector.ledger.ledger import Ledger
from collector.ledger.query import Throttled
from collector.service.throttle import find_throttle, note_throttle, still_throttled
from collector.store.durable import sync_directory

NOW = datetime(2026, 11, 2, 12, 20, tzinfo=UTC)


def test_a_throttle_is_there_after_a_restart(tmp_path) -> None:
    """The last one counts, for its mailbox only, until it is forgotten."""
    error = ThrottledError("no", retry_after_s=3600.0, throttle="bandwidth")
    path = tmp_path / "ledger.db"
    ledger = Ledger.open(path, create=True, sync_directory=sync_directory)
    note_throttle(ledger, "journal", error, NOW - timedelta(hours=3))
    note_throttle(ledger, "journal", error, NOW)
    ledger.close()
    ledger = Ledger.open(path, create=False, sync_directory=sync_directory)
    kept = Throttled("bandwidth", NOW + timedelta(hours=1))
    assert find_throttle(ledger, "journal", NOW) == kept
    assert find_throttle(ledger, "other", NOW) is None
    told = still_throttled(kept, "journal", NOW)
    assert (told.retry_after_s, told.throttle) == (3600.0, "bandwidth")
    ledger.throttles.forget("journal")
    assert find_throttle(ledger, "journal", NOW) is None
    ledger.close()


def test_a_clock_that_was_set_back_does_not_lock_us_out(tmp_path) -> None:
    """No server asks for more than a day; what is later than that is not believed."""
    ledger = Ledger.open(tmp_path / "l.db", create=True, sync_directory=sync_directory)
    error = ThrottledError("no", retry_after_s=90 * 86400.0, throttle="requests")
    note_throttle(ledger, "journal", error, NOW)
    assert find_throttle(ledger, "journal", NOW) == Throttled("requests", NOW + timedelta(days=1))
    assert find_throttle(ledger, "journal", NOW - timedelta(days=30)) is None
    ledger.close()
