"""``make corpus CORPUS=DIR``: a whole corpus of mail through Dovecot, every message compared.

DIR holds ``*.tar.zst`` packs of messages below ``mail/``, or a tree of ``.eml`` files.
Ends with one line of counts; exit code 1 when a single byte differs.
"""

from __future__ import annotations

import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import zstandard

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parent / "servers")]

from collector_program import Collector  # noqa: E402 - after the path
from corpus_run import collect_and_compare, crlf, deliver  # noqa: E402
from dovecot_server import DovecotServer  # noqa: E402


def packed(path: Path) -> Iterator[bytes]:
    """Yield the messages of one pack."""
    with (
        path.open("rb") as stored,
        zstandard.ZstdDecompressor().stream_reader(stored) as plain,
        tarfile.open(fileobj=plain, mode="r|") as tar,
    ):
        for member in tar:
            if member.isfile() and member.name.startswith("mail/"):
                yield tar.extractfile(member).read()


def messages(corpus: Path) -> Iterator[bytes]:
    """Yield all messages of a corpus."""
    for path in sorted(corpus.glob("*.tar.zst")):
        yield from packed(path)
    for path in sorted(corpus.rglob("*.eml")):
        yield path.read_bytes()


def main() -> int:
    """Run it; return the exit code."""
    if len(sys.argv) != 2 or not Path(sys.argv[1]).is_dir():
        print("usage: make corpus CORPUS=DIR, a directory with .tar.zst packs or .eml files")
        return 2
    began_s = time.monotonic()
    server = DovecotServer()
    try:
        with tempfile.TemporaryDirectory() as home:
            user, collector = server.new_user(), Collector(Path(home))
            deliver(user, map(crlf, messages(Path(sys.argv[1]))))
            collector.configure(collector.mailbox(user), log='level = "error"')
            compared = collect_and_compare(collector, user)
    finally:
        server.stop()
    for problem in compared.problems:
        print(problem)
    elapsed_s = time.monotonic() - began_s
    print(
        f"{compared.delivered_count} messages delivered, collected and compared, "
        f"{len(compared.problems)} problems ({elapsed_s:.0f} s)"
    )
    return 1 if compared.problems or not compared.delivered_count else 0


if __name__ == "__main__":
    sys.exit(main())
