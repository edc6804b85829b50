"""Starts the command line.

What is imported stays to the end, so the garbage collector is kept from looking at it:
a tenth of the time of a start, and a little of every message.
"""

import gc

gc.disable()

from collector.cli import main as cli  # noqa: E402 - not before

__all__ = ["main"]


def main() -> None:
    """Run the command line; never returns."""
    gc.freeze()
    gc.enable()
    cli.main()


if __name__ == "__main__":
    main()
