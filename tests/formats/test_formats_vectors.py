"""Every vector: whole, byte by byte, and with bytes behind it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from vector import DIRECTORY, load, original, profile_of, told
from write_vectors import EVERY

from collector.domain.blob import RawBytes
from collector.formats.unwrap import read, unwrap

NAMES = [each.name for each in EVERY]
TAIL = b"\r\n\r\nbytes behind it\r\n"
BYTE_BY_BYTE_MAX = 20_000


@pytest.mark.parametrize("name", NAMES)
def test_a_vector_gives_what_it_says(name: str) -> None:
    """What is read out of the message is exactly what its description states."""
    vector = load(name)
    assert told(unwrap(RawBytes(vector.raw), profile_of(vector.profile))) == vector.expect


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("window_bytes", [1, 7, 1300, 4096])
def test_a_vector_gives_the_same_however_it_is_cut(name: str, window_bytes: int) -> None:
    """Byte by byte and in odd windows the same is read."""
    vector = load(name)
    if len(vector.raw) > BYTE_BY_BYTE_MAX and window_bytes < 100:
        window_bytes = 65_537
    profile = profile_of(vector.profile)
    unwrapped = read(RawBytes(vector.raw), profile, window_bytes=window_bytes)
    assert told(unwrapped) == vector.expect


@pytest.mark.parametrize("name", NAMES)
def test_bytes_behind_a_vector_change_nothing(name: str) -> None:
    """What follows the closing delimiter is an epilogue; without one it is the original's."""
    vector = load(name)
    raw = vector.raw + (TAIL if b"\n" in vector.raw else TAIL.replace(b"\r\n", b"\r"))
    expected: dict[str, Any] = json.loads(json.dumps(vector.expect))
    if "truncated" in expected["flags"]:
        last = expected["originals"][-1]
        inner = raw[last["offset"] :]
        expected["originals"][-1] = original(raw, inner, level=last["level"])
    assert told(unwrap(RawBytes(raw), profile_of(vector.profile))) == expected


def test_the_vectors_on_disk_are_those_described() -> None:
    """No file is missing, stale or left over."""
    on_disk = {path.name.split(".")[0] for path in DIRECTORY.glob("*.json")}
    assert on_disk == set(NAMES)
    assert len(NAMES) == len(on_disk)
    for each in EVERY:
        stored = load(each.name)
        assert (stored.raw, stored.description()) == (each.raw, each.description())
