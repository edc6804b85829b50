"""The service at rest: a poll that finds nothing, and what happens to one new message."""

from __future__ import annotations

import imaplib
import random
import shutil
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from subprocess import Popen

from bench_pool import Pool
from bench_process import cpu_now_s, said, start
from bench_programs import Collector, Job
from bench_rig import Rig, Section, say
from bench_server import PASSWORD

from collector.ledger.ledger import Ledger
from collector.store.durable import sync_directory

sys.path.append(str(Path(__file__).parents[1] / "ledger"))
from bench_ledger import fill

SETTLE_S = 5
POLLS_COUNT = 20
POLL_CPU_MS_MAX = 20
NIGHT_MESSAGES = 20
NIGHT_PAUSE_S = 1.5
NIGHT_S_MAX = 1.0
GONE_S_MAX = 60
PROMPT_MESSAGES = 60
PROMPT_S_MAX = 2.0


def poll(rig: Rig) -> Section:
    """Measure polls of an empty mailbox, with an empty and with a large ledger."""
    section = Section(
        "A poll that finds nothing",
        "`collector run`, one poll a second, IDLE off; CPU time of the whole service, its clocks "
        f"and watchdogs included, over {POLLS_COUNT} polls.",
        ("entries in the ledger", "round trips", "CPU ms/poll", "resident MB"),
    )
    for entries in (0, rig.sizes.entries):
        trips, cpu_ms, resident_mb = _polls(rig, entries)
        section.rows.append([f"{entries:,}", f"{trips:.1f}", f"{cpu_ms:.1f}", f"{resident_mb:.0f}"])
    section.goal("round trips of an empty poll", "at most 2", f"{trips:.1f}", reached=trips <= 2)
    section.goal(
        f"CPU of an empty poll, {entries:,} entries",
        f"under {POLL_CPU_MS_MAX} ms",
        f"{cpu_ms:.1f} ms",
        reached=cpu_ms < POLL_CPU_MS_MAX,
    )
    return section


def _polls(rig: Rig, entries: int) -> tuple[float, float, float]:
    """Return round trips and CPU milliseconds of a poll, and resident megabytes."""
    nothing = Pool(rig.scratch)
    with rig.link(0, 0) as line, rig.job(nothing, lines=[line]) as job:
        if entries:
            _lay_ledger(rig, entries, job)
        lines = ('poll_interval = "1s"', "idle = false")
        with _service(job, *lines, log_level="debug") as process:
            began = _snapshot(job, process.pid, line.carried()[0])
            while _cycles(job) < began[0] + POLLS_COUNT:
                time.sleep(0.2)
            ended = _snapshot(job, process.pid, line.carried()[0])
            cycles, cpu_s, trips = (b - a for a, b in zip(began, ended, strict=True))
            return trips / cycles, cpu_s / cycles * 1e3, _resident_mb(process.pid)


def _snapshot(job: Job, pid: int, round_trips: int) -> tuple[int, float, int]:
    return _cycles(job), cpu_now_s(pid), round_trips


def _cycles(job: Job) -> int:
    return said(job.work).count("cycle.finished")


def _lay_ledger(rig: Rig, entries: int, job: Job) -> None:
    """Put a ledger of so many expunged entries where the service will find it."""
    kept = rig.scratch / "pools" / f"ledger-{entries}.db"
    if not kept.exists():
        say(f"filling a ledger with {entries:,} entries")
        unfinished = kept.with_suffix(".unfinished")
        unfinished.unlink(missing_ok=True)
        Ledger.open(unfinished, create=True, sync_directory=sync_directory).close()
        fill(unfinished, entries, 1)
        unfinished.rename(kept)
    shutil.copy(kept, job.directory("archive") / "ledger.db")


def night(rig: Rig) -> Section:
    """Measure one message after the other, from its arrival to its deletion."""
    section = Section(
        "One new message at night",
        f"`collector run` with IDLE; {NIGHT_MESSAGES} messages, one at a time, from the server's "
        "answer to APPEND until the message is gone from the mailbox, proven and deleted. Of this, "
        "Dovecot takes half a second before it tells an idling client.",
        ("", "median s", "largest s"),
    )
    pool = rig.pool("business", NIGHT_MESSAGES)
    with rig.job(Pool(rig.scratch)) as job, _service(job, "idle = true"):
        times_s = [_arrival(rig, job, pool.path(index).read_bytes()) for index in range(pool.count)]
    median_s, largest_s = statistics.median(times_s), max(times_s)
    section.rows.append(["arrival to deletion", f"{median_s:.2f}", f"{largest_s:.2f}"])
    section.goal(
        "one message at night",
        f"within {NIGHT_S_MAX:.0f} s",
        f"{median_s:.2f} s, at most {largest_s:.2f} s",
        reached=largest_s <= NIGHT_S_MAX,
    )
    return section


def promptness(rig: Rig) -> Section:
    """Measure the time from arrival to proof: how long a message is in danger."""
    section = Section(
        "From arrival to proof",
        f"`collector run` with IDLE; {PROMPT_MESSAGES} messages at irregular times, from the "
        "server's answer to APPEND until the ledger's proof that the stored copy was read back. "
        "Of this, Dovecot takes half a second before it tells an idling client.",
        ("", "median s", "95 % s", "largest s"),
    )
    pool = rig.pool("business", PROMPT_MESSAGES)
    pauses_s = random.Random(2177)
    arrivals: list[datetime] = []
    with rig.job(Pool(rig.scratch)) as job:
        with _service(job, "idle = true"):
            for index in range(pool.count):
                time.sleep(pauses_s.uniform(0.2, 2 * NIGHT_PAUSE_S))
                arrivals.append(_append(rig, job, pool.path(index).read_bytes()))
            _await_empty(rig, job)
        times_s = _until_proof(job, arrivals)
    median_s, largest_s = statistics.median(times_s), max(times_s)
    most_s = statistics.quantiles(times_s, n=20)[-1]
    section.rows.append(
        ["arrival to proof", f"{median_s:.2f}", f"{most_s:.2f}", f"{largest_s:.2f}"]
    )
    section.goal(
        "arrival to proof, median",
        f"under {PROMPT_S_MAX:.0f} s",
        f"{median_s:.2f} s",
        reached=median_s < PROMPT_S_MAX,
    )
    return section


def _until_proof(job: Job, arrivals: list[datetime]) -> list[float]:
    """Return the seconds from each arrival to the proof in the ledger, in their order."""
    path = job.work / "archive" / "ledger.db"
    ledger = Ledger.open(path, create=False, sync_directory=sync_directory)
    try:
        proven = [entry.cleared_at for entry in ledger.entries()]
    finally:
        ledger.close()
    pairs = zip(arrivals, proven, strict=True)
    return [(at - arrived).total_seconds() for arrived, at in pairs if at is not None]


def _append(rig: Rig, job: Job, raw: bytes) -> datetime:
    """Put a message into the mailbox; return when the server said that it is there."""
    client = imaplib.IMAP4("127.0.0.1", rig.server.port)
    client.login(job.user, PASSWORD)
    client.append("INBOX", "", "", raw)
    arrived = datetime.now(UTC)
    client.logout()
    return arrived


def _await_empty(rig: Rig, job: Job) -> None:
    until_s = time.monotonic() + GONE_S_MAX
    while rig.server.waiting(job.user):
        if time.monotonic() > until_s:
            raise TimeoutError(f"messages are still there: {said(job.work)[-1500:]}")
        time.sleep(0.005)


def _arrival(rig: Rig, job: Job, raw: bytes) -> float:
    """Deliver a message; return the seconds until it is gone."""
    time.sleep(NIGHT_PAUSE_S)  # the service is back at rest
    arrived = _append(rig, job, raw)
    _await_empty(rig, job)
    return (datetime.now(UTC) - arrived).total_seconds()


@contextmanager
def _service(job: Job, *lines: str, log_level: str = "warning") -> Iterator[Popen[bytes]]:
    """Run the service for a block; it has come to rest when the block begins."""
    collector = Collector()
    configuration = collector.configuration(job, *lines, log_level=log_level)
    process = start([str(collector.path), "--config", str(configuration), "run"], job.work)
    try:
        time.sleep(SETTLE_S)
        if process.poll() is not None:
            raise RuntimeError(f"the service ended: {said(job.work)[-1500:]}")
        yield process
    finally:
        process.terminate()
        process.wait()


def _resident_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024
