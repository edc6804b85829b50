"""Starts the command line.

What is imported stays to the end, so the garbage collector is kept from looking at it:
a tenth of the time of a start, and a little of every message.  It begins with the command.

No plugin has a say in what the configuration means, and none is looked for.

All threads share one heap.  glibc gives each its own (mallopt(3)), and what was freed in one
is of no use to the others: 7 MB more for the same work, in the same time.
"""

import gc
import os
from contextlib import suppress

M_ARENA_MAX = -8
"""Names the setting for the number of heaps (malloc.h of glibc)."""

gc.disable()
with suppress(ImportError, OSError, AttributeError):  # another C library has no such thing
    import ctypes

    ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)
os.environ["PYDANTIC_DISABLE_PLUGINS"] = "__all__"

from collector.cli import main as cli  # noqa: E402 - not before

__all__ = ["main"]

main = cli.main

if __name__ == "__main__":
    main()
