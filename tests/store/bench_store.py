"""Measures the store room: append, proof, single reads, sealing.  Run by hand, not by pytest.

    python tests/store/bench_store.py [--work DIR] [--mails DIR] [--runs N]

Two mixes are made from a fixed seed: ``business`` (log-normal sizes, mean about
75 KB, text and attachments) and ``small`` (5 KB).  ``--mails`` names a directory
of .eml files, taken in the order of their names, as they are.  MB is 10^6 bytes
of raw mail, times are CPU time of the process, medians over the runs.  ``bare``
is the same work without the store room, in the same run: frames of one batch
compressed, decompressed and hashed.  Only the ratios of real mail mean something.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from pathlib import Path

import zstandard
from store_samples import receipt_of

from collector.domain.blob import BlobRef, RawBytes
from collector.store.archive import Archive
from collector.store.seal import Sealed
from collector.store.writer import ArchiveWriter

BATCH_MESSAGES, BATCH_BYTES = 100, 4 * 1024 * 1024
READS = 200

Figures = dict[str, float]


def business(count: int) -> list[bytes]:
    """Return messages of a business size mix; half of the bytes are attachments."""
    source = random.Random(1)
    sizes = (min(int(source.lognormvariate(10.0, 1.55)) + 2500, 10_000_000) for _ in range(count))
    return [_mail(source, number, size) for number, size in enumerate(sizes)]


def small(count: int) -> list[bytes]:
    """Return mails of 4 KB without attachments."""
    source = random.Random(2)
    return [_mail(source, number, 4000) for number in range(count)]


def _mail(source: random.Random, number: int, size: int) -> bytes:
    token = base64.b64encode(source.randbytes(96)).decode()
    head = (
        f"Received: from mx{number % 9}.example by journal.example; {source.random()}\r\n"
        f"DKIM-Signature: v=1; a=rsa-sha256; d=example; bh={token[:44]};\r\n b={token}\r\n"
        f"From: a{number % 50}@example\r\nTo: journal@example\r\nSubject: {number}\r\n"
        "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
    ).encode()
    text_bytes = min(size - len(head), 8000 + size // 4)
    text = b" ".join(source.choices(WORDS, cum_weights=FREQUENCIES, k=text_bytes // 7))
    rest = max(size - len(head) - len(text), 0)
    attachment = base64.encodebytes(source.randbytes(rest * 3 // 4)).replace(b"\n", b"\r\n")
    return head + text + b"\r\n" + attachment


WORDS = [random.Random(number).randbytes(1 + number % 5).hex().encode() for number in range(6000)]
FREQUENCIES = list(accumulate(1 / (rank + 3) for rank in range(len(WORDS))))


def measured(mails: Sequence[bytes], work: Path) -> Figures:
    """Return what one archive of ``mails`` costs."""
    megabytes = sum(map(len, mails)) / 1e6
    archive = Archive(work)
    blobs: list[BlobRef] = []
    append, reread, bare, sealing = _Stopwatch(), _Stopwatch(), _Stopwatch(), _Stopwatch()
    single = zstandard.ZstdCompressor(level=3)
    single_bytes = sum(len(single.compress(raw)) for raw in mails)
    figures: Figures = {"mean_kb": megabytes * 1e3 / len(mails)}
    with ArchiveWriter.open(work) as writer:
        for batch in _batches(mails):
            with append:
                stored = [blob for blob in writer.append(batch) if blob is not None]
            with reread:
                assert all(not each.problem for each in archive.reread(stored))
            with bare:
                _bare([message.window(0, message.size_bytes) for _, message in batch])
            blobs += stored
        open_bytes = sum(each.size_bytes for each in archive.segments())
        figures |= _reads("open", archive, blobs)
        writer.roll(0)
        sealed = []
        for name in writer.waiting():
            with sealing:
                sealed += list(writer.seal(name, len_of_moves).after)
        sealed_bytes = sum(each.size_bytes for each in archive.segments())
        figures |= _reads("sealed", archive, sealed)
    return figures | {
        "append_us": append.seconds * 1e6 / len(mails),
        "reread_us": reread.seconds * 1e6 / len(mails),
        "bare_us": bare.seconds * 1e6 / len(mails),
        "mb_per_s": megabytes / (append.seconds + reread.seconds),
        "seal_ms_per_mb": sealing.seconds * 1e3 / megabytes,
        "open_to_single": open_bytes / single_bytes,
        "sealed_to_single": sealed_bytes / single_bytes,
    }


class _Stopwatch:
    """Adds up the CPU time of the process inside its blocks."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __enter__(self) -> None:
        self.seconds -= time.process_time()

    def __exit__(self, *_error: object) -> None:
        self.seconds += time.process_time()


def _bare(raws: Sequence[bytes]) -> None:
    stored = zstandard.ZstdCompressor(level=3, write_checksum=True).compress(b"".join(raws))
    content = zstandard.ZstdDecompressor().decompress(stored)
    start = 0
    for raw in raws:
        hashlib.sha256(content[start : start + len(raw)]).digest()
        start += len(raw)


def len_of_moves(sealed: Sealed) -> int:
    """Look at every move, as a ledger would."""
    return sum(1 for _ in sealed.moves())


def _reads(kind: str, archive: Archive, blobs: Sequence[BlobRef]) -> Figures:
    """Return the time of reading single messages, at random places."""
    wanted = random.Random(3).sample(blobs, min(READS, len(blobs)))
    took_ms = []
    for blob in wanted:
        if blob.size_bytes < 1_000_000:
            began_s = time.perf_counter()
            archive.raw(blob)
            took_ms.append((time.perf_counter() - began_s) * 1e3)
    took_ms.sort()
    return {
        f"read_{kind}_ms": statistics.mean(took_ms),
        f"read_{kind}_p99_ms": took_ms[-1 - len(took_ms) // 100],
    }


def _batches(mails: Sequence[bytes]) -> Iterator[list[tuple]]:
    batch, batch_bytes = [], 0
    for seq, raw in enumerate(mails, 1):
        if batch and (len(batch) >= BATCH_MESSAGES or batch_bytes + len(raw) > BATCH_BYTES):
            yield batch
            batch, batch_bytes = [], 0
        batch.append((receipt_of(seq, raw), RawBytes(raw)))
        batch_bytes += len(raw)
    yield batch


def main() -> None:
    """Print the figures of each mix."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--mails", type=Path)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    mixes: dict[str, Callable[[], list[bytes]]] = {
        "business": lambda: business(1500),
        "small": lambda: small(15_000),
    }
    if arguments.mails:
        paths = sorted(arguments.mails.rglob("*.eml"))
        mixes = {str(arguments.mails): lambda: [path.read_bytes() for path in paths]}
    for name, make in mixes.items():
        mails = make()
        runs = []
        for _ in range(arguments.runs):
            work = Path(tempfile.mkdtemp(dir=arguments.work))
            runs.append(measured(mails, work))
            shutil.rmtree(work)
        medians = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
        figures = "".join(f"  {key:18} {value:10.3f}\n" for key, value in medians.items())
        sys.stdout.write(f"{name}: {len(mails)} messages\n{figures}")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
