"""The page with the results, and the machine they were taken on.

Rule: the page says what was measured, with which command, and what was not.
Results are kept as JSON beside the pools, so that sections can be measured one
at a time and the page shows the last run of each.
"""

from __future__ import annotations

import json
import os
import platform
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench_programs import output
from bench_rig import Section
from bench_server import dovecot

INTRODUCTION = """\
# Performance

Written by `make bench`; do not edit. How to read it:

- `make bench` measures the collector as `make install` leaves it, with the Python of the system;
  a section with another command was measured in a checkout.
- Programs run in turn, round after round, each on a mailbox that was just filled; figures are
  medians of the rounds, and a ratio compares two runs of one round.
- Wall time is from the start of a process to its end, CPU time user and system. Dovecot runs on the
  same machine, shares its cores, and syncs nothing: it stands for a remote server.
- Peak memory is that of the largest process of a program, but where it is said to be that of all
  together: then what they share counts once.  Nothing reads smaller than about 13 MB,
  the process that starts them.
- Others' CPU is the share of all cores that neither the program nor Dovecot took. Where it is more
  than a few percent, the wall times are too long, and only the ratios are worth something.
- Bare C and bare Python do nothing but the stages: fetch, SHA-256, zstd 3, append with one
  fdatasync for 8 MiB, read back without page cache, delete. They have no ledger, read no report,
  and lose mail in a crash. The collector compresses at level -1 in frames of at most 4 MB, and at
  level 5 with a deeper search (docs/adr/0006) when it seals.
"""

LIBRARIES = ("imapclient", "peewee", "zstandard")


def machine() -> dict[str, str]:
    """Return what the figures depend on."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    model = next((line.partition(":")[2].strip() for line in lines if "model name" in line), "")
    memory_kb = int(Path("/proc/meminfo").read_text(encoding="ascii").split()[1])
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    return {
        "CPU": f"{os.cpu_count()} x {model or platform.machine()}",
        "Memory": f"{memory_kb / 1e6:.0f} GB",
        "Kernel": platform.release().partition("-")[0],
        "Python": f"{platform.python_version()}; {libraries}; SQLite {sqlite3.sqlite_version}",
        "Server": f"Dovecot {output(dovecot(), '--version').split()[0]}, Maildir, loopback, no TLS",
    }


def keep(results: Path, name: str, section: Section, command: str) -> None:
    """Keep a section's results for the page."""
    results.mkdir(exist_ok=True)
    kept = asdict(section) | {
        "command": command,
        "machine": machine(),
        "taken_on": datetime.now(UTC).date().isoformat(),
    }
    text = json.dumps(kept, ensure_ascii=False, indent=1)
    (results / f"{name}.json").write_text(text, encoding="utf-8")


def page(results: Path, names: Sequence[str]) -> str:
    """Return the page in Markdown, from the results that are kept."""
    kept = {
        name: json.loads(path.read_text(encoding="utf-8"))
        for name in names
        if (path := results / f"{name}.json").exists()
    }
    parts = [INTRODUCTION, *_machines(kept), _goals(kept)]
    parts += [_section(each) for each in kept.values()]
    missing = [f"`{name}`" for name in names if name not in kept]
    if missing:
        parts.append(f"## Not measured\n\n{', '.join(missing)}.\n")
    return "\n".join(parts)


def _machines(kept: Mapping[str, Any]) -> list[str]:
    """Return the machine once, or each of them when the sections come from several."""
    groups: dict[str, list[str]] = {}
    for name, each in kept.items():
        facts = [f"| {key} | {value} |" for key, value in each["machine"].items()]
        groups.setdefault("\n".join(facts), []).append(name)
    parts = []
    for facts, names in groups.items():
        which = "" if len(groups) == 1 else f" of {', '.join(names)}"
        parts.append(f"## Machine{which}\n\n| | |\n| --- | --- |\n{facts}\n")
    return parts


def _goals(kept: Mapping[str, Any]) -> str:
    rows = [
        (goal["what"], goal["limit"], goal["measured"], "yes" if goal["reached"] else "**no**")
        for each in kept.values()
        for goal in each["goals"]
    ]
    return f"## Goals\n\n{table(('goal', 'limit', 'measured', 'reached'), rows)}\n"


def _section(kept: Mapping[str, Any]) -> str:
    parts = [f"## {kept['title']}", kept["about"], table(kept["columns"], kept["rows"])]
    parts += ["\n".join(f"- {note}" for note in kept["notes"])] if kept["notes"] else []
    parts.append(f"Measured on {kept['taken_on']} with `{kept['command']}`.")
    return "\n\n".join(parts) + "\n"


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown; all columns but the first are figures."""
    rules = ["---", *["---:"] * (len(columns) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (columns, rules, *rows))
