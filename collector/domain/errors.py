"""The error tree, ordered by what must stop.

Every error says what could not be done, to which object, and what to do next.
Rooms translate their library's exceptions into these at their border, and only
``service`` turns them into exit codes.

Texts of errors are logged at INFO and above, so they never carry a password, a
body, a subject or a mail address: name a message by its UID or its digest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collector.domain.custody import Summary


class CollectorError(Exception):
    """Base of all errors of the program.

    Args:
        what: what could not be done, lower case, without a full stop.
        subject: the object it could not be done to (path, UID, mailbox, digest).
        hint: what a person should do next; empty when there is nothing to do.
    """

    def __init__(self, what: str, *, subject: str = "", hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.subject = subject
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.problem} ({self.hint})" if self.hint else self.problem

    @property
    def problem(self) -> str:
        """What could not be done, to which object; without the hint."""
        return f"{self.what}: {self.subject}" if self.subject else self.what


class MessageError(CollectorError):
    """Stops one message: it stays in the mailbox and is set aside."""


class CycleError(CollectorError):
    """Stops this cycle of one mailbox; a later cycle will try again.

    Args:
        retry_after_s: seconds the server asked us to wait, ``None`` when it did
            not say.

    Attributes:
        done: what the cycle had done when it was stopped, ``None`` outside of one.
    """

    def __init__(
        self, what: str, *, subject: str = "", hint: str = "", retry_after_s: float | None = None
    ) -> None:
        super().__init__(what, subject=subject, hint=hint)
        self.retry_after_s = retry_after_s
        self.done: Summary | None = None


class LoginError(CycleError):
    """The server refused the credentials; asked again seldom, so that no account is locked."""


class ThrottledError(CycleError):
    """The server wants to be left alone for a time, which is kept over a restart.

    Args:
        throttle: what it limits, as a short fixed word; one that comes again before
            anything succeeded waits longer.
    """

    def __init__(
        self, what: str, *, subject: str = "", hint: str = "", retry_after_s: float, throttle: str
    ) -> None:
        super().__init__(what, subject=subject, hint=hint, retry_after_s=retry_after_s)
        self.throttle = throttle


class ConfigError(CollectorError):
    """Stops the start: a setting, a permission or a missing migration."""


class IntegrityError(CollectorError):
    """Stops the service: bytes or rows are not what was recorded, or an fsync failed.

    Nothing is deleted from any mailbox after this.
    """
