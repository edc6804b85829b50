r"""Looks at one folder: how messages leave it, who else may, how full it is, what time it is.

Rule: reads only; each step stands for itself and says what it could not see.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from collector.domain.finding import Finding, Grade
from collector.domain.mailbox import Removal, ServerKind
from collector.source.account import Account
from collector.source.client import Client, quoted
from collector.source.refusal import Refused
from collector.source.removal import removal_of
from collector.source.rights import NEEDED, TOO_MUCH, Access, others, read_acl, read_myrights
from collector.source.selecting import Selected, enable_resync, select
from collector.source.server_clock import Skew, clock_skew

QUOTA_WARNING = 0.8
"""A full journal mailbox bounces journal reports: warn early."""
DAYS_LEFT_WARNING = 14.0
SKEW_WARNING_S = 60.0
DAYS_TOLD_MAX = 3650.0

_QUOTA = re.compile(rb"\b(STORAGE|MESSAGE) (\d{1,15}) (\d{1,15})", re.IGNORECASE)


@dataclass(slots=True)
class Look:
    """What is looked at, and what is known of it so far.

    Attributes:
        account: fitted to the server, once it was told which one it is.
        now: the present instant in UTC.
        arrivals_bytes_day: what arrives in a day, ``None`` when not known.
        selected: ``None`` as long as the folder could not be opened.
        server: what kind of server it is.
    """

    account: Account
    folder: str
    now: Callable[[], datetime]
    arrivals_bytes_day: float | None
    selected: Selected | None = None
    server: ServerKind = ServerKind.OTHER

    def finding(self, name: str, grade: Grade, detail: str, hint: str = "") -> Finding:
        """Return a finding about the folder."""
        return Finding(name, f"{self.account.name}:{self.folder}", grade, detail, hint)


def folder(look: Look, client: Client) -> Iterator[Finding]:
    """Open the folder; look at how messages can leave it."""
    look.selected = selected = select(client, look.folder)
    yield look.finding("folder", Grade.OK, f"{selected.exists} messages")
    yield _permanent_flags(look, selected)
    removal, because = removal_of(client, selected, look.account, look.folder)
    if removal is Removal.UID_EXPUNGE and client.has_capability("X-GM-EXT-1"):
        hint = "set deleted_folder to the folder with \\Trash; this server keeps all else"
        yield look.finding("deletion", Grade.WARNING, "only takes a label off", hint)
    elif removal is Removal.REFUSED:
        reason, _, remedy = because.partition("; ")
        yield look.finding("deletion", Grade.FAILED, reason, remedy)
    elif removal is Removal.EXCLUSIVE_EXPUNGE:
        hint = "honest only when no other client uses this mailbox"
        yield look.finding("deletion", Grade.WARNING, "by plain EXPUNGE", hint)
    else:
        yield look.finding("deletion", Grade.OK, f"by {removal.value}")


def _permanent_flags(look: Look, selected: Selected) -> Finding:
    r"""Say whether \Deleted can be set for good; a missing right ``t`` shows here."""
    name = "permanentflags"
    if selected.permanent_flags is None:
        return look.finding(name, Grade.OK, "not told, so all flags can be changed")
    if selected.deletable:
        return look.finding(name, Grade.OK, "\\Deleted is among them")
    hint = "give the account the right t on the folder"
    return look.finding(name, Grade.FAILED, "\\Deleted is not among them", hint)


def rights(look: Look, client: Client) -> Iterator[Finding]:
    """Look at our own rights (RFC 4314, section 3.5)."""
    if not client.has_capability("ACL"):
        return
    for line in client.ask(b"MYRIGHTS " + quoted(look.folder)):
        ours = read_myrights(line)
        if ours is None:
            continue
        missing = [f"{right} ({NEEDED[right]})" for right in NEEDED if right not in ours]
        spare = [f"{right} ({TOO_MUCH[right]})" for right in TOO_MUCH if right in ours]
        if missing:
            hint = "give the account the rights l, r, t and e"
            yield look.finding("rights", Grade.FAILED, f"missing: {', '.join(missing)}", hint)
        elif spare:
            hint = "l, r, t and e are enough; an account with less can do less harm"
            yield look.finding("rights", Grade.WARNING, f"more: {', '.join(spare)}", hint)
        else:
            yield look.finding("rights", Grade.OK, "read, flag and expunge; no more")


def others_rights(look: Look, client: Client) -> Iterator[Finding]:
    """Look at who else can read or delete (RFC 4314, section 3.3)."""
    beyond = "administrators and delegates cannot be seen by any mail client"
    if not client.has_capability("ACL"):
        yield look.finding("others", Grade.WARNING, "cannot be checked: no ACL", beyond)
        return
    try:
        lines = client.ask(b"GETACL " + quoted(look.folder))
    except Refused:
        detail = "cannot be checked: the account may not see the rights of others"
        yield look.finding("others", Grade.WARNING, detail, "check on the server")
        return
    acl = [each for line in lines for each in read_acl(line) or []]
    foreign = others(acl, look.account.username)
    dangerous = [each for each in foreign if each.may_read or each.may_delete]
    for each in dangerous:
        doing = [word for word, may in _doings(each) if may]
        detail = f"{each.who} can {' and '.join(doing)} the journal"
        yield look.finding("others", Grade.WARNING, detail, "take these rights away")
    if not dangerous:
        yield look.finding("others", Grade.OK, f"nobody else can read or delete; {beyond}")


def _doings(access: Access) -> tuple[tuple[str, bool], ...]:
    return ("read", access.may_read), ("delete from", access.may_delete)


def quota(look: Look, client: Client) -> Iterator[Finding]:
    """Look at how full the mailbox is (RFC 9208), and when it would be."""
    if not client.has_capability("QUOTA"):
        return
    worst = 0.0
    days_left = DAYS_TOLD_MAX
    details = []
    for line in client.ask(b"GETQUOTAROOT " + quoted(look.folder)):
        for name, used, limit in _QUOTA.findall(line):
            of_bytes = name.upper() == b"STORAGE"
            details.append(f"{int(used)} of {int(limit)} {'KiB' if of_bytes else 'messages'}")
            worst = max(worst, int(used) / max(int(limit), 1))
            if of_bytes and look.arrivals_bytes_day:
                left_bytes = max(0, int(limit) - int(used)) * 1024
                days_left = min(days_left, left_bytes / look.arrivals_bytes_day)
    if look.arrivals_bytes_day and details:
        details.append(f"full in {days_left:.0f} days if nothing were collected")
    if not details:
        yield look.finding("quota", Grade.OK, "no limit told")
    elif worst >= QUOTA_WARNING or days_left < DAYS_LEFT_WARNING:
        hint = "a full journal mailbox bounces journal reports: raise the quota"
        yield look.finding("quota", Grade.WARNING, ", ".join(details), hint)
    else:
        yield look.finding("quota", Grade.OK, ", ".join(details))


def clock(look: Look, client: Client) -> Iterator[Finding]:
    """Compare the server's clock with ours."""
    if look.selected is None:
        return
    skew = clock_skew(client, look.selected.exists, look.now)
    if not isinstance(skew, Skew):
        yield look.finding("server-clock", Grade.OK, f"not known: {skew}")
        return
    ahead = "ahead of" if skew.server_ahead_s >= 0 else "behind"
    detail = f"{abs(skew.server_ahead_s):.0f} s {ahead} ours"
    if abs(skew.server_ahead_s) <= skew.tolerance_s:
        yield look.finding("server-clock", Grade.OK, "as ours, to some seconds")
    elif abs(skew.server_ahead_s) <= SKEW_WARNING_S:
        yield look.finding("server-clock", Grade.OK, detail)
    else:
        hint = "set both clocks by NTP: times in the archive cannot be mended"
        yield look.finding("server-clock", Grade.WARNING, detail, hint)


def accounting(look: Look, client: Client) -> Iterator[Finding]:
    """Look at how deletions of others can be noticed."""
    enable_resync(client)
    if client.resyncs:
        detail = "the server says what others expunged (QRESYNC)"
    elif look.server.skips_uids:
        detail = f"{look.server.value} skips numbers by itself: a gap says little"
    else:
        detail = "by gaps in the numbers: the server does not say what others expunged"
    yield look.finding("accounting", Grade.OK, detail)


STEPS = (
    ("folder", folder),
    ("rights", rights),
    ("others", others_rights),
    ("quota", quota),
    ("server-clock", clock),
    ("accounting", accounting),
)
"""What is looked at, in order, and what a failure is called."""
