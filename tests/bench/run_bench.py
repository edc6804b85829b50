"""Measures the collector beside other programs and the limit of the machine; ``make bench``.

    make bench [BENCH="[SECTION ...] [options]"]

Without a section, all are measured (``archive`` only with ``--corpus``); the
page shows the last run of each.
Needed: Dovecot 2.3, cc, the headers of OpenSSL and zstd.  Optional, to compare
with: mbsync (isync), fetchmail, getmail6, imapbackup, on the PATH.
"""

from __future__ import annotations

import argparse
import fcntl
import shlex
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import measure_archive
import measure_limits
import measure_mailboxes
import measure_service
import measure_verify
import measure_whole
from bench_page import keep, page, table
from bench_rig import Rig, Section, Sizes, say
from bench_server import running_server

ROOT = Path(__file__).resolve().parents[2]

SECTIONS: dict[str, Callable[[Rig], Section]] = {
    "reference": measure_whole.reference,
    "small": measure_whole.small,
    "stages": measure_whole.stages,
    "folders": measure_limits.folders,
    "memory": measure_limits.memory,
    "mailboxes": measure_mailboxes.mailboxes,
    "link": measure_limits.link,
    "poll": measure_service.poll,
    "night": measure_service.night,
    "promptness": measure_service.promptness,
    "verify": measure_verify.verify,
    "archive": measure_archive.archive,
}


def main() -> None:
    """Measure, print the tables, write the page."""
    asked = _arguments()
    asked.scratch.mkdir(parents=True, exist_ok=True)
    sizes = Sizes(asked.runs, asked.reports, asked.small, asked.folders, asked.entries)
    names = [name for name in asked.section or SECTIONS if name != "archive" or asked.corpus]
    results = asked.scratch / "results"
    with _alone(asked.scratch), running_server(asked.scratch / "server") as server:
        rig = Rig(asked.scratch, server, sizes, asked.corpus, asked.programs)
        for name in names:
            say(f"== {name}")
            section = SECTIONS[name](rig)
            keep(results, name, section, _command(name, asked))
            sys.stdout.write(f"\n{section.title}\n\n{table(section.columns, section.rows)}\n")
    asked.page.write_text(page(results, list(SECTIONS)), encoding="utf-8")
    say(f"written: {asked.page}")


@contextmanager
def _alone(scratch: Path) -> Iterator[None]:
    """Hold the scratch directory for a block; two measurements would spoil each other."""
    with (scratch / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.exit(f"another measurement runs in {scratch}")
        yield


def _arguments() -> argparse.Namespace:
    sizes = Sizes()
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = options.add_argument
    add("section", nargs="*", choices=[*SECTIONS, []], metavar="SECTION", help=", ".join(SECTIONS))
    add("--runs", type=int, default=sizes.runs, help="rounds (default: %(default)s)")
    add("--reports", type=int, default=sizes.reports, help="size of the reference work")
    add("--small", type=int, default=sizes.small, help="number of small messages")
    add("--folders", type=int, nargs="+", default=sizes.folders, help="messages in the folder")
    add("--entries", type=int, default=sizes.entries, help="entries for `poll` and `verify`")
    add("--programs", nargs="+", default=[], metavar="NAME", help="only these programs")
    add("--corpus", type=Path, help="directory with packs of real mail, for `archive`")
    add("--page", type=Path, default=ROOT / "docs/performance.md", help="where to write the page")
    scratch = Path(tempfile.gettempdir()) / "collector-bench"
    add("--scratch", type=Path, default=scratch, help="pools and work; on the disk that counts")
    return options.parse_args()


def _command(name: str, asked: argparse.Namespace) -> str:
    """Return the command that repeats a section."""
    words = [name]
    for option, usual in asdict(Sizes()).items():
        given = getattr(asked, option)
        if given != usual:
            many = given if isinstance(given, list) else [given]
            words += [f"--{option}", *map(str, many)]
    words += ["--programs", *asked.programs] if asked.programs else []
    words += ["--corpus", "DIRECTORY"] if name == "archive" else []
    return shlex.join(["make", "bench", f"BENCH={shlex.join(words)}"])


if __name__ == "__main__":
    main()
