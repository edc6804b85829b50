"""Fuzzes ``unwrap``: ``python tests/formats/fuzz_unwrap.py -max_total_time=600``.

All options are libFuzzer's.  Without a corpus directory the seeds in ``fuzz_corpus/``
are read and nothing is written there.  A crash is: anything raised, an original
that is no slice, windows that matter, or more CPU time than ``allowed_s``.

``--minimise DIRECTORY`` keeps of the seeds and of what a run found the smallest
inputs that together go every way through the parser, and makes them the seeds.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from types import FrameType
from typing import Any

import atheris

HERE = Path(__file__).resolve().parent
SEEDS = HERE / "fuzz_corpus"
SEED_BYTES_MAX = 4_096
sys.path.insert(0, str(HERE))

with atheris.instrument_imports(include=["collector.domain", "collector.formats"]):
    from test_formats_properties import PROFILES, check

    from collector.domain.blob import RawBytes
    from collector.formats.unwrap import read

SECONDS_PER_MB = 0.050
INSTRUMENTED = 2.0
"""How much slower the instrumented parser is; measured on the vectors: 1.8."""


def allowed_s(size_bytes: int) -> float:
    """Return how long a message may take: 50 ms per megabyte, and for less than one."""
    return SECONDS_PER_MB * max(1.0, size_bytes / 1e6) * INSTRUMENTED


def test_one_input(fuzzed: bytes) -> None:
    """Read one message; its first byte chooses the profile."""
    profile = PROFILES[fuzzed[0] % len(PROFILES)] if fuzzed else PROFILES[0]
    raw = fuzzed[1:]
    start = time.process_time()
    read(RawBytes(raw), profile)
    taken = time.process_time() - start
    if taken > allowed_s(len(raw)):
        raise TimeoutError(f"{taken * 1000:.0f} ms for {len(raw)} bytes")
    check(raw, profile)


def ways(fuzzed: bytes) -> set[tuple[str, int, int]]:
    """Return the steps from line to line that the parser takes on one input."""
    taken: set[tuple[str, int, int]] = set()

    def follow(frame: FrameType, event: str, _: Any) -> Any:
        if "/collector/formats/" not in frame.f_code.co_filename:
            return None
        last = frame.f_lineno

        def line(inner: FrameType, event: str, _: Any) -> Any:
            nonlocal last
            taken.add((inner.f_code.co_filename, last, inner.f_lineno))
            last = inner.f_lineno
            return line

        return line

    profile = PROFILES[fuzzed[0] % len(PROFILES)] if fuzzed else PROFILES[0]
    sys.settrace(follow)
    try:
        read(RawBytes(fuzzed[1:]), profile)
    finally:
        sys.settrace(None)
    return taken


def minimise(found: Path) -> None:
    """Make the smallest inputs that reach all that was reached the seeds."""
    from vector import DIRECTORY

    inputs = {path.read_bytes() for place in (SEEDS, found) for path in place.iterdir()}
    inputs |= {b"\x00" + path.read_bytes() for path in DIRECTORY.glob("*.eml")}
    reached: set[tuple[str, int, int]] = set()
    kept = []
    for fuzzed in sorted(inputs, key=lambda each: (len(each), each)):
        new = ways(fuzzed) - reached if len(fuzzed) <= SEED_BYTES_MAX else set()
        if new:
            reached |= new
            kept.append(fuzzed)
    for path in SEEDS.iterdir():
        path.unlink()
    for number, fuzzed in enumerate(kept, start=1):
        (SEEDS / f"{number:03}").write_bytes(fuzzed)
    print(f"{len(kept)} of {len(inputs)} inputs kept, {sum(map(len, kept))} bytes")


def main() -> None:
    """Run libFuzzer, on the seeds when no directory is named."""
    if sys.argv[1:2] == ["--minimise"]:
        minimise(Path(sys.argv[2]))
        return
    arguments = list(sys.argv)
    if all(each.startswith("-") for each in arguments[1:]):
        arguments += [tempfile.mkdtemp(prefix="fuzz-unwrap-"), str(SEEDS)]
    atheris.Setup(arguments, test_one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
