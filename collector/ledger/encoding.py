"""Text, instants and JSON as the ledger holds them, and the canonical bytes of its facts.

Rule: pure, and exact in both directions: what is decoded equals what was
encoded, lone surrogates, NULs and microseconds included.

Text is stored as it is, but for NUL, lone surrogates (UTF-8 has neither a place
for them nor PostgreSQL one for NUL) and the escape itself: these become SUB
(U+001A) and four hexadecimal digits.  JSON has its keys sorted and no white
space, so that equal values are equal text.

A leaf is what the Merkle tree commits to: the receipt of an entry, or an event,
as such JSON (RFC 8785 for the values that occur here) in UTF-8.  Its ``leaf``
names what it is and the version of the form.  A form is never changed: another
one gets another version, and old entries keep theirs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from functools import lru_cache
from json.encoder import encode_basestring as _quoted
from typing import Any

from collector.domain.custody import Receipt, Summary

ENTRY_LEAF = "entry/1"
EVENT_LEAF = "event/1"

_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True, default=str)
_UNSAFE = re.compile("[\x00\x1a\ud800-\udfff]")
_ESCAPE = re.compile("\x1a([0-9a-f]{4})")


def encode_text(text: str) -> str:
    """Return ``text`` as any database can hold it."""
    if text.isprintable():  # a tenth of the time, and true of nearly everything
        return text
    return _UNSAFE.sub(lambda found: f"\x1a{ord(found[0]):04x}", text)


def decode_text(stored: str) -> str:
    """The opposite of ``encode_text``."""
    if "\x1a" not in stored:
        return stored
    return _ESCAPE.sub(lambda found: chr(int(found[1], 16)), stored)


@lru_cache(maxsize=1024)
def encode_instant(at: datetime) -> str:
    """Return an aware instant as UTC text of fixed width, which sorts by time.

    A commit writes each one several times: row, leaf, traffic.

    Raises:
        ValueError: ``at`` is naive.
    """
    if at.tzinfo is not UTC:
        if at.tzinfo is None:
            raise ValueError("an instant in the ledger is an aware datetime")
        at = at.astimezone(UTC)
    return at.isoformat("T", "microseconds")[:26] + "Z"


def decode_instant(stored: str) -> datetime:
    """The opposite of ``encode_instant``."""
    return datetime.fromisoformat(stored)


def encode_optional(at: datetime | None) -> str | None:
    """``encode_instant`` where there may be none."""
    return None if at is None else encode_instant(at)


def decode_optional(stored: str | None) -> datetime | None:
    """``decode_instant`` where there may be none."""
    return None if stored is None else decode_instant(stored)


def encode_json(value: object) -> str:
    """Return JSON; what JSON has no form for is written as its text."""
    return encode_text(_JSON.encode(value))


def decode_json(stored: str) -> Any:  # noqa: ANN401 - JSON has no one type
    """The opposite of ``encode_json``; tuples come back as lists."""
    return json.loads(decode_text(stored))


def encode_summary(summary: Summary) -> str:
    """Return the figures of a cycle as JSON."""
    return encode_json(asdict(summary))


def decode_summary(stored: str | None) -> Summary | None:
    """The opposite of ``encode_summary``."""
    return None if stored is None else Summary(**decode_json(stored))


def entry_leaf(receipt: Receipt) -> bytes:
    """Return the canonical bytes of an entry: what was true of its arrival for ever.

    Where its bytes lie and what became of it in the mailbox may change, and what
    a parser makes of them may improve: none of it is part of the leaf.
    """
    ref, mailbox = receipt.ref, receipt.ref.mailbox
    instants = receipt.internal_date, receipt.fetched_at, receipt.committed_at
    plain = receipt.fetch_flags == () and plain_entry_leaf(
        (
            receipt.seq, receipt.digest.hex, receipt.size_bytes, encode_text(mailbox.name),
            encode_text(mailbox.folder), ref.uidvalidity, ref.uid, *map(encode_optional, instants),
            encode_text(receipt.kind), int(receipt.quarantined), receipt.duplicate_of, "[]",
        )
    )  # fmt: skip
    return plain or _leaf(
        ENTRY_LEAF,
        {
            "seq": receipt.seq,
            "digest": str(receipt.digest),
            "size_bytes": receipt.size_bytes,
            "mailbox": mailbox.name,
            "folder": mailbox.folder,
            "uidvalidity": receipt.ref.uidvalidity,
            "uid": receipt.ref.uid,
            "internal_date": encode_optional(receipt.internal_date),
            "fetched_at": encode_instant(receipt.fetched_at),
            "committed_at": encode_instant(receipt.committed_at),
            "kind": receipt.kind,
            "quarantined": receipt.quarantined,
            "duplicate_of": receipt.duplicate_of,
            "fetch_flags": list(receipt.fetch_flags),
        },
    )


def stored_entry_leaf(row: Mapping[str, Any]) -> bytes:
    """Return ``entry_leaf`` of the receipt in a row of ``receipts``, joined with its folder.

    A value in another form than we write it gives another leaf, and so does damage.

    Raises:
        ValueError: the row holds what was never written.
    """
    return _leaf(
        ENTRY_LEAF,
        {
            "seq": row["seq"],
            "digest": f"sha256:{row['digest']}",
            "size_bytes": row["size_bytes"],
            "mailbox": decode_text(row["mailbox"]),
            "folder": decode_text(row["folder"]),
            "uidvalidity": row["uidvalidity"],
            "uid": row["uid"],
            "internal_date": row["internal_date"],
            "fetched_at": row["fetched_at"],
            "committed_at": row["committed_at"],
            "kind": decode_text(row["kind"]),
            "quarantined": bool(row["quarantined"]),
            "duplicate_of": row["duplicate_of"],
            "fetch_flags": [] if row["fetch_flags"] == "[]" else decode_json(row["fetch_flags"]),
        },
    )


STORED_ENTRY = (
    "seq", "digest", "size_bytes", "mailbox", "folder", "uidvalidity", "uid", "internal_date",
    "fetched_at", "committed_at", "kind", "quarantined", "duplicate_of", "fetch_flags",
)  # fmt: skip
"""The columns that ``stored_entry_leaf`` needs, in the order of ``plain_entry_leaf``."""


def plain_entry_leaf(values: Sequence[Any]) -> bytes | None:
    """Return ``stored_entry_leaf`` of ``STORED_ENTRY``, ``None`` where only that one can tell.

    A million rows take 3 s this way instead of 9; nearly all of them are plain.
    """
    (
        seq, digest, size_bytes, mailbox, folder, uidvalidity, uid, internal_date,
        fetched_at, committed_at, kind, quarantined, duplicate_of, fetch_flags,
    ) = values  # fmt: skip
    numbers = (seq, size_bytes, uidvalidity, uid, quarantined, duplicate_of or 0)
    texts = (digest, mailbox, folder, fetched_at, committed_at, kind, internal_date or "")
    if fetch_flags != "[]" or {*map(type, numbers)} != {int} or {*map(type, texts)} != {str}:
        return None
    text = (
        f'{{"committed_at":{_quoted(committed_at)},"digest":{_quoted(f"sha256:{digest}")},'
        f'"duplicate_of":{"null" if duplicate_of is None else duplicate_of},"fetch_flags":[],'
        f'"fetched_at":{_quoted(fetched_at)},"folder":{_name(folder)},'
        f'"internal_date":{"null" if internal_date is None else _quoted(internal_date)},'
        f'"kind":{_name(kind)},"leaf":"{ENTRY_LEAF}","mailbox":{_name(mailbox)},'
        f'"quarantined":{"true" if quarantined else "false"},"seq":{seq},'
        f'"size_bytes":{size_bytes},"uid":{uid},"uidvalidity":{uidvalidity}}}'
    )
    return text.encode("utf-8") if text.isprintable() else None


def leaf_of(values: Sequence[Any]) -> bytes:
    """Return ``stored_entry_leaf`` of ``STORED_ENTRY``, in the quickest way there is.

    Raises:
        ValueError: as that one.
    """
    return plain_entry_leaf(values) or stored_entry_leaf(
        dict(zip(STORED_ENTRY, values, strict=True))
    )


@lru_cache(maxsize=1024)
def _name(stored: str) -> str:
    """Return the JSON of a text that many rows have."""
    return _quoted(decode_text(stored))


def event_leaf(
    number: int, at: datetime, name: str, mailbox: str, keys: Mapping[str, object]
) -> bytes:
    """Return the canonical bytes of the ``number``-th event."""
    facts = {"number": number, "at": encode_instant(at), "name": name, "mailbox": mailbox}
    return _leaf(EVENT_LEAF, {**facts, "keys": dict(keys)})


def _leaf(leaf: str, facts: dict[str, object]) -> bytes:
    return encode_json({"leaf": leaf, **facts}).encode("utf-8")
