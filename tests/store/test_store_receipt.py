"""Receipts, settlements and events as JSON."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from store_samples import NOW, receipt_of, settlement_of

from collector.domain.blob import Digest
from collector.domain.custody import Receipt, Settlement, State
from collector.domain.evidence import Event
from collector.domain.mailbox import MailboxId, MessageRef
from collector.store.arrival import recorded
from collector.store.receipt import (
    decode_events,
    decode_receipt,
    decode_settlements,
    encode_receipt,
    encode_settlements,
)

COUNTS = st.integers(0, 2**63)
INSTANTS = st.datetimes(datetime(1900, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
RECEIPTS = st.builds(
    Receipt,
    seq=COUNTS,
    digest=st.binary().map(Digest.of),
    size_bytes=COUNTS,
    ref=st.builds(MessageRef, st.builds(MailboxId, st.text(), st.text()), COUNTS, COUNTS),
    internal_date=st.none() | INSTANTS,
    fetched_at=INSTANTS,
    committed_at=INSTANTS,
    kind=st.text(),
    quarantined=st.booleans(),
    duplicate_of=st.none() | COUNTS,
    fetch_flags=st.lists(st.text()).map(tuple),
)
SETTLEMENTS = st.builds(
    Settlement,
    seq=COUNTS,
    state=st.sampled_from(State),
    cleared_at=st.none() | INSTANTS,
    settled_at=INSTANTS,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
EVENTS = st.builds(
    Event,
    number=COUNTS,
    at=INSTANTS,
    name=st.text(),
    mailbox=st.text(),
    keys=st.dictionaries(st.text(), JSON),
)


def _canonical(value):
    """Return the one text of a JSON value."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return text.encode("utf-8", "backslashreplace") + b"\n"


@given(RECEIPTS)
def test_a_receipt_comes_back_as_it_was_encoded(receipt):
    """Encoding and decoding are a pair, and the text is canonical."""
    text = encode_receipt(receipt)
    assert decode_receipt(text) == receipt
    assert encode_receipt(decode_receipt(text)) == text
    assert text == _canonical(json.loads(text))


@given(st.lists(SETTLEMENTS, max_size=5).map(tuple))
def test_settlements_come_back_as_they_were_encoded(settlements):
    """Encoding and decoding are a pair, and the text is canonical."""
    text = encode_settlements(settlements)
    assert decode_settlements(text) == settlements
    assert text == _canonical(json.loads(text))


def test_the_text_of_a_receipt_is_as_documented():
    """Field names and forms are those that FORMAT.md promises for ten years."""
    assert json.loads(encode_receipt(receipt_of(3, b"abc"))) == {
        "seq": 3,
        "digest": "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        "size_bytes": 3,
        "mailbox": "journal",
        "folder": "INBOX/Überläufe",
        "uidvalidity": 7,
        "uid": 1003,
        "internal_date": "2026-03-04T04:06:07.000089Z",
        "fetched_at": "2026-03-04T05:06:07.000089Z",
        "committed_at": "2026-03-04T05:06:10.000089Z",
        "kind": "copy",
        "quarantined": False,
        "duplicate_of": None,
        "flags": ["size-mismatch"],
    }


def test_a_lone_surrogate_in_a_folder_name_survives():
    """A folder name that is no Unicode text does not stop a message from being stored."""
    receipt = receipt_of(1, b"")
    odd = Receipt(
        1, receipt.digest, 0, MessageRef(MailboxId("m", "a\udc80"), 1, 1), None, NOW, NOW, "", True
    )
    text = encode_receipt(odd)
    text.decode("utf-8")
    assert decode_receipt(text) == odd


def test_another_time_zone_is_written_as_utc():
    """The same instant has the same text."""
    local = NOW.astimezone(timezone(timedelta(hours=2)))
    one, other = (
        encode_settlements([Settlement(1, State.EXPUNGED, None, at)]) for at in (NOW, local)
    )
    assert one == other


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("seq", "1"),
        ("seq", True),
        ("digest", "sha256:00"),
        ("digest", None),
        ("committed_at", "2026-03-04T05:06:07"),
        ("fetched_at", "yesterdayZ"),
        ("quarantined", 1),
        ("duplicate_of", "1"),
        ("flags", [1]),
        ("folder", None),
    ],
)
def test_a_receipt_with_a_wrong_field_is_refused(key, value):
    """What is not a receipt is an error, never a receipt with a hole."""
    fields = json.loads(encode_receipt(receipt_of(1, b"abc")))
    without = {name: each for name, each in fields.items() if name != key}
    for wrong in ({**fields, key: value}, without):
        with pytest.raises(ValueError):  # noqa: PT011 - any ValueError is the contract
            decode_receipt(json.dumps(wrong).encode())


@pytest.mark.parametrize("text", [b"", b"{}", b"[1]", b"[" * 100_000, b"\xff", b"null"])
def test_what_is_no_json_of_ours_is_refused(text):
    """Neither nesting nor bytes that are no UTF-8 lead to another error."""
    with pytest.raises(ValueError):  # noqa: PT011 - any ValueError is the contract
        decode_receipt(text)
    with pytest.raises(ValueError):  # noqa: PT011 - any ValueError is the contract
        decode_settlements(text if text != b"[1]" else b'[{"seq":1}]')


def test_a_younger_program_may_add_fields():
    """An unknown field is passed over."""
    fields = json.loads(encode_receipt(receipt_of(1, b"abc")))
    text = json.dumps({**fields, "tenant": "x"}).encode()
    assert decode_receipt(text) == receipt_of(1, b"abc")


def test_an_instant_without_zone_is_refused():
    """Local time never reaches the archive."""
    naive = Settlement(1, State.EXPUNGED, None, NOW.replace(tzinfo=None))
    with pytest.raises(ValueError, match="time zone"):
        encode_settlements([naive])
    assert decode_settlements(encode_settlements([settlement_of(1)])) == (settlement_of(1),)


@given(st.lists(EVENTS, min_size=1, max_size=5))
def test_events_come_back_as_they_were_recorded(events):
    """Whatever an event says is read back equal, in its order."""
    (member,) = recorded(events)
    text = member.tail[512:].rstrip(b"\0")
    assert decode_events(text) == tuple(events)
    assert text == _canonical(json.loads(text))


def test_many_events_are_divided_among_members():
    """No member is longer than what is read back, and none is lost."""
    events = [Event(number, NOW, "x", "", {"text": "y" * 16_000}) for number in range(1, 40)]
    texts = [member.tail[512:].rstrip(b"\0") for member in recorded(events)]
    assert len(texts) == 3
    assert [event for text in texts for event in decode_events(text)] == events


@pytest.mark.parametrize("text", [b"{}", b"[1]", b'[{"number":"1"}]', b"[" * 100_000])
def test_what_is_no_list_of_events_is_refused(text):
    """Damage is told as damage."""
    with pytest.raises(ValueError, match=r".+"):
        decode_events(text)
