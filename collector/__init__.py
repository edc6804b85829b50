"""Journal Collector: empties a journal mailbox into an archive, and proves it."""

__version__ = "0.1.0"
