"""What is watched: traffic by the hour, readings, alarms and notices."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from ledger_samples import INBOX, MINUTE, NOW, OTHER, commit, pending_of, proof_of

from collector.domain.alarm import Alarm, Heard, KnownAlarm, Notice, Severity, Word
from collector.domain.custody import PendingEntry, Summary
from collector.domain.journal import Kind, Trust, Unwrapped
from collector.ledger.ledger import Ledger
from collector.ledger.watched import Failure, FailureKind, Reading
from collector.store.durable import sync_directory

HOUR = timedelta(hours=1)
ALARM = KnownAlarm(Alarm("quota", "Überlauf\x00", Severity.WARNING, "81 %", "raise it"), NOW, NOW)
NOTICE = Notice("office", "quota:x", Word.ALARM, Severity.WARNING, "a\nb", NOW, NOW)


def arrived(pending: PendingEntry, at: datetime | None) -> PendingEntry:
    """Return a message that arrived at another time."""
    return replace(pending, receipt=replace(pending.receipt, internal_date=at))


def whole(at: datetime) -> datetime:
    """Return the beginning of an hour."""
    return at.replace(minute=0, second=0, microsecond=0)


def test_traffic_is_counted_by_the_hour_of_arrival_and_of_commit(ledger: Ledger) -> None:
    """A message made up after an outage arrived before, and was collected now."""
    doubtful = Unwrapped(Kind.COPY, trust=Trust.CONFLICTING)
    ledger.commit(
        [
            arrived(pending_of(1), NOW - 3 * HOUR),
            arrived(pending_of(2, unwrapped=Unwrapped(Kind.UNRECOGNISED, reason="x")), None),
            arrived(pending_of(3, unwrapped=doubtful), NOW + 9 * HOUR),  # a wrong clock
        ]
    )
    ledger.commit([arrived(pending_of(4, mailbox=OTHER), NOW)])
    other, before, now = ledger.memory.traffic(NOW - 5 * HOUR)
    assert (other.mailbox, other.hour, other.arrived_count) == (OTHER, whole(NOW), 1)
    assert (before.hour, before.arrived_count, before.collected_count) == (
        whole(NOW - 3 * HOUR), 1, 0,
    )  # fmt: skip
    assert (now.hour, now.arrived_count, now.collected_count) == (whole(NOW), 2, 3)
    assert (now.quarantined_count, now.conflicting_count) == (1, 1)
    assert now.raw_bytes == sum(len(b"message %d" % seq) for seq in (1, 2, 3))
    assert now.stored_bytes == 3 * pending_of(1).blob.stored_bytes
    assert [each.mailbox for each in ledger.memory.traffic(NOW)] == [OTHER, INBOX]


def test_totals_tell_the_last_arrival(ledger: Ledger) -> None:
    """An older message that comes later does not change it."""
    ledger.commit([arrived(pending_of(1), NOW)])
    ledger.commit([arrived(pending_of(2), NOW - 30 * HOUR)])
    (total,) = ledger.memory.traffic_totals()
    assert (total.last_arrival_at, total.first_at) == (NOW, whole(NOW - 30 * HOUR))


def test_a_duplicate_takes_no_room(ledger: Ledger) -> None:
    """It is counted, and its bytes are not stored again."""
    raw = b"twice"
    ledger.commit([pending_of(1, raw=raw), pending_of(2, raw=raw, duplicate_of=1)])
    stored = sum(each.stored_bytes for each in ledger.memory.traffic(NOW - HOUR))
    assert stored == pending_of(1).blob.stored_bytes


def test_exposure_is_told_of_the_first_proof(ledger: Ledger) -> None:
    """A mailbox that does not let go is proven again, and that is no exposure."""
    entries = commit(ledger, 3)
    ledger.clear([proof_of(each, NOW + MINUTE) for each in entries])
    ledger.clear([proof_of(entries[0], NOW + 9 * HOUR)])
    (exposure,) = ledger.memory.exposures()
    assert exposure.seconds == (3660.0,) * 3
    assert exposure.quantile(0.5) == 3660.0


def test_a_reading_takes_the_place_of_the_last(ledger: Ledger) -> None:
    """One for each subject and name; what JSON cannot hold in a name is escaped."""
    ledger.memory.note_reading("a\x00", "quota", NOW, quotas=[["STORAGE", 1, 2]])
    ledger.memory.note_reading("a\x00", "quota", NOW + MINUTE, quotas=[])
    ledger.memory.note_reading("a\x00", "other", NOW, x=1)
    expected = Reading("a\x00", "quota", NOW + MINUTE, {"quotas": []})
    assert ledger.memory.reading("a\x00", "quota") == expected
    assert [each.name for each in ledger.memory.readings()] == ["other", "quota"]
    assert ledger.memory.reading("b", "quota") is None


def test_a_failure_lasts_from_the_first_to_a_good_cycle(ledger: Ledger) -> None:
    """Its kind may change meanwhile; a success forgets it."""
    unreachable = Failure(FailureKind.UNREACHABLE, "no", pause_s=30.0)
    ledger.note_cycle(INBOX, NOW, unreachable)
    ledger.note_cycle(INBOX, NOW + MINUTE, replace(unreachable, kind=FailureKind.LOGIN))
    failure = ledger.memory.reading(str(INBOX), "failure")
    assert failure is not None
    assert (failure.facts["kind"], failure.facts["count"]) == ("login", 2)
    assert datetime.fromisoformat(failure.facts["since"]) == NOW
    assert datetime.fromisoformat(failure.facts["kind_since"]) == NOW + MINUTE
    ledger.note_cycle(INBOX, NOW + HOUR, Summary())
    assert ledger.memory.reading(str(INBOX), "failure") is None


def test_alarms_and_notices_survive_a_restart(ledger: Ledger, ledger_path) -> None:
    """They come back as they were; what is over and what was delivered is gone."""
    ledger.memory.note_alarms([ALARM], [], [NOTICE], [])
    again = Ledger.open(ledger_path, create=False, sync_directory=sync_directory)
    assert (again.memory.alarms(), again.memory.notices()) == ([ALARM], [NOTICE])
    later = replace(NOTICE, attempts=1, try_at=NOW + MINUTE)
    again.memory.note_delivery(put_off=[later])
    assert ledger.memory.notices() == [later]
    again.memory.note_delivery(told=[later])
    again.memory.note_alarms([], [ALARM], [], [])
    assert (ledger.memory.alarms(), ledger.memory.notices()) == ([], [])
    again.close()


def test_what_a_receiver_heard_is_kept_until_he_heard_the_end(ledger: Ledger) -> None:
    """One row for each receiver and topic; the later takes the place of the earlier."""
    doubted = Heard("office", NOTICE.topic, Severity.WARNING, NOW, certain=False)
    other = replace(doubted, receiver="pager", topic="quota:\x00")
    ledger.memory.note_delivery(heard=[doubted, other])
    assert ledger.memory.heard() == [doubted, other]
    certain = replace(doubted, severity=Severity.CRITICAL, at=NOW + MINUTE, certain=True)
    ledger.memory.note_delivery(heard=[certain])
    ledger.memory.note_alarms([], [], [], [], forgotten=[other])
    assert ledger.memory.heard() == [certain]
    ledger.memory.note_delivery(told=[NOTICE], unheard=[NOTICE])
    assert ledger.memory.heard() == []
