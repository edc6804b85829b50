"""A throwaway Courier IMAP on loopback, from unpacked Debian packages, without root.

Courier's imapd runs as already authenticated behind a small front of ours that speaks
TLS and takes the login, so that no daemon of Courier's and no fixed path is needed.
"""

from __future__ import annotations

import itertools
import os
import sys
from pathlib import Path

import psutil
from debian_packages import library_path, unpack
from imap_eyes import ImapUser
from throwaway import HOST, Place, Server, free_ports, run
from throwaway_ca import make_ca

CAPABILITY = "IMAP4rev1 UIDPLUS CHILDREN NAMESPACE THREAD=REFERENCES SORT QUOTA IDLE ACL"


class CourierServer:
    """One running server."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._place = Place("courier")
        self.root = self._place.root
        programs = self.root / "root"
        unpack(programs, "courier-imap", "gamin")
        self.ca = make_ca(self.root)
        environment = {
            "PATH": os.environ["PATH"],
            "LD_LIBRARY_PATH": library_path(programs),
            "GAMIN_DEBUG_SERVER": str(next(programs.rglob("gam_server"))),
            "AUTHENTICATED": "journal",
            "HOME": str(self.root),
            "IMAP_USELOCKS": "1",
            "IMAP_KEYWORDS": "1",
            "IMAP_ACL": "1",
            "IMAP_TRASHFOLDERNAME": "Trash",
            "IMAP_EMPTYTRASH": "Trash:7",
            "IMAP_IDLE_TIMEOUT": "60",
            "IMAP_CAPABILITY": CAPABILITY,
        }
        run([programs / "usr/bin/maildirmake.courier", self.root / "Maildir"], env=environment)
        self._place.give()
        (self.imaps_port,) = free_ports(1)
        front = self.root / "preauth_front.py"
        front.write_bytes(Path(__file__).with_name("preauth_front.py").read_bytes())
        python = "/usr/bin/python3" if os.geteuid() == 0 else sys.executable
        command = [python, front, str(self.imaps_port), self.root]
        command += [programs / "usr/bin/imapd", "Maildir"]
        self._server = Server(command, self.root / "start.log", env=environment, cwd=self.root)
        assert self._server.listens([self.imaps_port]), self._server.said()

    def user(self) -> ImapUser:
        """Return the one user."""
        return ImapUser(HOST, self.imaps_port, self.ca.ca, "journal")

    def new_folder(self) -> str:
        """Make a folder nobody has seen before; return its name."""
        name = f"INBOX.T{next(self._numbers)}"
        self.user().command("CREATE", name, folder=None)
        return name

    def stop(self) -> None:
        """End it, what it started of its own accord, and remove all it held."""
        self._server.end()
        for process in psutil.process_iter(["exe"]):
            if str(process.info["exe"]).startswith(f"{self.root}/"):  # gam_server outlives imapd
                process.terminate()
        self._place.remove()
