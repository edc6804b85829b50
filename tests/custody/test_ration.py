"""The budget of a mailbox over the last 24 hours, kept in the ledger."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from collector.custody.ration import LedgerRation
from collector.domain.errors import CycleError
from collector.ledger.ledger import Ledger
from collector.store.durable import sync_directory

NOON = datetime(2026, 11, 2, 12, 20, tzinfo=UTC)


@pytest.fixture
def ledger(tmp_path):
    """Return an empty ledger."""
    made = Ledger.open(tmp_path / "ledger.db", create=True, sync_directory=sync_directory)
    yield made
    made.close()


def ration_at(ledger: Ledger, now: datetime, mailbox: str = "journal") -> LedgerRation:
    """Return the ration of a mailbox at an instant."""
    return LedgerRation(mailbox, ledger.throttles, lambda: now)


def test_what_was_taken_counts_for_a_day(ledger) -> None:
    """By the hour it was taken in; another mailbox has a budget of its own."""
    ration_at(ledger, NOON).took(600)
    ration_at(ledger, NOON + timedelta(minutes=50)).took(100)
    assert ration_at(ledger, NOON + timedelta(hours=2)).left_bytes(1000) == 300
    assert ration_at(ledger, NOON + timedelta(hours=2), "other").left_bytes(1000) == 1000
    assert ration_at(ledger, NOON + timedelta(hours=25)).left_bytes(1000) == 900
    assert ration_at(ledger, NOON + timedelta(hours=27)).left_bytes(1000) == 1000


def test_a_budget_that_is_used_up_says_when_it_goes_on(ledger) -> None:
    """When the oldest hour falls out; it is looked at again before, for gaps and arrivals."""
    ration_at(ledger, NOON).took(1200)
    with pytest.raises(CycleError, match="used up") as caught:
        ration_at(ledger, NOON + timedelta(hours=3)).left_bytes(1000)
    assert "2026-11-03 13:00 UTC" in caught.value.hint
    assert caught.value.retry_after_s == 1800.0
    with pytest.raises(CycleError) as caught:
        ration_at(ledger, NOON + timedelta(hours=24, minutes=30)).left_bytes(1000)
    assert caught.value.retry_after_s == 600.0
    assert ration_at(ledger, NOON + timedelta(hours=24, minutes=41)).left_bytes(1000) == 1000


def test_old_hours_are_forgotten(ledger) -> None:
    """The table does not grow with the years."""
    for day in range(30):
        ration_at(ledger, NOON + timedelta(days=day)).took(1)
    kept = ledger.throttles.downloads("journal", NOON - timedelta(days=90))
    assert len(kept) == 3
