"""Entries follow their messages into a segment that was written anew."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ledger_samples import commit, pending_of, tamper

from collector.domain.errors import IntegrityError
from collector.ledger.relocate import relocate


def moved(blob):
    """Return the place of a blob in the sealed segment."""
    return replace(
        blob,
        segment="000001.sealed",
        frame_offset=blob.frame_offset // 1000,
        frame_bytes=70,
        offset=20,
        stored_bytes=33,
    )


def moves_of(entries):
    """Return the moves of the messages that entries hold themselves."""
    own = [entry for entry in entries if entry.receipt.duplicate_of is None]
    return [(entry.blob, moved(entry.blob)) for entry in own]


def test_every_entry_of_the_segment_follows_duplicates_too(ledger):
    """Nothing but the place changes, and entries of other segments stay where they are."""
    commit(ledger, 3)
    ledger.commit([pending_of(4, raw=b"message 2", duplicate_of=2)])
    other = pending_of(5)
    ledger.commit([replace(other, blob=replace(other.blob, segment="000002"))])
    before = list(ledger.entries())
    assert relocate(ledger, "000001", moves_of(before[:4])) == 4
    after = list(ledger.entries())
    assert after == [replace(each, blob=moved(each.blob)) for each in before[:4]] + before[4:]
    assert after[3].blob == after[1].blob


def test_a_second_time_changes_nothing(ledger):
    """A crash after the switch makes it come again."""
    entries = commit(ledger, 2)
    moves = moves_of(entries)
    assert relocate(ledger, "000001", moves) == 2
    after = list(ledger.entries())
    assert relocate(ledger, "000001", moves) == 0
    assert list(ledger.entries()) == after


def test_an_entry_that_would_be_left_behind_stops_it(ledger):
    """When one message is missing no entry is switched, and the error names the segment."""
    entries = commit(ledger, 3)
    with pytest.raises(IntegrityError, match="1 of 3 entries") as caught:
        relocate(ledger, "000001", moves_of(entries)[:2])
    assert caught.value.subject == "segment 000001"
    assert list(ledger.entries()) == entries


@pytest.mark.parametrize(
    ("change", "undo"),
    [
        (
            "UPDATE entries SET frame_offset = frame_offset + 1 WHERE seq = 2",
            "UPDATE entries SET frame_offset = frame_offset - 1 WHERE seq = 2",
        ),
        (
            "UPDATE entries SET blob_offset = blob_offset + 1 WHERE seq = 2",
            "UPDATE entries SET blob_offset = blob_offset - 1 WHERE seq = 2",
        ),
    ],
)
def test_an_entry_that_names_another_place_is_not_followed(ledger, ledger_path, change, undo):
    """What a row says of its place must be what the segment holds."""
    entries = commit(ledger, 2)
    tamper(ledger_path, change)
    with pytest.raises(IntegrityError):
        relocate(ledger, "000001", moves_of(entries))
    tamper(ledger_path, undo)
    assert list(ledger.entries()) == entries


def test_a_segment_without_messages_is_named_by_nobody(ledger):
    """When an entry names it all the same, its bytes are lost, and that is said."""
    assert relocate(ledger, "000001", []) == 0
    commit(ledger, 1)
    with pytest.raises(IntegrityError, match="1 of 1 entries"):
        relocate(ledger, "000001", [])


def test_equal_bytes_stored_twice_keep_their_own_places(ledger):
    """The place decides, not the digest alone."""
    first, second = pending_of(1, raw=b"same"), pending_of(2, raw=b"same")
    entries = ledger.commit([first, second])
    assert relocate(ledger, "000001", moves_of(entries)) == 2
    assert [each.blob.frame_offset for each in ledger.entries()] == [1, 2]
