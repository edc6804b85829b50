"""A throwaway Dovecot on loopback: TLS, STARTTLS, LMTP, ACL, quota.

Any name is a user, with the password ``secret``; a fresh name is a fresh mailbox.
Works as root (the server then runs as an ordinary user) and as an ordinary user.
"""

from __future__ import annotations

import itertools
import os
from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path

from bearer_tokens import take_tokens
from imap_eyes import PASSWORD, ImapUser
from throwaway import (
    HOST,
    Place,
    Server,
    as_ordinary_user,
    found,
    free_ports,
    missing,
    run,
    user_and_group,
)
from throwaway_ca import make_ca

REMEDY = "apt-get install dovecot-imapd dovecot-lmtpd"
ALL = (
    "IMAP4rev1 SASL-IR LOGIN-REFERRALS ID ENABLE IDLE LITERAL+ NAMESPACE UNSELECT CONDSTORE "
    "QRESYNC ESEARCH SORT MULTIAPPEND UIDPLUS MOVE ACL RIGHTS=texk QUOTA"
)


@dataclass(frozen=True, slots=True)
class Options:
    """How a server differs from the usual one.

    Attributes:
        hidden: capabilities that are not shown; their commands still work.
        mail_format: ``maildir``, ``mdbox`` or ``sdbox``.
        quota_mib: of every user.
        connections_max: of one user.
        password: of every user.
        tokens: access tokens are taken, too (``bearer_tokens``).
    """

    hidden: tuple[str, ...] = ()
    mail_format: str = "maildir"
    quota_mib: int = 8192
    connections_max: int = 40
    password: str = PASSWORD
    tokens: bool = False


class DovecotServer:
    """One running server."""

    def __init__(self, options: Options | None = None) -> None:
        self._program = found("dovecot", REMEDY)
        self._doveadm = found("doveadm", REMEDY)
        self.options = options or Options()
        self.version = run([self._program, "--version"]).stdout.decode().split()[0]
        self._numbers = itertools.count(1)
        self._place = Place("dovecot")
        self.root = self._place.root
        self.ca = make_ca(self.root)
        self._start()

    def _start(self) -> None:
        for _ in range(5):  # a port may be taken between looking and listening
            self.imaps_port, self.imap_port, self.lmtp_port = free_ports(3)
            self._configure()
            self._place.give()
            command = [self._program, "-F", "-c", self.root / "dovecot.conf"]
            self._server = Server(command, self.root / "start.log")
            if self._server.listens([self.imaps_port, self.imap_port, self.lmtp_port]):
                return
        raise AssertionError(f"Dovecot did not start: {self._server.said()}")

    def _configure(self) -> None:
        for name in ("run", "state", "mail", "home"):
            (self.root / name).mkdir(exist_ok=True)
        template = Path(__file__).with_name(f"dovecot-{self.version[:3]}.conf")
        if not template.exists():
            missing("a Dovecot 2.3 or 2.4", f"this is {self.version}, with another configuration")
        user, group = user_and_group()
        facts = {
            "root": self.root,
            "user": user,
            "group": group,
            "imaps_port": self.imaps_port,
            "imap_port": self.imap_port,
            "lmtp_port": self.lmtp_port,
            "capability": self._capability(),
            "format": self.options.mail_format,
            "quota_mib": self.options.quota_mib,
            "connections_max": self.options.connections_max,
            "mechanisms": " xoauth2 oauthbearer" if self.options.tokens else "",
            "oauth": take_tokens(self.root, self.version) if self.options.tokens else "",
            "password": b64encode(self.options.password.encode()).decode(),
        }
        text = template.read_text(encoding="utf-8")
        for name, value in facts.items():
            text = text.replace(f"@{name}@", str(value))
        (self.root / "dovecot.conf").write_text(text, encoding="utf-8")

    def _capability(self) -> str:
        if not self.options.hidden:
            return ""
        shown = [each for each in ALL.split() if each not in self.options.hidden]
        return f"imap_capability = {' '.join(shown)}"

    def new_user(self, name: str = "journal") -> ImapUser:
        """Return a user nobody has seen before, with an empty mailbox."""
        unique = f"{name}-{os.getpid()}-{next(self._numbers)}"
        return self.user(unique)

    def user(self, name: str) -> ImapUser:
        """Return the user of that name."""
        return ImapUser(
            HOST, self.imaps_port, self.ca.ca, name, self.options.password, self.lmtp_port
        )

    def doveadm(self, *words: str) -> bytes:
        """Run ``doveadm`` against this server; return what it says."""
        command = [self._doveadm, "-c", self.root / "dovecot.conf", *words]
        return run(as_ordinary_user(command)).stdout

    def renumber(self, user: ImapUser, folder: str = "INBOX") -> None:
        """Give a folder another UIDVALIDITY; its messages stay."""
        status = self.doveadm("mailbox", "status", "-u", user.name, "uidvalidity", folder)
        uidvalidity = int(status.split(b"uidvalidity=")[1])
        change = ["--uid-validity", str(uidvalidity + 1)]
        self.doveadm("mailbox", "update", "-u", user.name, *change, folder)

    @property
    def pid(self) -> int:
        """The master's process id."""
        return self._server.pid

    def log(self) -> str:
        """Return the server's log."""
        return (self.root / "dovecot.log").read_text(encoding="utf-8", errors="replace")

    def stop(self) -> None:
        """End it and remove all it held."""
        self._server.end()
        self._place.remove()
