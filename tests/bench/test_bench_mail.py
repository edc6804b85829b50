"""The generated mail is what the measurements say it is."""

from __future__ import annotations

import statistics
from itertools import islice

import bench_mail
from bench_mail import generate
from bench_pool import Pool

from collector.domain.blob import RawBytes
from collector.domain.journal import Kind
from collector.formats.unwrap import unwrap


def test_the_same_kind_gives_the_same_bytes():
    """Two runs of the generator agree, and no message comes twice."""
    messages = list(generate("business", 50))
    assert messages == list(generate("business", 50))
    assert len(set(messages)) == 50


def test_numbered_mail_has_the_same_texts_and_no_message_twice(monkeypatch):
    """What follows the number comes again; the whole never does."""
    monkeypatch.setattr(bench_mail, "NUMBERED_TEXTS", 20)
    messages = list(generate("numbered", 50))
    assert len(set(messages)) == 50
    assert len({raw.partition(b"\r\n")[2] for raw in messages}) == 20


def test_every_message_is_a_sound_report():
    """The collector understands each: an Exchange report with recipients and one original."""
    mails = (generate(kind, 100) for kind in ("business", "small", "numbered"))
    for raw in (raw for each in mails for raw in islice(each, 30)):
        unwrapped = unwrap(RawBytes(raw))
        assert unwrapped.kind is Kind.EXCHANGE
        assert not unwrapped.quarantined
        assert unwrapped.envelope.recipients
        assert len(unwrapped.originals) == 1


def test_sizes_are_those_of_business_mail():
    """Small reports have about 4 KB; of the mix the median is far below the mean."""
    small = [len(raw) for raw in generate("small", 100)]
    assert 3_500 < statistics.mean(small) < 4_500
    mix = [len(raw) for raw in generate("business", 400)]
    assert 20_000 < statistics.median(mix) < 30_000
    assert 50_000 < statistics.mean(mix) < 90_000


def test_a_pool_is_read_as_it_was_written(tmp_path):
    """Files, sizes and digests agree, and the halves are the whole."""
    messages = [b"one\r\n", b"two two\r\n", b"three\r\n"]
    Pool.write(tmp_path, messages)
    pool = Pool.load(tmp_path)
    assert list(pool.sizes_bytes) == [5, 9, 7]
    assert [
        half.path(index).read_bytes() for half in pool.halves() for index in range(half.count)
    ] == messages
