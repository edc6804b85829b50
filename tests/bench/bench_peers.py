"""Other programs that empty a mailbox, where they are installed.

Rule: each runs in its own natural configuration, with its own defaults for
durability, and the quickest way it has to delete.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from bench_process import RunError
from bench_programs import Job, Program, output
from bench_server import PASSWORD, give, mail_owner


class Mbsync(Program):
    """isync: pulls all messages, marks its copies as deleted, carries the marks back."""

    name = "mbsync"

    CONFIGURATION = """
IMAPAccount far
Host 127.0.0.1
Port {port}
User {user}
Pass {password}
SSLType None
AuthMechs LOGIN

IMAPStore far
Account far

MaildirStore near
Path {work}/store/
Inbox {work}/store/INBOX

Channel journal
Far :far:INBOX
Near :near:INBOX
Create Near
Sync {sync}
Expunge {expunge}
SyncState *
"""

    def __init__(self) -> None:
        self.path = installed("mbsync", "apt install isync")
        self.version = output(self.path, "--version").split()[1]

    def command(self, job: Job) -> Sequence[str]:
        """Write two channels and a script that runs one after the other."""
        job.directory("store")
        for name, sync, expunge in (("pull", "PullNew", "None"), ("delete", "PushFlags", "Far")):
            text = self.CONFIGURATION.format(
                port=job.port,
                user=job.user,
                password=PASSWORD,
                work=job.work,
                sync=sync,
                expunge=expunge,
            )
            job.write(name, text)
        mark = (
            "import os,sys; d=sys.argv[1]; n=d[:-3]+'cur/'\n"
            "for p in (d, n):\n"
            "  for f in os.listdir(p): os.rename(p+'/'+f, n+f.partition(':')[0]+':2,T')"
        )
        script = job.write(
            "empty.sh",
            f"set -e\n'{self.path}' -q -c pull journal\n"
            f"'{sys.executable}' -c \"{mark}\" store/INBOX/new\n"
            f"'{self.path}' -q -c delete journal\n",
        )
        return ["sh", str(script)]

    def stored(self, job: Job) -> int:
        """Count the files of its Maildir."""
        return count_files(job.work / "store" / "INBOX", "cur", "new")


class Fetchmail(Program):
    """fetchmail: one message after the other into one file (its own BSMTP writer)."""

    name = "fetchmail"

    def __init__(self) -> None:
        self.path = installed("fetchmail", "apt install fetchmail")
        self.version = output(self.path, "--version").split()[4].partition("+")[0]

    def command(self, job: Job) -> Sequence[str]:
        """Write a run control file."""
        script = job.write(
            "fetchmailrc",
            f"poll 127.0.0.1 protocol imap port {job.port} auth password\n"
            f'user "{job.user}" password "{PASSWORD}" fetchall no keep no rewrite sslproto ""\n'
            f'batchlimit 0 fetchlimit 0 bsmtp "{job.work}/messages"\n',
        )
        return [str(self.path), "-s", "-f", str(script), "--pidfile", str(job.work / "pid")]

    def stored(self, job: Job) -> int:
        """Count the reports in the one file."""
        return count_reports(job.work / "messages")


class Getmail(Program):
    """getmail6: one message after the other into a Maildir."""

    name = "getmail6"

    def __init__(self) -> None:
        self.path = installed("getmail", "pip install getmail6 into a venv of its own")

        self.version = output(self.path, "--version").split()[1]

    def command(self, job: Job) -> Sequence[str]:
        """Make a Maildir and write a run control file."""
        for name in ("", "cur", "new", "tmp"):
            give(job.directory(f"store/{name}"))
        as_root = "" if os.getuid() else f"user = {mail_owner().pw_name}\n"  # it refuses to be root
        job.write(
            "getmailrc",
            "[retriever]\ntype = SimpleIMAPRetriever\nserver = 127.0.0.1\n"
            f"port = {job.port}\nusername = {job.user}\npassword = {PASSWORD}\n"
            f"[destination]\ntype = Maildir\npath = {job.work}/store/\n"
            f"{as_root}[options]\nread_all = true\ndelete = true\nverbose = 0\n",
        )
        return [str(self.path), f"--getmaildir={job.work}", "--rcfile=getmailrc"]

    def stored(self, job: Job) -> int:
        """Count the files of its Maildir."""
        return count_files(job.work / "store", "new")


class Imapbackup(Program):
    """imapbackup, as PyPI has it: everything into one mbox; it cannot delete."""

    name = "imapbackup"
    deletes = False

    def __init__(self) -> None:
        self.path = installed("imapbackup3", "pip install imapbackup3 into a venv of its own")
        python = Path(self.path).resolve().with_name("python")
        self.version = output(
            python, "-c", "from importlib.metadata import version as v; print(v('imapbackup3'))"
        ).strip()

    def command(self, job: Job) -> Sequence[str]:
        """Name the mailbox and a file with the password."""
        password = job.write("password", PASSWORD)
        user = ["--user", job.user, "--password", f"@{password}"]
        where = ["--server", "127.0.0.1", "--port", str(job.port), "--folders", "INBOX"]
        return [self.path, *where, *user]

    def stored(self, job: Job) -> int:
        """Count the reports in the mbox."""
        return count_reports(next(job.work.glob("*.mbox")))


PEERS: tuple[Callable[[], Program], ...] = (Mbsync, Fetchmail, Getmail, Imapbackup)


def installed(name: str, remedy: str) -> str:
    """Return the path of a program.

    Raises:
        RunError: it is not there.
    """
    found = shutil.which(name)
    if not found:
        raise RunError(f"{name} is not installed ({remedy})")
    return found


def find_peers() -> tuple[list[Program], list[str]]:
    """Return the programs that are installed, and why the others are not measured."""
    found, missing = [], []
    for peer in PEERS:
        try:
            found.append(peer())
        except RunError as error:
            missing.append(str(error))
    return found, missing


def count_files(directory: Path, *names: str) -> int:
    """Return the number of files in some of its subdirectories."""
    return sum(len(os.listdir(directory / name)) for name in names)  # noqa: PTH208


def count_reports(path: Path) -> int:
    """Return the number of journal reports in a file of messages."""
    with path.open("rb") as file:
        return sum(line.startswith(b"X-MS-Journal-Report:") for line in file)
