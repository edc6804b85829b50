"""Values of the domain as rows and back, and the canonical bytes of entries and events."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledger_samples import NOW, REPORT, pending_of

from collector.domain.blob import BlobRef, Digest
from collector.domain.custody import LedgerEntry, PendingEntry, Receipt, State, Summary
from collector.domain.journal import (
    Envelope,
    Kind,
    Original,
    Recipient,
    RecipientKind,
    Redirection,
    Role,
    Trust,
    Unwrapped,
)
from collector.domain.mailbox import MailboxId, MessageRef
from collector.ledger import encoding, rows
from collector.ledger.indexing import indexed

texts = st.text(
    st.characters(codec=None) | st.sampled_from("\x00\x1a\ud800\udfff\n0a"), max_size=20
)
numbers = st.integers(0, 2**63 - 1)
instants = st.datetimes(timezones=st.just(UTC))
digests = st.binary(min_size=0, max_size=8).map(Digest.of)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
receipts = st.builds(
    Receipt,
    seq=numbers,
    digest=digests,
    size_bytes=numbers,
    ref=st.builds(MessageRef, st.builds(MailboxId, texts, texts), numbers, numbers),
    internal_date=st.none() | instants,
    fetched_at=instants,
    committed_at=instants,
    kind=texts,
    quarantined=st.booleans(),
    duplicate_of=st.none() | numbers,
    fetch_flags=st.lists(texts, max_size=3).map(tuple),
)
blobs = st.builds(BlobRef, texts, numbers, numbers, numbers, numbers, digests, numbers)
recipients = st.builds(
    Recipient,
    address=texts,
    kind=st.sampled_from(RecipientKind),
    via=st.lists(st.builds(Redirection, texts, texts), max_size=2).map(tuple),
    source=texts,
    derived=st.booleans(),
    level=numbers,
    undisclosed=st.booleans(),
)
originals = st.builds(
    Original, numbers, numbers, digests, st.sampled_from(Role), texts, level=numbers
)
envelopes = st.builds(
    Envelope,
    *[texts] * 4,
    recipients=st.lists(recipients, max_size=3).map(tuple),
    raw_lines=st.lists(texts, max_size=3).map(tuple),
    level=numbers,
)
unwrappeds = st.builds(
    Unwrapped,
    kind=st.sampled_from(Kind),
    envelope=envelopes,
    nested=st.lists(envelopes, max_size=2).map(tuple),
    originals=st.lists(originals, max_size=2).map(tuple),
    trust=st.sampled_from(Trust),
    trust_reasons=st.lists(texts, max_size=2).map(tuple),
    flags=st.lists(texts, max_size=2).map(tuple),
    reason=texts,
)


@given(texts)
def test_any_text_comes_back_and_can_be_stored_anywhere(text: str) -> None:
    """Stored text has no NUL and is valid UTF-8; decoding gives the text again."""
    stored = encoding.encode_text(text)
    assert "\x00" not in stored
    stored.encode("utf-8")
    assert encoding.decode_text(stored) == text


@given(st.datetimes(), st.datetimes())
def test_instants_come_back_and_sort_as_text(one: datetime, other: datetime) -> None:
    """Fixed width in UTC: the order of the text is the order of time."""
    one, other = one.replace(tzinfo=UTC), other.replace(tzinfo=UTC)
    stored = encoding.encode_instant(one)
    assert encoding.decode_instant(stored) == one
    assert (stored < encoding.encode_instant(other)) == (one < other)


def test_an_instant_is_stored_in_utc_and_never_naive() -> None:
    """Another offset is converted; without one it is refused."""
    east = NOW.astimezone(timezone(timedelta(hours=2)))
    assert encoding.encode_instant(east) == "2026-03-04T05:06:07.000089Z"
    with pytest.raises(ValueError, match="aware"):
        encoding.encode_instant(NOW.replace(tzinfo=None))
    assert encoding.encode_optional(None) is None
    assert encoding.decode_optional(None) is None


@given(json_values)
def test_json_comes_back(value: object) -> None:
    """Whatever JSON can hold is equal after storing, lone surrogates included."""
    assert encoding.decode_json(encoding.encode_json(value)) == value


@given(st.builds(Summary, *[st.integers(0, 10**6)] * 8, st.booleans()))
def test_the_figures_of_a_cycle_come_back(summary: Summary) -> None:
    """A summary is stored as JSON."""
    assert encoding.decode_summary(encoding.encode_summary(summary)) == summary
    assert encoding.decode_summary(None) is None


@given(receipts, blobs)
def test_an_entry_comes_back_from_its_rows(receipt: Receipt, blob: BlobRef) -> None:
    """Rows of entries, receipts and folders together are the entry."""
    pending = PendingEntry(receipt, blob, indexed(REPORT, receipt.digest))
    names = {
        "mailbox": encoding.encode_text(receipt.ref.mailbox.name),
        "folder": encoding.encode_text(receipt.ref.mailbox.folder),
    }
    row = {**rows.entry_row(pending, 1), **rows.receipt_row(receipt, 1), **names}
    assert rows.decode_entry(row) == LedgerEntry(receipt, blob, State.COMMITTED)


@given(unwrappeds)
def test_an_envelope_comes_back_from_its_rows(unwrapped: Unwrapped) -> None:
    """Rows of envelopes, recipients, originals and flags together are the verdict."""
    back = rows.decode_unwrapped(
        rows.envelope_row(1, unwrapped, Digest.of(b"")),
        list(rows.nested_rows(1, unwrapped)),
        [rows.decode_recipient(row) for row in rows.recipient_rows(1, unwrapped)],
        [rows.decode_original(row) for row in rows.original_rows(1, unwrapped)],
        [encoding.decode_text(row["flag"]) for row in rows.flag_rows(1, unwrapped)],
    )
    assert back == unwrapped


def test_the_leaf_of_an_entry_is_fixed_for_ever() -> None:
    """These bytes are committed to by signed tree heads; another form needs another version."""
    assert encoding.entry_leaf(pending_of(1).receipt).decode() == (
        '{"committed_at":"2026-03-04T05:06:08.000089Z",'
        '"digest":"sha256:b526aef1a341cfe6e5c377ed4c222888eeb81f913a107110a867e009c1758f24",'
        '"duplicate_of":null,"fetch_flags":["size-mismatch"],'
        '"fetched_at":"2026-03-04T05:06:07.000089Z","folder":"INBOX/Überläufe",'
        '"internal_date":"2026-03-04T04:06:07.000089Z","kind":"exchange","leaf":"entry/1",'
        '"mailbox":"journal","quarantined":false,"seq":1,"size_bytes":9,"uid":101,'
        '"uidvalidity":7}'
    )


def test_the_leaf_of_an_event_is_fixed_for_ever() -> None:
    """Keys are sorted at every depth, and nothing depends on the order they came in."""
    keys = {"b": 1, "a": {"z": [True, None], "y": "ü\n"}}
    reordered = {"a": {"y": "ü\n", "z": [True, None]}, "b": 1}
    expected = (
        '{"at":"2026-03-04T05:06:07.000089Z","keys":{"a":{"y":"ü\\n","z":[true,null]},"b":1},'
        '"leaf":"event/1","mailbox":"journal:INBOX","name":"mailbox.restored","number":3}'
    )
    for each in (keys, reordered):
        leaf = encoding.event_leaf(3, NOW, "mailbox.restored", "journal:INBOX", each)
        assert leaf.decode() == expected


@given(receipts, receipts)
def test_equal_receipts_and_only_they_have_equal_leaves(one: Receipt, other: Receipt) -> None:
    """No two arrivals share a leaf, whatever text they carry."""
    assert (encoding.entry_leaf(one) == encoding.entry_leaf(other)) == (one == other)
    facts = json.loads(encoding.decode_text(encoding.entry_leaf(one).decode()))
    assert facts["fetch_flags"] == list(one.fetch_flags)
    assert facts["mailbox"] == one.ref.mailbox.name
    assert len(facts) == len(asdict(one)) + 4, "ref is four facts, and the form has a name"


stored_values = st.none() | st.integers(-2, 2**63 - 1) | texts | st.booleans() | st.floats()


def stored(receipt: Receipt) -> dict:
    """Return the columns of a receipt as SQLite gives them back."""
    mailbox = receipt.ref.mailbox
    row = rows.receipt_row(receipt, 1) | {
        "mailbox": encoding.encode_text(mailbox.name),
        "folder": encoding.encode_text(mailbox.folder),
        "quarantined": int(receipt.quarantined),
    }
    return {name: row[name] for name in encoding.STORED_ENTRY}


@given(receipts, st.dictionaries(st.sampled_from(encoding.STORED_ENTRY), stored_values))
def test_a_plain_row_gives_the_leaf_of_the_receipt(one: Receipt, changed: dict) -> None:
    """The quick way agrees with the other one, or says that it cannot tell."""
    for row in (stored(one), stored(one) | changed):
        try:
            quick = encoding.plain_entry_leaf(list(row.values()))
        except TypeError:
            quick = None
        assert quick is None or quick == encoding.stored_entry_leaf(row)


def test_an_ordinary_row_is_plain() -> None:
    """Or the quick way would never be taken."""
    receipt = replace(pending_of(1).receipt, fetch_flags=())
    quick = encoding.plain_entry_leaf(list(stored(receipt).values()))
    assert quick == encoding.stored_entry_leaf(stored(receipt))


@given(receipts, st.booleans())
def test_an_entry_is_committed_with_the_leaf_its_row_gives(one: Receipt, plain: bool) -> None:
    """A leaf is written the quick way where it can be; the bytes are those of the form."""
    receipt = replace(one, fetch_flags=()) if plain else one
    assert encoding.entry_leaf(receipt) == encoding.stored_entry_leaf(stored(receipt))


@given(st.dictionaries(texts, json_values, max_size=4), st.randoms())
def test_an_event_leaf_does_not_depend_on_the_order_of_keys(keys, random) -> None:
    """Keys shuffled at the top give the same bytes."""
    names = list(keys)
    random.shuffle(names)
    shuffled = {name: keys[name] for name in names}
    assert encoding.event_leaf(1, NOW, "x.y", "", keys) == encoding.event_leaf(
        1, NOW, "x.y", "", shuffled
    )
