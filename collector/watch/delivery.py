"""Tells a receiver something, through apprise: mail, Teams, Slack, webhook, ...

Rule: a receiver's address is a secret, and nothing of it leaves here but its scheme; no
delivery lasts longer than asked, whatever the other side does.

The only module that knows apprise, which is imported with the first delivery.
"""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from collector.domain.alarm import Notice, Severity, Word

DELIVERY_S = 30.0
"""A mail server may greylist, but an answer comes within this."""
REASON_CHARS_MAX = 300
WARNING = 30
"""The level of that name in the standard library: apprise wants its number."""
WITH_HOST = {f"{name}{s}" for name in ("json", "xml", "form", "mailto", "ntfy") for s in ("", "s")}
"""Where the host is a host; elsewhere it may be half of the secret (``slack://TOKEN/...``)."""
LETTERS_MIN = 3
"""Pieces of an address that are shorter cannot be kept out of a reason."""
NOTICES_MAX = 30
"""Of which the text is told; their number is told whole."""
_RANKS = {"success": 0, "info": 1, "warning": 2, "failure": 3}


@dataclass(frozen=True, slots=True)
class Message:
    """What a receiver gets.

    Attributes:
        rank: ``success``, ``info``, ``warning`` or ``failure``: colour and sign of it.
    """

    title: str
    body: str
    rank: str


def message_of(notices: Sequence[Notice], place: str) -> Message:
    """Return one message for all that a receiver is to be told, the worst first.

    Args:
        place: where this program runs.
    """
    notices = sorted(notices, key=lambda each: -_RANKS[_rank(each)])
    headlines = [each.text.partition("\n")[0] for each in notices]
    title = headlines[0] if len(notices) == 1 else f"{len(notices)} notices: {headlines[0]}, ..."
    bodies = [each.text for each in notices[:NOTICES_MAX]]
    if len(notices) > NOTICES_MAX:
        bodies.append(f"and {len(notices) - NOTICES_MAX} more; see `collector alarm list`")
    if len(notices) == 1:
        bodies = [notices[0].text.partition("\n")[2] or notices[0].text]
    return Message(f"[collector on {place}] {title}", "\n\n".join(bodies), _rank(notices[0]))


def _rank(notice: Notice) -> str:
    match notice.word:
        case Word.ALL_CLEAR:
            return "success"
        case Word.SUMMARY | Word.TEST:
            return "info"
        case _:
            return "failure" if notice.severity is Severity.CRITICAL else "warning"


@dataclass(slots=True)
class Courier:
    """Delivers to one receiver, one message at a time."""

    timeout_s: float = DELIVERY_S
    _going_on: threading.Thread | None = field(default=None, init=False)

    @property
    def busy(self) -> bool:
        """Whether the last delivery still goes on: it may arrive though it was given up."""
        return self._going_on is not None and self._going_on.is_alive()

    def deliver(self, url: str, message: Message) -> str:
        """Deliver and return an empty text, or why it could not be.

        Args:
            url: an address as apprise knows it (``mailto://``, ``slack://``, ``json://``).
        """
        if self.busy:
            return "the delivery before has not ended yet"
        reasons: list[str] = []
        thread = threading.Thread(
            target=lambda: reasons.append(_delivered(url, message)), daemon=True
        )
        self._going_on = thread
        thread.start()
        thread.join(self.timeout_s)
        return reasons[0] if reasons else f"not done within {self.timeout_s:g} s"


def _delivered(url: str, message: Message) -> str:
    try:
        import apprise  # noqa: PLC0415 - 20 MB that only deliveries need
    except ImportError:
        return "apprise is not installed"
    asset = apprise.AppriseAsset(app_id="Journal Collector", async_mode=False)
    receiver = apprise.Apprise(asset=asset)
    told = io.StringIO()
    try:
        capture = apprise.LogCapture(level=WARNING, fmt="%(message)s")  # type: ignore[no-untyped-call]
        with capture as captured:
            done = receiver.add(url) and receiver.notify(
                title=message.title,
                body=message.body,
                notify_type=message.rank,
                body_format=apprise.NotifyFormat.TEXT,
            )
            told.write(captured.getvalue())
    except Exception as error:  # noqa: BLE001 - whatever a plugin raises is a failed delivery
        return f"it ended with {type(error).__name__}"
    if done:
        return ""
    if not len(receiver):
        return "the address is none that apprise knows; see its list of services"
    return without_secrets(told.getvalue(), url) or "refused without a reason"


def without_secrets(text: str, url: str) -> str:
    """Return on one line what a library said, without any piece of the address but its scheme.

    Host and port stay where they are such, because they say what to look at.
    """
    parts = urlsplit(url)
    kept = {parts.scheme, (parts.hostname or "").lower() if parts.scheme in WITH_HOST else ""}
    pieces = {unquote(each) for each in re.split(r"[/?&=:@#,;]+", url)} | set(
        re.split(r"[/?&=:@#,;]+", url)
    )
    for piece in sorted(pieces, key=len, reverse=True):
        if len(piece) >= LETTERS_MIN and piece.lower() not in kept and not _is_port(piece, url):
            text = text.replace(piece, "***")
    return " ".join(text.split())[:REASON_CHARS_MAX]


def _is_port(piece: str, url: str) -> bool:
    return piece.isdigit() and f":{piece}" in url and len(piece) <= len("65535")
