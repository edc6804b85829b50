"""A throwaway Dovecot on loopback, and mailboxes that are full again in no time.

Rule: the server is never what is measured.  It stands for a remote machine, so
it syncs nothing and speaks without TLS; every run meets the same mailbox.

A mailbox is filled by hard links to a pool, under a new UIDVALIDITY, so that no
program can remember the run before.
"""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench_pool import FIRST_ARRIVAL_S, Pool

PASSWORD = "bench"
START_S_MAX = 10

CONFIGURATION = """
base_dir = {root}/run
state_dir = {root}/state
log_path = {root}/dovecot.log
protocols = imap
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
first_valid_uid = 1
mail_location = maildir:~/Maildir
mail_fsync = never
mail_max_userip_connections = 100
default_vsz_limit = 0
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={owner.pw_uid} gid={owner.pw_gid} home={root}/users/%u allow_all_users=yes
}}
service imap-login {{
  chroot =
  process_min_avail = 2
  service_count = 0
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
namespace inbox {{
  inbox = yes
}}
"""
"""Dovecot 2.3; any user name may log in."""

ORDINARY_USER = """
default_internal_user = {owner.pw_name}
default_internal_group = {group}
default_login_user = {owner.pw_name}
"""


def mail_owner() -> pwd.struct_passwd:
    """Return who owns the mail: ``mail`` when we are root, because Dovecot wants no root."""
    return pwd.getpwuid(os.getuid()) if os.getuid() else pwd.getpwnam("mail")


def give(path: Path) -> None:
    """Hand a file or directory over to the owner of the mail."""
    owner = mail_owner()
    os.chown(path, owner.pw_uid, owner.pw_gid)


def free_port() -> int:
    """Return a loopback port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True, slots=True)
class Server:
    """A running Dovecot."""

    root: Path
    port: int
    process: subprocess.Popen[bytes]

    def maildir(self, user: str) -> Path:
        """Return where a user's messages lie."""
        return self.root / "users" / user / "Maildir"

    def fill(self, user: str, pool: Pool) -> None:
        """Give a user a mailbox that holds the pool and nothing else."""
        maildir = self.maildir(user)
        shutil.rmtree(maildir, ignore_errors=True)
        for name in ("cur", "new", "tmp"):
            (maildir / name).mkdir(parents=True)
        uids = [f"3 V{time.time_ns() // 10**8 % 2**31} N{pool.count + 1} G{os.urandom(16).hex()}\n"]
        for index, size in enumerate(pool.sizes_bytes):
            name = f"{FIRST_ARRIVAL_S + index}.{index}.bench,S={size},W={size}"
            (maildir / "cur" / f"{name}:2,").hardlink_to(pool.path(index))
            uids.append(f"{index + 1} :{name}\n")
        (maildir / "dovecot-uidlist").write_text("".join(uids), encoding="ascii")
        for path in (maildir.parent, maildir, *maildir.iterdir()):
            give(path)

    def waiting(self, user: str) -> int:
        """Return how many messages the mailbox holds."""
        maildir = self.maildir(user)
        return sum(len(os.listdir(maildir / name)) for name in ("cur", "new"))  # noqa: PTH208


@contextmanager
def running_server(root: Path) -> Iterator[Server]:
    """Run a Dovecot below ``root`` for a block.

    Raises:
        RuntimeError: it does not start; the text is its log.
    """
    for directory in (root / "run", root / "state", root / "users"):
        directory.mkdir(parents=True, exist_ok=True)
    give(root / "users")
    port = free_port()
    owner = mail_owner()
    text = CONFIGURATION.format(root=root, port=port, owner=owner, password=PASSWORD)
    if os.getuid():
        text += ORDINARY_USER.format(owner=owner, group=grp.getgrgid(os.getgid()).gr_name)
    (root / "dovecot.conf").write_text(text, encoding="ascii")
    process = subprocess.Popen([dovecot(), "-F", "-c", str(root / "dovecot.conf")])
    try:
        _await(port, process, root / "dovecot.log")
        yield Server(root, port, process)
    finally:
        process.terminate()
        process.wait()


def dovecot() -> str:
    """Return the path of Dovecot; it is often outside the PATH of ordinary users."""
    return shutil.which("dovecot", path=f"{os.environ['PATH']}:/usr/sbin") or "dovecot"


def _await(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(START_S_MAX * 20):
        if process.poll() is not None:
            break
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            time.sleep(0.05)
        else:
            return
    text = log.read_text(encoding="utf-8") if log.exists() else ""
    raise RuntimeError(f"Dovecot does not start: {text[-2000:]}")
