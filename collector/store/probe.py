"""Whether a proof can reach the medium on the disk of an archive.

Rule: asks the kernel, changes nothing that stays.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from collector.domain.errors import CollectorError
from collector.store import durable

_PROBE_BYTES = 256 * 1024


def reaches_medium(directory: Path) -> bool:
    """Say whether dropping the cache makes the next read go to the medium (integrity.md, 1.4).

    A memory disk keeps everything, some network file systems keep it elsewhere:
    a proof then shows what was written, not what was kept.

    Raises:
        CollectorError: no file can be written there, or it could not be made durable.
    """
    try:
        with tempfile.TemporaryFile(dir=directory, buffering=0) as file:
            fd = file.fileno()
            durable.write(fd, os.urandom(_PROBE_BYTES))
            durable.sync_file(fd, directory)
            durable.drop_cache(fd)
            return not _is_cached(fd)
    except CollectorError:
        raise
    except OSError as error:
        raise durable.write_error(error, directory) from error


def _is_cached(fd: int) -> bool:
    """Say whether the first byte can be had without waiting (preadv2(2), RWF_NOWAIT)."""
    try:
        os.preadv(fd, [bytearray(1)], 0, os.RWF_NOWAIT)
    except BlockingIOError:
        return False
    except OSError:  # this file system cannot tell: memory disks cannot
        return True
    return True
