"""A throwaway Cyrus IMAP on loopback, from unpacked Debian packages, without root."""

from __future__ import annotations

import imaplib
import itertools
import os
import re

from debian_packages import library_path, unpack
from imap_eyes import PASSWORD, ImapUser
from throwaway import HOST, Place, Server, free_ports, run, user_and_group
from throwaway_ca import make_ca

DIRECTORIES = (
    "proc", "lock", "db", "socket", "log", "user", "quota", "msg", "ptclient", "sieve",
)  # fmt: skip
IMAPD_CONF = """\
configdirectory: @root@/conf
proc_path: @root@/conf/proc
mboxname_lockpath: @root@/conf/lock
defaultpartition: default
partition-default: @root@/spool
cyrus_user: @user@
cyrus_group: @group@
admins: admin
altnamespace: yes
unixhierarchysep: yes
virtdomains: off
servername: localhost
defaultdomain: localhost
sasl_pwcheck_method: auxprop
sasl_auxprop_plugin: sasldb
sasl_sasldb_path: @root@/sasldb2
sasl_mech_list: PLAIN
allowplaintext: yes
autocreate_quota: -1
expunge_mode: @expunge_mode@
duplicatesuppression: no
munge8bit: no
idlesocket: @root@/conf/socket/idle
notifysocket: @root@/conf/socket/notify
tls_server_cert: @root@/server.pem
tls_server_key: @root@/server.key
tls_versions: tls1_2 tls1_3
tls_session_timeout: 0
syslog_prefix: journal-collector-test
"""
CYRUS_CONF = """\
START {
  recover cmd="@bin@/ctl_cyrusdb -C @root@/imapd.conf -r"
}
SERVICES {
  imap  cmd="@bin@/imapd -C @root@/imapd.conf" listen="127.0.0.1:@imap_port@" prefork=0
  imaps cmd="@bin@/imapd -C @root@/imapd.conf -s" listen="127.0.0.1:@imaps_port@" prefork=0
}
EVENTS {
}
"""


class CyrusServer:
    """One running server."""

    def __init__(self, expunge_mode: str = "delayed") -> None:
        self._expunge_mode = expunge_mode
        self._numbers = itertools.count(1)
        self._place = Place("cyrus")
        self.root = self._place.root
        self._programs = self.root / "root"
        unpack(self._programs, "cyrus-imapd", "sasl2-bin", "libsasl2-modules-db")
        self._bin = self._programs / "usr/lib/cyrus/bin"
        self.ca = make_ca(self.root)
        self._environment = {
            **os.environ,
            "LD_LIBRARY_PATH": library_path(self._programs),
            "SASL_PATH": str(next(self._programs.rglob("sasl2/libsasldb.so")).parent),
        }
        self._configure()
        self._start()

    def _configure(self) -> None:
        for name in ("", *DIRECTORIES):
            (self.root / "conf" / name).mkdir(exist_ok=True)
        (self.root / "spool/stage.").mkdir(parents=True)
        add = self._programs / "usr/sbin/saslpasswd2"
        for user in ("journal", "admin"):
            command = [add, "-p", "-c", "-f", self.root / "sasldb2", "-u", "localhost", user]
            run(command, input=PASSWORD.encode(), env=self._environment)

    def _start(self) -> None:
        self.imaps_port, self.imap_port = free_ports(2)
        user, group = user_and_group()
        facts = {
            "root": self.root,
            "bin": self._bin,
            "user": user,
            "group": group,
            "imap_port": self.imap_port,
            "imaps_port": self.imaps_port,
            "expunge_mode": self._expunge_mode,
        }
        for name, text in (("imapd.conf", IMAPD_CONF), ("cyrus.conf", CYRUS_CONF)):
            filled = re.sub(r"@(\w+)@", lambda found: str(facts[found[1]]), text)
            (self.root / name).write_text(filled, encoding="ascii")
        self._place.give()
        command = [self._bin / "master", "-C", self.root / "imapd.conf"]
        command += ["-M", self.root / "cyrus.conf", "-p", self.root / "master.pid"]
        environment = {**self._environment, "CYRUS_VERBOSE": "1"}
        self._server = Server(command, self.root / "start.log", env=environment)
        assert self._server.listens([self.imaps_port, self.imap_port]), self._server.said()
        client = imaplib.IMAP4("127.0.0.1", self.imap_port, timeout=30)
        client.login("admin", PASSWORD)
        kind, answer = client.create("user/journal")
        assert kind == "OK", answer
        client.logout()

    def user(self) -> ImapUser:
        """Return the one user."""
        return ImapUser(HOST, self.imaps_port, self.ca.ca, "journal")

    def new_folder(self) -> str:
        """Make a folder nobody has seen before; return its name."""
        name = f"T{next(self._numbers)}"
        self.user().command("CREATE", name, folder=None)
        return name

    def stop(self) -> None:
        """End it and remove all it held."""
        self._server.end()
        self._place.remove()
