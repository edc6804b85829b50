"""Starts the command line.

What is imported stays to the end, so the garbage collector is kept from looking at it:
a tenth of the time of a start, and a little of every message.  It begins with the command.

No plugin has a say in what the configuration means, and none is looked for.
"""

import gc
import os

gc.disable()
os.environ["PYDANTIC_DISABLE_PLUGINS"] = "__all__"

from collector.cli import main as cli  # noqa: E402 - not before

__all__ = ["main"]

main = cli.main

if __name__ == "__main__":
    main()
