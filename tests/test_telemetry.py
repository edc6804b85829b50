"""What a log line looks like, and what never stands in one."""

from __future__ import annotations

import imaplib
import io
import json
import logging
from pathlib import Path

import imapclient.imapclient
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from collector.domain.errors import CycleError, IntegrityError
from collector.telemetry import EVENTS, HIDDEN, LIBRARIES, TEXT_CHARACTERS_MAX, configure, hide

SOURCES = Path(__file__).resolve().parent.parent / "collector"
SECRET = "correct-horse-battery"
BODY = b"Dear Sir, the price is 4711 Euro."
log = structlog.get_logger("collector.tests")


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


@pytest.fixture(autouse=True)
def _log_as_before():
    """Leave the process's log as it was found."""
    root = logging.getLogger()
    loggers = [logging.getLogger(name) for name in ("collector", *LIBRARIES)]
    handlers, levels = root.handlers[:], [each.level for each in (root, *loggers)]
    yield
    root.handlers = handlers
    for logger, level in zip((root, *loggers), levels, strict=True):
        logger.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def told():
    """Return a function that sets the log up and gives back where it is written to."""

    def start(level="info", form="auto", stream=None):
        stream = stream or io.StringIO()
        configure(level, form, stream)
        return stream

    return start


def test_an_event_is_one_json_line(told):
    """Elsewhere than on a terminal an event is one JSON object with time, level and keys."""
    stream = told()
    log.info("message.committed", uid=7, size_bytes=123)
    (line,) = stream.getvalue().splitlines()
    facts = json.loads(line)
    assert facts.pop("timestamp").endswith("Z")
    assert facts == {
        "event": "message.committed",
        "level": "info",
        "logger": "collector.tests",
        "uid": 7,
        "size_bytes": 123,
    }


@pytest.mark.parametrize(
    ("form", "stream", "is_json"),
    [
        ("auto", io.StringIO, True),
        ("auto", Terminal, False),
        ("json", Terminal, True),
        ("console", io.StringIO, False),
    ],
)
def test_the_form_follows_the_terminal(told, form, stream, is_json):
    """``auto`` is text for people on a terminal; the other two are what they say."""
    stream = told(form=form, stream=stream())
    log.info("service.started")
    assert stream.getvalue().startswith("{") is is_json
    assert "service.started" in stream.getvalue()


def test_standard_error_is_the_default(capsys):
    """Logs go to standard error; standard output is for results."""
    configure("info", "json")
    log.info("service.started")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "service.started" in captured.err


def test_the_level_is_kept(told):
    """Events below the level are not told."""
    stream = told("warning")
    log.info("message.committed")
    log.warning("message.set_aside")
    (line,) = stream.getvalue().splitlines()
    assert json.loads(line)["event"] == "message.set_aside"


def test_the_last_set_up_counts(told):
    """Setting the log up again does not double the lines."""
    told()
    stream = told()
    log.info("service.started")
    assert stream.getvalue().count("service.started") == 1


def test_keys_of_the_context_are_told(told):
    """What is bound around the work stands in every line of it."""
    stream = told()
    with structlog.contextvars.bound_contextvars(mailbox="journal"):
        log.info("cycle.finished")
    assert json.loads(stream.getvalue())["mailbox"] == "journal"


@pytest.mark.parametrize("level", ["debug", "info"])
def test_libraries_do_not_tell_bodies(told, level):
    """What imapclient writes at DEBUG and INFO, bodies included, is not told at any level."""
    stream = told(level)
    imapclient.imapclient.logger.debug("< %r", BODY)
    logging.getLogger("apscheduler.scheduler").info("Added job %s", SECRET)
    logging.getLogger("peewee").debug(("INSERT", [BODY]))
    logging.getLogger("something.else").debug(BODY)
    assert stream.getvalue() == ""


def test_libraries_warn_without_values(told):
    """A warning of a library is told in our form, without the values it quotes."""
    stream = told()
    imapclient.imapclient.logger.warning("decoding %s failed", BODY)
    facts = json.loads(stream.getvalue())
    assert (facts["event"], facts["level"]) == ("decoding %s failed", "warning")
    assert facts["logger"].startswith("imapclient")
    assert BODY.decode() not in stream.getvalue()


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_traceback_has_places_and_no_values(told, form):
    """Neither the local variables nor the words of a foreign error are told; ours are."""
    stream = told("debug", form)

    def read(password):
        raise imaplib.IMAP4.abort(f"unexpected response: {BODY!r} {password}")

    def fetch(password):
        try:
            read(password)
        except imaplib.IMAP4.abort as error:
            raise CycleError("the connection broke", subject="journal:INBOX") from error

    try:
        fetch(SECRET)
    except CycleError as error:
        log.critical("service.failed", exc_info=error)
    text = stream.getvalue()
    assert "collector.domain.errors.CycleError: the connection broke: journal:INBOX" in text
    assert "imaplib.IMAP4.abort" in text
    assert f"{__file__}:" in text
    assert "in fetch" in text
    assert SECRET not in text
    assert "4711" not in text


def test_an_error_in_flight_is_placed(told):
    """``exc_info=True`` and the libraries' own way of telling an error are treated alike."""
    stream = told()
    try:
        int(SECRET)
    except ValueError:
        log.exception("service.failed")
        logging.getLogger("apscheduler.executors.default").exception("Job %s raised", SECRET)
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [each["exception"].split("\n")[0] for each in lines] == ["builtins.ValueError"] * 2
    assert SECRET not in stream.getvalue()


def test_causes_without_end_are_cut(told):
    """However long the chain of causes, the line stays within what journald takes."""
    stream = told()
    error: BaseException = IntegrityError("x" * 50_000)
    for _ in range(1000):
        following = CycleError("y" * 50_000)
        following.__cause__ = error
        error = following
    log.critical("custody.broken", error="z" * 100_000, exc_info=error)
    assert len(stream.getvalue()) < 3 * TEXT_CHARACTERS_MAX < 48 * 1024


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error", "critical"])
@pytest.mark.parametrize(
    "keys",
    [
        {"password": SECRET},
        {"imap_password": SECRET},
        {"raw": SECRET},
        {"body": SECRET},
        {"literal": [SECRET]},
        {"facts": {"token": SECRET}},
        {"anything": SECRET.encode()},
        {"anything": {"nested": [memoryview(SECRET.encode())]}},
    ],
)
def test_secrets_and_bytes_are_hidden_at_every_level(told, level, keys):
    """A value under the name of a secret, and any bytes, are not told even at DEBUG."""
    stream = told("debug")
    getattr(log, level)("cycle.failed", **keys)
    assert json.loads(stream.getvalue())["event"] == "cycle.failed"
    assert SECRET not in stream.getvalue()


@pytest.mark.parametrize("level", ["info", "warning", "error", "critical"])
@pytest.mark.parametrize(
    "keys",
    [
        {"subject": "Offer 4711"},
        {"envelope": {"sender": "Offer 4711"}},
        {"recipients": ["Offer 4711"]},
        {"error": "login refused for 4711@example.net (see log)"},
        {"hint": "<4711@example.net>"},
        {"detail": ["to:4711@example.net"]},
    ],
)
def test_subjects_and_addresses_are_hidden_at_info(told, level, keys):
    """At INFO and above a subject or an address is hidden, wherever it stands."""
    stream = told()
    getattr(log, level)("cycle.failed", **keys)
    assert "cycle.failed" in stream.getvalue()
    assert "4711" not in stream.getvalue()


def test_counts_are_not_personal(told):
    """Figures are told under any name."""
    stream = told()
    log.info("message.committed", recipients_count=3, body_bytes=4711, raw=0, subject=None)
    facts = json.loads(stream.getvalue())
    assert (facts["recipients_count"], facts["body_bytes"], facts["raw"]) == (3, 4711, 0)


json_like = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text() | st.binary() | st.just(Path("/x")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), json_like), st.sampled_from(["debug", "info"]))
def test_any_value_can_be_told(keys, level):
    """Whatever is logged becomes JSON; the guard never raises and hides secrets in any nest."""
    event = {**keys, "event": "x", "level": level, "secret": keys}
    shown = hide(None, "", event)
    assert shown["secret"] == HIDDEN
    json.dumps(shown)


def test_every_event_of_the_table_is_emitted():
    """The table explains nothing that the program never tells."""
    sources = [path for path in SOURCES.rglob("*.py") if path.name != "telemetry.py"]
    text = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    assert [name for name in EVENTS if f'"{name}"' not in text] == []


def test_events_are_named_as_a_noun_and_what_happened_to_it():
    """Names are ``noun.past_participle`` in lower case, sorted in the table."""
    assert list(EVENTS) == sorted(EVENTS)
    assert all(name.replace(".", "").replace("_", "").islower() for name in EVENTS)
    assert all(name.count(".") == 1 for name in EVENTS)
