"""The archive on real mail: how small sealed segments are, and how quickly they are read.

Rule: real mail is brought along (``--corpus``) and never becomes part of the
project.  A pack is ``NAME.tar.zst`` with one message per file under ``mail/``.
"""

from __future__ import annotations

import os
import random
import statistics
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import zstandard
from bench_mail import SEED, ReportWriter
from bench_pool import Pool
from bench_programs import Collector, Job
from bench_rig import Rig, Section, say
from bench_server import give

from collector.config import load
from collector.service.assemble import House, open_house
from collector.store.archive import Archive
from collector.telemetry import configure

PACKS = ("ham-spamassassin", "list-linux-hams", "attachments-openbmc", "journal-reports")
AS_IT_IS, IN_REPORTS, SHUFFLED = KINDS = ("as it is", "in reports", "shuffled")
READS_COUNT = 500
RATIO_MAX = 0.65
READ_MS_MAX = 10
SEAL_CPU_MS_PER_MB_MAX = 15
SLOW_READ_SHARE = 0.99


def archive(rig: Rig) -> Section:
    """Compare sealed segments with one zstd frame for each message."""
    section = Section(
        "The archive on real mail",
        f"Mail of the packs {', '.join(PACKS)}, merged at random, each in its order of arrival, as "
        "a mailbox fills: as it is, and each message wrapped in a journal report. Shuffled, "
        "neighbours have nothing in common, which is the worst case. Sizes in MB; the segments "
        "hold receipts and tar headers as well, the frames nothing but mail. Reads: "
        f"{READS_COUNT} messages at random, page cache dropped before each, digest checked.",
        (
            *("mail", "messages", "raw", "frame per message", "open", "sealed"),
            *("sealed / frame per message", "CPU ms/MB to seal"),
            *("read median ms", "read 99 % ms", "CPU ms/read"),
        ),
    )
    assert rig.corpus
    configure("warning", "auto")
    for kind in KINDS:
        pool = _corpus_pool(rig, rig.corpus, kind)
        with rig.job(pool) as job:
            rig.measure(Collector(), job)
            _measure(section, kind, pool, job)
    return section


def _measure(section: Section, kind: str, pool: Pool, job: Job) -> None:
    """Seal the archive of a finished job; write a row and compare it with the goals."""
    with open_house(load(job.work / "collector.toml")) as house:
        open_mb = _segments_mb(house.archive)
        with house.intake.turn():
            pass  # the start, which reads what is open, is not sealing
        began_s = time.process_time()
        house.intake.writer.roll(0)
        house.intake.seal()
        house.intake.finish_sealing(lambda: False)
        cpu_ms = (time.process_time() - began_s) * 1e3 / pool.raw_mb
        sealed_mb = _segments_mb(house.archive)
        reads = list(_reads(house, job.work / "archive" / "segments"))
    frames_mb = _frames_mb(pool)
    walls_ms, cpus_ms = map(sorted, zip(*reads, strict=True))
    ratio, slow_ms = sealed_mb / frames_mb, walls_ms[int(len(walls_ms) * SLOW_READ_SHARE)]
    sizes = [f"{mb:.1f}" for mb in (pool.raw_mb, frames_mb, open_mb, sealed_mb)]
    figures = [f"{ratio:.2f}", f"{cpu_ms:.1f}", f"{statistics.median(walls_ms):.1f}"]
    figures += [f"{slow_ms:.1f}", f"{statistics.mean(cpus_ms):.1f}"]
    section.rows.append([kind, f"{pool.count:,}", *sizes, *figures])
    if kind == SHUFFLED:
        return
    goal = section.goal
    what = f"sealed segments against a frame per message, mail {kind}"
    goal(what, f"at most {RATIO_MAX}", f"{ratio:.2f}", reached=ratio <= RATIO_MAX)
    what, limit = f"reading a message, mail {kind}", f"under {READ_MS_MAX} ms"
    goal(what, limit, f"99 % under {slow_ms:.1f} ms", reached=slow_ms < READ_MS_MAX)
    what, limit = f"CPU of sealing, mail {kind}", f"under {SEAL_CPU_MS_PER_MB_MAX} ms/MB"
    goal(what, limit, f"{cpu_ms:.1f} ms/MB", reached=cpu_ms < SEAL_CPU_MS_PER_MB_MAX)


def _reads(house: House, segments: Path) -> Iterator[tuple[float, float]]:
    """Yield wall and CPU milliseconds of reading each of some random messages."""
    blobs = [entry.blob for entry in house.ledger.entries()]
    for blob in random.Random(SEED).sample(blobs, min(READS_COUNT, len(blobs))):
        (path,) = segments.glob(f"{blob.segment}.*")
        fd = os.open(path, os.O_RDONLY)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(fd)
        began_s, cpu_s = time.perf_counter(), time.process_time()
        house.archive.raw(blob)
        yield (time.perf_counter() - began_s) * 1e3, (time.process_time() - cpu_s) * 1e3


def _segments_mb(archived: Archive) -> float:
    return sum(each.size_bytes for each in archived.segments()) / 1e6


def _frames_mb(pool: Pool) -> float:
    """Return the length of all messages, each compressed alone at level 3."""
    compressor = zstandard.ZstdCompressor(level=3)
    paths = map(pool.path, range(pool.count))
    return sum(len(compressor.compress(path.read_bytes())) for path in paths) / 1e6


def _corpus_pool(rig: Rig, corpus: Path, kind: str) -> Pool:
    """Return the mail of the packs as a pool; it is made once."""
    directory = rig.scratch / "pools" / f"corpus-{kind.replace(' ', '-')}"
    if not (directory / "manifest.json").exists():
        say(f"unpacking the corpus ({kind})")
        packs = [list(_unpack(corpus / f"{pack}.tar.zst")) for pack in PACKS]
        messages = _merged(packs)
        if kind == SHUFFLED:
            random.Random(SEED).shuffle(messages)
        Pool.write(directory, _wrapped(messages) if kind == IN_REPORTS else messages)
        for path in directory.iterdir():
            give(path)
    return Pool.load(directory)


def _unpack(pack: Path) -> Iterator[bytes]:
    """Yield the messages of a pack, with the line ends a server delivers."""
    with (
        pack.open("rb") as file,
        zstandard.ZstdDecompressor().stream_reader(file) as stream,
        tarfile.open(mode="r|", fileobj=stream) as tar,
    ):
        for member in tar:
            content = tar.extractfile(member) if member.name.startswith("mail/") else None
            if content and (raw := content.read()):
                yield raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def _merged(packs: list[list[bytes]]) -> list[bytes]:
    """Return all messages in random order, but those of one pack in theirs."""
    turns = [pack for pack in packs for _ in pack]
    random.Random(SEED).shuffle(turns)
    ahead = {id(pack): iter(pack) for pack in packs}
    return [next(ahead[id(pack)]) for pack in turns]


def _wrapped(messages: list[bytes]) -> Iterator[bytes]:
    writer = ReportWriter()
    for number, raw in enumerate(messages):
        ids = f"subject {number}", f"<{number}@corpus.example>"
        yield writer.wrap(raw, "sender@contoso.example", ["journal@contoso.example"], *ids)
