"""How the program tells what it does: events on standard error, one per line.

Rule: no secret and no byte of a message in any line at any level; no address and no
subject at INFO and above.  The names of all events are in ``EVENTS``.

JSON for journald and files, readable text on a terminal.  Lines of the libraries
have the same form, begin at WARNING (below it imapclient would print bodies) and come
without the values they quote.
A traceback names files, lines and kinds of errors, never values, and never the text
of an error that is not ours: libraries quote what they could not understand.
"""

from __future__ import annotations

import logging
import re
import sys
import traceback
from collections.abc import Iterator
from typing import Literal, TextIO

import structlog
from structlog.stdlib import ProcessorFormatter
from structlog.typing import EventDict, Processor, WrappedLogger

from collector.domain.errors import CollectorError

EVENTS = {
    "alarm.cleared": "the cause of an alarm is gone, and was for ten minutes",
    "alarm.raised": "something lasts, or happened, that a person should know of",
    "alarm.told": "a receiver took what he was to be told",
    "alarm.unseen": "alarms could not be looked for now; tried again",
    "alarm.untold": "a receiver could not be told; tried again after a growing pause",
    "archive.exported": "messages were written out for somebody else",
    "archive.listed": "somebody listed what is in the archive",
    "archive.recovered": "segments had an end that was not committed: taken over or left behind",
    "archive.verified": "messages were read again and compared with ledger, log and segments",
    "archive.verifying": "how far a verification is, where no terminal shows it",
    "backfill.finished": "older mail of the named folders was collected",
    "backfill.started": "older mail of the named folders is being collected",
    "canary.arrived": "the journal copy of a test mail of ours is archived; its grade is final",
    "canary.failed": "canaries could not be sent or looked for; collecting goes on",
    "canary.lost": "the journal copy of a test mail of ours did not come in time",
    "canary.sent": "the mail server took a test mail of ours",
    "canary.unsent": "the mail server did not take a test mail of ours; tried again",
    "checkpoint.shown": "an authority or an anchor outside has the newest checkpoint",
    "checkpoint.unseen": "an authority or an anchor outside could not be reached; tried again",
    "checkpoints.thinned": "old checkpoints that nobody outside holds were removed",
    "checkpoints.unthinned": "old checkpoints could not be removed now; tried again",
    "clock.jumped": "the clock was set: times before and after cannot be compared",
    "collect.finished": "the mailboxes were emptied once, by hand or by a timer",
    "config.changed": "settings differ from those last in effect; secrets are hidden",
    "custody.broken": "stored bytes are not what was recorded, or an fsync failed; all stops",
    "cycle.failed": "a mailbox could not be worked off now; it is tried again after a pause",
    "cycle.finished": "a folder was worked off; at debug when there was nothing to do",
    "day.summarised": "the figures of the last day",
    "index.derived": "from an entry on, envelopes are read by another version or other settings",
    "ledger.rebuilt": "a new ledger was made from the segments",
    "log.behind": "events could not be put into the log, or its head not be signed; tried again",
    "log.continued": "a day went by; there is a checkpoint for it though nothing else happened",
    "log.key_changed": "checkpoints are signed with another key from here on",
    "mailbox.gap": "UIDs were given out that were never listed: arrived and removed between polls?",
    "mailbox.refused": "archived and proven, but the mailbox does not let messages go",
    "mailbox.renumbered": "UIDVALIDITY changed; everything in it is collected again",
    "mailbox.restored": "the server's next UID fell; nothing is deleted in this cycle",
    "mailbox.throttled": "the server asked an earlier run to be left alone, and is",
    "mailbox.unsurveyed": "quota and certificate could not be looked at; tried again in an hour",
    "mailbox.unwatched": "nobody looked into a mailbox for a long time",
    "message.cleared": "proof and intent to delete are written down, the deletion is asked for",
    "message.committed": "a message is ours: durable in a segment, named by the ledger",
    "message.flagged": "somebody else set flags on messages: others work in the mailbox",
    "message.quarantined": "archived, but its envelope was not understood",
    "message.replaced": "a UID names another message than the proven one; that one is left alone",
    "message.set_aside": "the server would not hand a message over; it stays in the mailbox",
    "message.vanished": "a message left the mailbox without us",
    "message.viewed": "somebody looked at a message",
    "metrics.exposed": "figures are served to others than this machine, without TLS and login",
    "metrics.failed": "figures could not be served, or not be read; collecting goes on",
    "metrics.served": "figures are served for Prometheus",
    "ping.failed": "whoever watches from outside could not be reached; tried after the next cycle",
    "ping.sent": "whoever watches from outside was told that a cycle went well",
    "proof.written": "the proof of one message was written out for somebody else",
    "report.written": "somebody had a completeness report made",
    "segment.kept": "a full segment could not be sealed now; it is read as it is and tried again",
    "segment.sealed": "a full segment was rewritten, proven and closed for ever",
    "server.alerted": "the mail server says what a person must read (RFC 9051, section 7.1)",
    "service.failed": "the service stops because of an error that is not the archive's",
    "service.reload_failed": "the new configuration is wrong; the old one stays in effect",
    "service.reloaded": "the new configuration is in effect",
    "service.started": "the mailboxes are being watched",
    "service.stopped": "every mailbox finished its current message; nothing is running",
    "worker.lost": "the process that unwraps beside this one is gone: unwrapped here from now on",
}
"""Every event of the program and what it means."""

LIBRARIES = (
    "imapclient", "imaplib", "apscheduler", "peewee", "msal", "google", "requests", "urllib3",
)  # fmt: skip
SILENT = ("apprise",)
"""Libraries whose lines may quote an address that is a secret."""
SECRET = {"authorization", "body", "credential", "literal", "password", "raw", "secret", "token"}
PERSONAL = {"address", "header", "recipient", "recipients", "sender", "subject", "username"}
HIDDEN = "<hidden>"
ADDRESS = re.compile(r"[^\s@<>\"'(),;:]+@[^\s@<>\"'(),;:]+")
TEXT_CHARACTERS_MAX = 8000
"""journald cuts a line at 48 KiB (journald.conf(5), LineMax=)."""
CAUSES_MAX = 3
FRAMES_MAX = 20


def configure(
    level: Literal["debug", "info", "warning", "error"],
    form: Literal["auto", "json", "console"],
    stream: TextIO | None = None,
) -> None:
    """Set the log up; the last call counts.

    Args:
        level: least level of our own events; libraries begin at WARNING or above it.
        form: ``auto`` is ``console`` on a terminal and ``json`` elsewhere.
        stream: where to write; standard error when not given.
    """
    stream = stream or sys.stderr
    on_terminal = form == "console" or (form == "auto" and stream.isatty())
    stamped: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *stamped,
            ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        ProcessorFormatter(
            foreign_pre_chain=stamped,
            use_get_message=False,  # a library's words, without the values it quotes
            processors=[
                ProcessorFormatter.remove_processors_meta,
                place_errors,
                hide,
                _console(stream) if on_terminal else structlog.processors.JSONRenderer(),
            ],
        )
    )
    _attach(handler, logging.getLevelName(level.upper()))


def _console(stream: TextIO) -> Processor:
    plain = structlog.dev.plain_traceback
    return structlog.dev.ConsoleRenderer(colors=stream.isatty(), exception_formatter=plain)


def _attach(handler: logging.Handler, level: int) -> None:
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(max(level, logging.WARNING))
    logging.getLogger("collector").setLevel(level)
    for name in LIBRARIES:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
    for name in SILENT:
        logging.getLogger(name).propagate = False


def place_errors(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Replace an exception by the kinds of errors and the lines they came through."""
    found = event.pop("exc_info", None)
    if found is True:
        found = sys.exc_info()
    error = found[1] if isinstance(found, tuple) else found
    if isinstance(error, BaseException):
        event["exception"] = "\n".join(each for cause in _causes(error) for each in _placed(cause))
    return event


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what led to it."""
    following: BaseException | None = error
    for _ in range(CAUSES_MAX):
        if following is None:
            return
        yield following
        hidden = following.__suppress_context__
        following = following.__cause__ or (None if hidden else following.__context__)


def _placed(error: BaseException) -> Iterator[str]:
    """Yield the kind of an error and the frames it came through, innermost first."""
    text = f": {error}" if isinstance(error, CollectorError) else ""
    yield f"{type(error).__module__}.{type(error).__qualname__}{text}"
    frames = traceback.StackSummary.extract(
        traceback.walk_tb(error.__traceback__), lookup_lines=False
    )
    for frame in list(reversed(frames))[:FRAMES_MAX]:
        yield f"  {frame.filename}:{frame.lineno} in {frame.name}"


def hide(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Hide what must not be told, whoever wrote the line; the last guard, not the first."""
    personal = event.get("level") != "debug"
    return {key: _shown(key, value, personal=personal) for key, value in event.items()}


def _shown(key: str, value: object, *, personal: bool) -> object:
    """Return ``value`` as it may be told; figures always may."""
    if value is None or isinstance(value, bool | int | float):
        return value
    words = set(key.lower().split("_"))
    if words & SECRET or (personal and words & PERSONAL):
        return HIDDEN
    match value:
        case bytes() | bytearray() | memoryview():
            return f"<{len(value)} bytes>"
        case dict():
            return {each: _shown(str(each), it, personal=personal) for each, it in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_shown("", each, personal=personal) for each in value]
    return _text(str(value), personal=personal)


def _text(text: str, *, personal: bool) -> str:
    if len(text) > TEXT_CHARACTERS_MAX:
        text = f"{text[:TEXT_CHARACTERS_MAX]}…"
    return ADDRESS.sub("<address>", text) if personal else text
