"""A small file that tokens survive a restart in.

Rule: nobody but its owner reads it; it is replaced whole or not at all.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from collector.domain.errors import ConfigError

FILE_BYTES_MAX = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class KeptFile:
    """One file of the state directory.

    Attributes:
        publish: puts content into place under a name, durably, with mode 0600; makes
            the directory when it is missing.
    """

    path: Path
    publish: Callable[[Path, bytes], None] = field(repr=False)

    def read(self) -> str:
        """Return what was kept; empty when nothing was.

        Raises:
            ConfigError: it cannot be read, or others may read it.
        """
        try:
            with self.path.open("rb") as file:
                mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
                raw = file.read(FILE_BYTES_MAX)
        except FileNotFoundError:
            return ""
        except OSError as error:
            raise ConfigError(
                f"the kept tokens cannot be read: {error.strerror}",
                subject=str(self.path),
                hint="run `collector login` as the user the service runs as",
            ) from error
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            what = "the kept tokens are open to others"
            raise ConfigError(what, subject=str(self.path), hint=f"chmod 0600 {self.path}")
        return raw.decode("utf-8", "replace")

    def write(self, text: str) -> None:
        """Replace what is kept.

        Raises:
            CollectorError: it cannot be written.
        """
        self.publish(self.path, text.encode())
