"""Looks at a mailbox before it is collected: ``collector check``.

Rule: changes nothing, and goes on after a failure as long as the connection stands.
What no client can check (administrators, master users, delegates) is said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from collector.domain.errors import CollectorError
from collector.domain.finding import Finding, Grade
from collector.domain.mailbox import Removal
from collector.source.account import Account
from collector.source.client import Client, quoted
from collector.source.connection import select
from collector.source.lines import QUOTA
from collector.source.refusal import SERVER_FAULTS, Complaints, LoginRefused, Refused
from collector.source.removal import removal_of
from collector.source.rights import (
    NEEDED,
    TOO_MUCH,
    Access,
    others,
    read_acl,
    read_myrights,
)

QUOTA_WARNING = 0.8
"""A full journal mailbox bounces journal reports: warn early."""

_HINT = "run `collector check` again; if it stays, look at the server's log"
_HINTS = {
    "uidplus": "see the finding on deletion",
    "idle": "the mailbox is polled; new mail is collected at the next poll",
}
_SUPPORT = {
    b"UIDPLUS": "messages are removed one by one (UID EXPUNGE)",
    b"MOVE": "messages can be moved away",
    b"IDLE": "new mail is told of at once",
}


def probe(account: Account, folder: str) -> Iterator[Finding]:
    """Yield one finding after the other for a folder of ``account``."""
    probed = _Probe(account, folder)
    try:
        for step in (probed.connection, probed.login, probed.capabilities, probed.folder):
            yield from probed.looked(step)
        for step in (probed.rights, probed.others, probed.quota):
            yield from probed.looked(step)
    finally:
        probed.close()


class _Probe:
    """One look at one folder over one connection."""

    def __init__(self, account: Account, folder: str) -> None:
        self._account = account
        self._folder = folder
        self._client: Client | None = None
        self._lost = False

    def looked(self, step: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
        """Yield what a step finds; a failure is a finding too."""
        if self._lost:
            return
        try:
            yield from step()
        except (CollectorError, *SERVER_FAULTS) as error:
            self._lost = not isinstance(error, Refused) or isinstance(error, LoginRefused)
            subject = f"{self._folder} of {self._account}"
            name = step.__name__
            told = Complaints().translated(error, "this cannot be checked", subject)
            yield self._finding(name, Grade.FAILED, told.what, told.hint or _HINT)

    def close(self) -> None:
        """End the connection."""
        if self._client is not None:
            self._client.wire.shutdown()

    @property
    def _connected(self) -> Client:
        assert self._client is not None, "the first step connects"  # noqa: S101
        return self._client

    def connection(self) -> Iterator[Finding]:
        """Connect; look at TLS."""
        self._client = Client(self._account)
        version = getattr(self._client.wire.sock, "version", lambda: None)()
        detail = f"{version}, certificate verified" if version else "plain, on loopback"
        yield self._finding("connection", Grade.OK, detail)

    def login(self) -> Iterator[Finding]:
        """Log in."""
        self._connected.log_in()
        yield self._finding("login", Grade.OK, "accepted")

    def capabilities(self) -> Iterator[Finding]:
        """Look at what the server offers."""
        for capability, meaning in _SUPPORT.items():
            name = capability.decode().lower()
            if self._connected.has_capability(capability):
                yield self._finding(name, Grade.OK, meaning)
            elif capability != b"MOVE":
                yield self._finding(name, Grade.WARNING, "not offered by the server", _HINTS[name])

    def folder(self) -> Iterator[Finding]:
        """Select the folder; look at how messages can leave it."""
        selected = select(self._connected, self._folder)
        yield self._finding("folder", Grade.OK, f"{selected.exists} messages")
        removal, because = removal_of(self._connected, selected, self._account)
        if removal is Removal.UID_EXPUNGE and self._connected.has_capability("X-GM-EXT-1"):
            hint = "set deleted_folder to the folder with \\Trash; this server keeps all else"
            yield self._finding("deletion", Grade.WARNING, "only takes a label off", hint)
            return
        if removal is Removal.REFUSED:
            reason, _, remedy = because.partition("; ")
            yield self._finding("deletion", Grade.FAILED, reason, remedy)
        elif removal is Removal.EXCLUSIVE_EXPUNGE:
            hint = "honest only when no other client uses this mailbox"
            yield self._finding("deletion", Grade.WARNING, "by plain EXPUNGE", hint)
        else:
            yield self._finding("deletion", Grade.OK, f"by {removal.value}")

    def rights(self) -> Iterator[Finding]:
        """Look at our own rights (RFC 4314, section 3.5)."""
        if not self._connected.has_capability("ACL"):
            return
        for line in self._connected.ask(b"MYRIGHTS " + quoted(self._folder)):
            ours = read_myrights(line)
            if ours is None:
                continue
            missing = [f"{right} ({NEEDED[right]})" for right in NEEDED if right not in ours]
            spare = [f"{right} ({TOO_MUCH[right]})" for right in TOO_MUCH if right in ours]
            if missing:
                hint = "give the account the rights l, r, t and e"
                detail = f"missing: {', '.join(missing)}"
                yield self._finding("rights", Grade.FAILED, detail, hint)
            elif spare:
                hint = "l, r, t and e are enough; an account with less can do less harm"
                yield self._finding("rights", Grade.WARNING, f"more: {', '.join(spare)}", hint)
            else:
                yield self._finding("rights", Grade.OK, "read, flag and expunge; no more")

    def others(self) -> Iterator[Finding]:
        """Look at who else can read or delete (RFC 4314, section 3.3)."""
        beyond = "administrators and delegates cannot be seen by any mail client"
        if not self._connected.has_capability("ACL"):
            yield self._finding("others", Grade.WARNING, "cannot be checked: no ACL", beyond)
            return
        try:
            acl = self._acl()
        except Refused:
            detail = "cannot be checked: the account may not see the rights of others"
            yield self._finding("others", Grade.WARNING, detail, "check on the server")
            return
        foreign = others(acl, self._account.username)
        dangerous = [each for each in foreign if each.may_read or each.may_delete]
        for each in dangerous:
            doing = [word for word, may in _doings(each) if may]
            detail = f"{each.who} can {' and '.join(doing)} the journal"
            yield self._finding("others", Grade.WARNING, detail, "take these rights away")
        if not dangerous:
            yield self._finding("others", Grade.OK, "nobody else can read or delete", beyond)

    def _acl(self) -> list[Access]:
        lines = self._connected.ask(b"GETACL " + quoted(self._folder))
        return [each for line in lines for each in read_acl(line) or []]

    def quota(self) -> Iterator[Finding]:
        """Look at how full the mailbox is (RFC 9208)."""
        if not self._connected.has_capability("QUOTA"):
            return
        worst = 0.0
        details = []
        for line in self._connected.ask(b"GETQUOTAROOT " + quoted(self._folder)):
            for name, used, limit in QUOTA.findall(line):
                unit = "KiB" if name.upper() == b"STORAGE" else "messages"
                details.append(f"{int(used)} of {int(limit)} {unit}")
                worst = max(worst, int(used) / max(int(limit), 1))
        if not details:
            yield self._finding("quota", Grade.OK, "no limit told")
        elif worst >= QUOTA_WARNING:
            hint = "a full journal mailbox bounces journal reports: raise the quota"
            yield self._finding("quota", Grade.WARNING, ", ".join(details), hint)
        else:
            yield self._finding("quota", Grade.OK, ", ".join(details))

    def _finding(self, name: str, grade: Grade, detail: str, hint: str = "") -> Finding:
        return Finding(name, f"{self._account.name}:{self._folder}", grade, detail, hint)


def _doings(access: Access) -> tuple[tuple[str, bool], ...]:
    return ("read", access.may_read), ("delete from", access.may_delete)
