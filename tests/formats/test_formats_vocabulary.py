"""Flags, kinds, presets and reasons are told to those who see them; found inputs stay found."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from test_formats_properties import PROFILES, check
from vector import load
from write_vectors import EVERY

from collector.domain.blob import RawBytes
from collector.domain.errors import CycleError
from collector.domain.journal import JournalFormat, Kind, Role
from collector.formats import flags
from collector.formats.presets import PRESETS
from collector.formats.unwrap import unwrap

ROOT = Path(__file__).parent.parent.parent
DOCUMENT = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")
TOLD = set(re.findall(r"^\| `([^`]+)` \|", DOCUMENT, re.MULTILINE))
SEEDS = sorted((Path(__file__).parent / "fuzz_corpus").iterdir())


def words(key: str) -> set[str]:
    """Return all values of a list that occur in any vector."""
    return {each for vector in EVERY for each in vector.expect[key]}


def test_every_flag_is_explained() -> None:
    """The document has a row for every flag."""
    assert flags.EVERY <= TOLD


def test_every_flag_a_message_can_get_is_shown_by_a_vector_or_a_limit() -> None:
    """No flag is without a test."""
    limits = (Path(__file__).parent / "test_formats_limits.py").read_text(encoding="utf-8")
    by_limit = {value for value in flags.EVERY if value.upper().replace("-", "_") in limits}
    net = {flags.PARSER_FAILED, flags.NESTED_UNREAD, flags.ENVELOPE_TRUNCATED}
    assert flags.EVERY - words("flags") - by_limit == net


def test_every_kind_format_role_and_preset_is_explained() -> None:
    """The document names all of them."""
    names = {each.value for each in (*Kind, *JournalFormat, *Role)} | set(PRESETS)
    assert {each for each in names if f"`{each}`" not in DOCUMENT} == set()


def test_every_reason_is_explained() -> None:
    """Reasons of trust, and reasons why a message is not understood."""
    reasons = words("trust_reasons") | {each.expect["reason"] for each in EVERY} - {""}
    assert reasons <= TOLD


def test_a_report_in_an_encoded_original_is_told_and_not_opened() -> None:
    """Offsets of a report inside base64 would mean nothing."""
    import base64

    from report_samples import message_part, report, text_part

    encoded = base64.encodebytes(load("marker-empty").raw)
    part = message_part(encoded, b"Content-Transfer-Encoding: base64\r\n")
    unwrapped = unwrap(RawBytes(report(text_part(b"To: a@x.example"), part)))
    assert flags.NESTED_UNREAD in unwrapped.flags
    assert unwrapped.nested == ()


def test_a_text_beyond_the_limit_is_read_as_far_as_it_goes() -> None:
    """A text of more than 16 MB is cut, the original is found all the same."""
    from report_samples import TEXT_FIELDS, message_part, report

    from collector.formats.limits import ENVELOPE_BYTES_MAX

    text = TEXT_FIELDS + b"\r\nSender: a@x\r\n" + b"x" * ENVELOPE_BYTES_MAX
    unwrapped = unwrap(RawBytes(report(text, message_part())))
    assert {flags.ENVELOPE_TRUNCATED, flags.UNKNOWN_LINE} <= set(unwrapped.flags)
    assert unwrapped.envelope.sender == "a@x"
    assert len(unwrapped.originals) == 1


class Unreadable:
    """A message whose bytes cannot be read."""

    size_bytes = 10
    digest = RawBytes(b"").digest

    def __init__(self, error: Exception) -> None:
        self._error = error

    def window(self, *_place: int) -> bytes:
        """Fail."""
        raise self._error


def test_a_mistake_of_the_parser_does_not_keep_mail_from_being_archived() -> None:
    """Whatever goes wrong inside, the answer is a message nobody understood."""
    unwrapped = unwrap(Unreadable(ZeroDivisionError()))
    assert (unwrapped.kind, unwrapped.reason) == (Kind.UNRECOGNISED, "parser-failed")


def test_bytes_that_cannot_be_read_are_an_error() -> None:
    """What is not there cannot be called not understood."""
    with pytest.raises(CycleError):
        unwrap(Unreadable(CycleError("the spool cannot be read")))


@pytest.mark.parametrize("seed", SEEDS, ids=lambda path: path.name)
def test_what_the_fuzzer_found_is_still_read(seed: Path) -> None:
    """Every seed of the fuzzer holds what must hold for every message."""
    fuzzed = seed.read_bytes()
    check(fuzzed[1:], PROFILES[fuzzed[0] % len(PROFILES)] if fuzzed else PROFILES[0])
