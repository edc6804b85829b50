"""Who does what with the archive: the person behind an act, and the event of it.

Rule: an act is written down before it takes effect; what cannot be written down is
refused.  Only an archive that cannot be written at all (a copy for an auditor) is shown
without, and who looks is told so.

The operating system knows the user; a name and a reason are what that user says.
"""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass

from collector.custody.watch import utc_now
from collector.domain.errors import ConfigError
from collector.ledger.ledger import Ledger

TEXT_CHARS_MAX = 200
UNRECORDED = (
    "NOT RECORDED: this archive cannot be written here, so nobody will see that this was done"
)


@dataclass(frozen=True, slots=True)
class Person:
    """Who acts.

    Attributes:
        user: the operating system's name for the real user.
        sudo_user: who became that user by sudo, as sudo says; empty when nobody did.
        name: who it is by his own account (``--as``); may be empty.
        reason: why, by his own account; may be empty.
    """

    user: str
    sudo_user: str = ""
    name: str = ""
    reason: str = ""

    def facts(self) -> dict[str, str]:
        """Return what is known, for an event."""
        told = (("user", self.user), ("sudo_user", self.sudo_user))
        said = (("as", self.name), ("reason", self.reason))
        return {key: value for key, value in (*told, *said) if value}


def person_of(name: str = "", reason: str = "") -> Person:
    """Return who runs this process.

    Args:
        name, reason: what he says of himself.

    Raises:
        ConfigError: they are too long, or hold control characters.
    """
    for key, text in (("--as", name), ("--reason", reason)):
        if len(text) > TEXT_CHARS_MAX or not text.isprintable():
            raise ConfigError(
                f"{key} is longer than {TEXT_CHARS_MAX} characters, or holds unprintable ones",
                subject=key,
                hint="write one short line",
            )
    sudo_user = os.environ.get("SUDO_USER", "")[:TEXT_CHARS_MAX]
    return Person(_user(), sudo_user if sudo_user.isprintable() else "", name, reason)


def _user() -> str:
    number = os.getuid()
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def record_act(ledger: Ledger, person: Person, name: str, /, **keys: object) -> bool:
    """Write an act down; return whether it could be.

    Raises:
        CycleError, IntegrityError: it could not now, so the act must not take place.
    """
    if ledger.read_only:
        return False
    facts: dict[str, object] = {"person": person.facts(), **keys}
    ledger.record_event(name, utc_now(), mailbox="", **facts)
    return True
