"""Memory stays flat, whatever the size of a message and however far it is compressed."""

import pytest
from store_tracing import run

SCRIPT = """
import hashlib, random, resource, sys
from dataclasses import replace
from pathlib import Path
from store_samples import receipt_of, seal_all
from collector.domain.blob import Digest, WINDOW_BYTES
from collector.store.archive import Archive
from collector.store.writer import ArchiveWriter

class Made:
    "A message that exists only window by window."
    def __init__(self, size_bytes, random_bytes):
        self.size_bytes, self.random_bytes = size_bytes, random_bytes
        hasher = hashlib.sha256()
        for offset in range(0, size_bytes, WINDOW_BYTES):
            hasher.update(self.window(offset, min(WINDOW_BYTES, size_bytes - offset)))
        self.digest = Digest(hasher.hexdigest())
    def window(self, offset, length):
        if not self.random_bytes:
            return bytes(length)
        start = offset % WINDOW_BYTES
        return random.Random(offset - start).randbytes(WINDOW_BYTES)[start : start + length]

def receipt(seq, made):
    return replace(receipt_of(seq, b""), digest=made.digest, size_bytes=made.size_bytes)

def peak_kib():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

def through(root, made):
    with ArchiveWriter.open(root) as writer:
        (blob,) = writer.append([(receipt(1, made), made)])
        archive = Archive(root)
        archive.copy(blob, len)
        end = made.size_bytes - 5
        assert archive.raw(blob).window(end, 9) == made.window(end, 5)
        assert [each.problem for each in archive.reread([blob])] == [""]
        assert [each.blob for each in archive.scan_from(None)] == [blob]
        assert seal_all(writer) == ["000001.sealed"]

base = Path(sys.argv[1])
through(base / "warm", Made(8 * 1024 * 1024, True))
before_kib = peak_kib()
through(base / "large", Made(100 * 1024 * 1024, sys.argv[2] == "random"))
print(peak_kib() - before_kib)
"""


@pytest.mark.parametrize("kind", ["random", "zeros"])
def test_a_message_of_a_hundred_mib_costs_a_few_mib(tmp_path, kind):
    """Storing, proving, reading, scanning and sealing stream; zeros do so as well."""
    ran = run(SCRIPT, tmp_path, kind)
    assert ran.returncode == 0, ran.stderr
    assert int(ran.stdout) < 8 * 1024
