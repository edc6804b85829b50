"""A throwaway pymap on loopback: a mail server in memory, plain IMAP, one user."""

from __future__ import annotations

import importlib.util
import itertools
import sys

from imap_eyes import PASSWORD, ImapUser
from throwaway import Place, Server, free_ports, missing

USER = "journal"
PROGRAM = "import gc; gc.disable(); from pymap.main import main; main()"
"""pymap 0.36 keeps no reference to the task of a connection: under Python 3.13 the garbage
collector ends connections that are in use ("Task was destroyed but it is pending")."""


class PymapServer:
    """One running server."""

    def __init__(self) -> None:
        if importlib.util.find_spec("pymap") is None:
            missing("pymap", "pip install 'journal-collector[demo]'")
        self._place = Place("pymap")
        self._numbers = itertools.count(1)
        (self.imap_port,) = free_ports(1)
        program = [sys.executable, "-c", PROGRAM]
        options = ["--host", "127.0.0.1", "--port", str(self.imap_port), "--no-tls", "dict"]
        login = ["--demo-data", "--demo-user", USER, "--demo-password", PASSWORD]
        command = [*program, *options, *login]
        self._server = Server(command, self._place.root / "start.log", as_self=True)
        assert self._server.listens([self.imap_port]), self._server.said()

    def user(self) -> ImapUser:
        """Return the one user."""
        return ImapUser("127.0.0.1", self.imap_port, None, USER)

    def new_folder(self) -> str:
        """Make a folder nobody has seen before; return its name."""
        name = f"T{next(self._numbers)}"
        self.user().command("CREATE", name, folder=None)
        return name

    def stop(self) -> None:
        """End it."""
        self._server.end()
        self._place.remove()
