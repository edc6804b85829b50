"""How long the log of a large archive takes to be verified, without its messages.

Rule: the ledger is built by the ledger's own functions and signed as the service
does it; nothing is inserted behind its back.  Only the segments are missing, which
``verify --without-bodies`` does not read.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

from bench_pool import Pool
from bench_process import RunError, Usage, run, said
from bench_programs import Collector, Job
from bench_rig import Rig, Section, say

from collector.custody.checkpoints import Checkpoints, checkpoint_file
from collector.domain.evidence import Checkpoint
from collector.evidence.checkpoint import sign_checkpoint
from collector.evidence.keys import KeyPlace, create_key_file, load_signer
from collector.ledger.ledger import Ledger
from collector.service.evidence import known_keys
from collector.store.durable import make_directory, sync_directory, sync_file

sys.path.append(str(Path(__file__).parents[1] / "ledger"))
from bench_ledger import EMPTIED, NOW, pending

ORIGIN = "bench.example.net/journal"
BATCH_ENTRIES = 1_000
RECIPIENTS_COUNT = 2
CHECKPOINTS_COUNT = 100_000
VERIFY_S_MAX = 60


def verify(rig: Rig) -> Section:
    """Verify rows, leaves, tree and checkpoints of a large ledger."""
    section = Section(
        "Verifying the log",
        f"`collector verify --without-bodies` on a ledger that was filled by commits of "
        f"{BATCH_ENTRIES:,} entries of {RECIPIENTS_COUNT} recipients, an event and a signed "
        "checkpoint after each: every row, leaf, node, and checkpoint. Then the same with "
        f"{CHECKPOINTS_COUNT:,} checkpoints more, as many as are kept in ten years.",
        ("entries", "checkpoints", "wall s", "CPU s", "peak MB", "others' CPU"),
    )
    entries = rig.sizes.entries
    source = _archive(rig.scratch / "pools" / f"log-{entries}", entries)
    usages = []
    for more in (0, CHECKPOINTS_COUNT):
        with rig.job(Pool(rig.scratch)) as job:
            archive = job.directory("archive")
            shutil.copytree(source, archive, dirs_exist_ok=True)
            _sign_more(archive, entries, more)
            usage, count = _measure(rig, job, entries)
        usages.append(usage)
        figures = (f"{usage.wall_s:.1f}", f"{usage.cpu_s:.1f}", f"{usage.rss_mb:.0f}")
        section.rows.append([f"{entries:,}", f"{count:,}", *figures, f"{usage.foreign_share:.0%}"])
    section.goal(
        f"the log of {entries:,} entries verified",
        f"under {VERIFY_S_MAX} s",
        f"{usages[0].wall_s:.1f} s ({usages[0].cpu_s:.1f} s CPU)",
        reached=usages[0].wall_s < VERIFY_S_MAX,
    )
    return section


def _measure(rig: Rig, job: Job, entries: int) -> tuple[Usage, int]:
    """Verify once; return what it cost, and how many checkpoints there were."""
    program = Collector()
    config = ["--config", str(program.configuration(job))]
    command = [str(program.path), *config, "verify", "--without-bodies", "--json"]
    usage = run(command, job.work, rig.server.process.pid)
    told = json.loads(said(job.work).splitlines()[-1])
    if (told["verified"], told["broken"]) != (entries, 0):
        raise RunError(f"not all was verified: {told}")
    return usage, told["checkpoints"]["count"]


def _sign_more(archive: Path, entries: int, count: int) -> None:
    """Sign heads that the log had before, evenly over all of it."""
    directory = archive / "checkpoints"
    (key,) = known_keys(archive)
    signer = load_signer(KeyPlace(Path("log.key"), directory), ORIGIN)
    ledger = Ledger.open(archive / "ledger.db", create=False, sync_directory=sync_directory)
    with ledger.session():
        for size in range(1, entries, max(1, entries // count)) if count else ():
            checkpoint = Checkpoint(key.name, size, ledger.log.root(size))
            path = checkpoint_file(directory, size)
            path.write_bytes(sign_checkpoint(checkpoint, [signer]).raw)
    ledger.close()


def _archive(root: Path, entries: int) -> Path:
    """Return an archive without segments; it is made once."""
    if root.exists():
        return root
    say(f"filling a ledger with {entries:,} entries and their log")
    unfinished = root.with_suffix(".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    directory = unfinished / "checkpoints"
    make_directory(directory)
    key = create_key_file(directory / "log.key", ORIGIN, sync_file)
    (directory / "log.vkeys").write_text(f"{key}\n")
    signer = load_signer(KeyPlace(Path("log.key"), directory), ORIGIN)
    checkpoints = Checkpoints(directory, signer, [key])
    ledger = Ledger.open(unfinished / "ledger.db", create=True, sync_directory=sync_directory)
    with ledger.session():
        for first in range(1, entries + 1, BATCH_ENTRIES):
            seqs = range(first, min(first + BATCH_ENTRIES, entries + 1))
            ledger.commit([pending(seq, EMPTIED, RECIPIENTS_COUNT) for seq in seqs])
            ledger.record_event("segment.sealed", NOW, first=first)
            ledger.log_events(ledger.unlogged_events())
            checkpoints.issue(ledger.log)
    ledger.close()
    unfinished.rename(root)
    return root
