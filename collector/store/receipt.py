"""Receipts, settlements and events as JSON: what lies beside the bytes, and all a rebuild needs.

Rule: one value has one text (sorted keys, compact, UTF-8, a newline at the
end), and decoding gives back what was encoded.  Unknown keys are passed over,
so that an older program can read a younger archive.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from typing import TypeVar

from collector.domain.blob import Digest
from collector.domain.custody import Receipt, Settlement, State
from collector.domain.evidence import Event
from collector.domain.mailbox import MailboxId, MessageRef

JSON_BYTES_MAX = 1024 * 1024
"""Length of the largest .json member that is written or read."""

SETTLEMENTS_MAX = 1000
"""Settlements in one member; about 130 bytes each."""

T = TypeVar("T")


def encode_receipt(receipt: Receipt) -> bytes:
    """Return the text of ``receipt``.

    Written key by key, as ``json`` would in 10 µs more.

    Raises:
        ValueError: an instant has no time zone, or the text is too long.
    """
    ref = receipt.ref
    first = "null" if receipt.duplicate_of is None else receipt.duplicate_of
    return _checked(
        f'{{"committed_at":{_instant(receipt.committed_at)}'
        f',"digest":"{receipt.digest}"'
        f',"duplicate_of":{first}'
        f',"fetched_at":{_instant(receipt.fetched_at)}'
        f',"flags":[{",".join(map(_quoted, receipt.fetch_flags))}]'
        f',"folder":{_quoted(ref.mailbox.folder)}'
        f',"internal_date":{_instant(receipt.internal_date)}'
        f',"kind":{_quoted(receipt.kind)}'
        f',"mailbox":{_quoted(ref.mailbox.name)}'
        f',"quarantined":{"true" if receipt.quarantined else "false"}'
        f',"seq":{receipt.seq}'
        f',"size_bytes":{receipt.size_bytes}'
        f',"uid":{ref.uid}'
        f',"uidvalidity":{ref.uidvalidity}}}\n'
    )


def decode_receipt(text: bytes) -> Receipt:
    """Read a receipt; the opposite of ``encode_receipt``.

    Raises:
        ValueError: it is not one.
    """
    fields = _Fields(_decode(text))
    return Receipt(
        seq=fields.typed("seq", int),
        digest=Digest.parse(fields.typed("digest", str)),
        size_bytes=fields.typed("size_bytes", int),
        ref=MessageRef(
            MailboxId(fields.typed("mailbox", str), fields.typed("folder", str)),
            fields.typed("uidvalidity", int),
            fields.typed("uid", int),
        ),
        internal_date=fields.instant_or_none("internal_date"),
        fetched_at=fields.instant("fetched_at"),
        committed_at=fields.instant("committed_at"),
        kind=fields.typed("kind", str),
        quarantined=fields.typed("quarantined", bool),
        duplicate_of=fields.typed_or_none("duplicate_of", int),
        fetch_flags=fields.words("flags"),
    )


def encode_settlements(settlements: Iterable[Settlement]) -> bytes:
    """Return the text of one list of settlements.

    Raises:
        ValueError: an instant has no time zone, or the text is too long.
    """
    lines = ",".join(
        f'{{"cleared_at":{_instant(each.cleared_at)}'
        f',"seq":{each.seq}'
        f',"settled_at":{_instant(each.settled_at)}'
        f',"state":{_quoted(each.state.value)}}}'
        for each in settlements
    )
    return _checked(f"[{lines}]\n")


def decode_settlements(text: bytes) -> tuple[Settlement, ...]:
    """Read a list of settlements; the opposite of ``encode_settlements``.

    Raises:
        ValueError: it is not one.
    """
    found = _decode(text)
    if not isinstance(found, list):
        raise ValueError("settlements are a JSON list")  # noqa: TRY004 - one error for bad input
    return tuple(_settlement(_Fields(each)) for each in found)


def _settlement(fields: _Fields) -> Settlement:
    return Settlement(
        seq=fields.typed("seq", int),
        state=State(fields.typed("state", str)),
        cleared_at=fields.instant_or_none("cleared_at"),
        settled_at=fields.instant("settled_at"),
    )


def encode_event(event: Event) -> bytes:
    """Return the text of one event; a list of them is what a member holds.

    Raises:
        ValueError: an instant has no time zone, or the text is too long.
    """
    keys = json.dumps(event.keys, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return _checked(
        f'{{"at":{_instant(event.at)}'
        f',"keys":{keys}'
        f',"mailbox":{_quoted(event.mailbox)}'
        f',"name":{_quoted(event.name)}'
        f',"number":{event.number}}}'
    )


def decode_events(text: bytes) -> tuple[Event, ...]:
    """Read a list of events.

    Raises:
        ValueError: it is not one.
    """
    found = _decode(text)
    if not isinstance(found, list):
        raise ValueError("events are a JSON list")  # noqa: TRY004 - one error for bad input
    return tuple(_event(_Fields(each)) for each in found)


def _event(fields: _Fields) -> Event:
    return Event(
        number=fields.typed("number", int),
        at=fields.instant("at"),
        name=fields.typed("name", str),
        mailbox=fields.typed("mailbox", str),
        keys=fields.typed("keys", dict),
    )


def _checked(text: str) -> bytes:
    # A folder's name may hold a lone surrogate: its backslash form is valid JSON.
    raw = text.encode("utf-8", "backslashreplace")
    if len(raw) > JSON_BYTES_MAX:
        raise ValueError("the text is too long")
    return raw


def _decode(text: bytes) -> object:
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("the text is nested too deeply") from error


@lru_cache(maxsize=256)
def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


@lru_cache(maxsize=256)
def _instant(at: datetime | None) -> str:
    if at is None:
        return "null"
    if at.tzinfo is None:
        raise ValueError("an instant has a time zone")
    naive = at.astimezone(UTC).replace(tzinfo=None)
    return f'"{naive.isoformat(timespec="microseconds")}Z"'


class _Fields:
    """A JSON object whose values have the types that are asked for, or ``ValueError``."""

    def __init__(self, value: object) -> None:
        if not isinstance(value, dict):
            raise ValueError("a JSON object is expected")  # noqa: TRY004 - one error for bad input
        self._object: dict[str, object] = value

    def typed(self, key: str, kind: type[T]) -> T:
        value = self._object.get(key)
        if type(value) is not kind:  # bool is an int, and 1 is not true
            raise ValueError(f"{key} is missing or of another type")
        return value

    def typed_or_none(self, key: str, kind: type[T]) -> T | None:
        return None if self._absent(key) else self.typed(key, kind)

    def instant(self, key: str) -> datetime:
        text = self.typed(key, str)
        if not text.endswith("Z"):
            raise ValueError(f"{key} is not in UTC")
        return datetime.fromisoformat(text)

    def instant_or_none(self, key: str) -> datetime | None:
        return None if self._absent(key) else self.instant(key)

    def words(self, key: str) -> tuple[str, ...]:
        found = self.typed(key, list)
        if not all(isinstance(each, str) for each in found):
            raise ValueError(f"{key} is not a list of words")
        return tuple(found)

    def _absent(self, key: str) -> bool:
        return key in self._object and self._object[key] is None
