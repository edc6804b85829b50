# ruff: noqa: S608 - the statements are ours
"""A row that tells another envelope than the message does is found, and named.

What the log accounts for (other settings, another version) is told apart.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest
from collector_program import Collector
from sample_mail import mixed, plain, report
from taking import NOW, arrivals, take

from collector.config import load
from collector.service.assemble import open_house
from collector.service.selection import Wanted
from collector.service.verify import Verified, verify

REPORT, COPY, DUPLICATE, NESTED, LARGE, CHANGED_LATER = 2, 3, 5, 6, 7, 8
MAILBOX = (
    'name = "journal"\nhost = "127.0.0.1"\nusername = "journal@example.net"\n'
    'password_env = "HOME"\n'
)


def nested(number: int) -> bytes:
    """Return a report whose original is a report itself."""
    outer = report(number)
    start, end = outer.index(plain(number)), outer.index(plain(number)) + len(plain(number))
    return outer[:start] + report(number + 100) + outer[end:]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Take messages in, the last of them in a run of its own; return the home of the program."""
    home = tmp_path_factory.mktemp("index") / "home"
    home.mkdir()
    Collector(home).configure(MAILBOX)
    settings = load(home / "collector.toml")
    first = [*mixed(4), report(1), nested(6), report(7, 2_000_000)]
    with open_house(settings) as house:
        take(house, 1, first)
    with open_house(settings) as house:
        take(house, 8, [plain(8)])
    return home


@pytest.fixture
def archived(made: Path, tmp_path: Path) -> Collector:
    """Return the program with a copy of the archive, to be tampered with."""
    shutil.copytree(made, tmp_path / "home")
    program = Collector(tmp_path / "home")
    program.configure(MAILBOX)
    return program


def tamper(program: Collector, sql: str) -> None:
    """Change the ledger with another program."""
    command = ["sqlite3", program.archive / "ledger.db", f"PRAGMA foreign_keys = 0; {sql}"]
    subprocess.run(command, check=True)


def verified(program: Collector, **wanted: object) -> Verified:
    """Verify within this process."""
    settings = load(program.home / "collector.toml")
    return verify(settings, Wanted(**wanted), lambda _done, _total: None)


def named(told: Verified) -> list[tuple[int | None, str]]:
    """Return the entries whose index is damaged, each with what differs."""
    lead, tail = "the index tells another envelope of it than its bytes (", "); `collector"
    return [
        (each.seq, each.what.removeprefix(lead).split(tail)[0])
        for each in told.problems
        if each.what.startswith(lead)
    ]


def test_the_archive_as_it_was_made_is_sound(archived: Collector) -> None:
    """In full, by sample and by day; a duplicate, a nested report and a large one are in it."""
    for wanted in ({}, {"sample": 3}, {"anew": True}):
        told = verified(archived, **wanted)
        assert (told.problems, told.otherwise.count, told.uncompared.count) == ([], 0, 0)
    question = (
        "SELECT (SELECT COUNT(*) FROM nested_envelopes), (SELECT MAX(size_bytes) FROM receipts)"
    )
    command = ["sqlite3", archived.archive / "ledger.db", question]
    count, size_bytes = subprocess.check_output(command, text=True).split("|")
    assert (int(count), int(size_bytes) > 1024 * 1024) == (1, True)


LAST = "(SELECT MAX(position) FROM recipients WHERE seq = {0})"
CHANGES = [
    (REPORT, "UPDATE envelopes SET sender = 'mallory@example.org' WHERE seq = {0}", "sender"),
    (COPY, "UPDATE envelopes SET subject = 'another' WHERE seq = {0}", "subject"),
    (REPORT, "UPDATE envelopes SET subject = CAST(x'ff' AS TEXT) WHERE seq = {0}", "unreadable"),
    (REPORT, "UPDATE envelopes SET kind = 'nonsense' WHERE seq = {0}", "kind"),
    (REPORT, "UPDATE envelopes SET trust = 'verified' WHERE seq = {0}", "trust"),
    (REPORT, "UPDATE envelopes SET message_digest = 'ab' WHERE seq = {0}", "message_digest"),
    (REPORT, ("UPDATE recipients SET address = 'mallory@example.org'"
     " WHERE seq = {0} AND kind = 'bcc'"), "recipients"),
    (DUPLICATE, "UPDATE recipients SET kind = 'to' WHERE seq = {0} AND kind = 'bcc'",
     "recipients"),
    (REPORT, "UPDATE recipients SET via = '[' WHERE seq = {0}", "recipients"),
    (LARGE, ("DELETE FROM recipients WHERE seq = {0} AND kind = 'bcc';"
     "UPDATE envelopes SET recipients_count = recipients_count - 1 WHERE seq = {0}"),
     "recipients_count, recipients"),
    (REPORT, ("INSERT INTO recipients SELECT seq, position + 1, envelope, 'mallory@example.org',"
     " kind, via, source, derived, level, undisclosed FROM recipients WHERE seq = {0}"
     " AND position = " + LAST), "recipients"),
    (REPORT, "UPDATE originals SET offset = offset + 1 WHERE seq = {0}", "originals"),
    (REPORT, "DELETE FROM originals WHERE seq = {0}", "originals"),
    (NESTED, "UPDATE nested_envelopes SET sender = 'mallory@example.org' WHERE seq = {0}",
     "nested_envelopes"),
    (NESTED, "INSERT INTO flags VALUES ({0}, 98, 'nothing-to-see')", "flags"),
    (REPORT, "DELETE FROM envelopes WHERE seq = {0}", "envelope"),
    (CHANGED_LATER, "UPDATE envelopes SET sender = 'mallory@example.org' WHERE seq = {0}",
     "sender"),
]  # fmt: skip


@pytest.mark.parametrize(("seq", "sql", "names"), CHANGES, ids=[each[1][:56] for each in CHANGES])
def test_a_changed_index_is_found(archived: Collector, seq: int, sql: str, names: str) -> None:
    """The entry is named, with what differs and none of it; it is damage as any other."""
    tamper(archived, sql.format(seq))
    done = archived.run("verify", "--json")
    assert done.code == 3, done.err
    problems = done.json()["problems"]
    what = f"the index tells another envelope of it than its bytes ({names}); `collector rebuild`"
    told = [each for each in problems if each["what"].startswith(what)]
    assert [(each["seq"], each["subject"]) for each in told] == [(seq, "ledger.db")]
    assert "mallory" not in json.dumps(problems)


@pytest.mark.parametrize("wanted", [{"sample": 8}, {"since": NOW}])
def test_a_part_of_the_archive_is_compared_as_well(archived: Collector, wanted: dict) -> None:
    """What is read of it."""
    tamper(archived, f"UPDATE envelopes SET sender = 'x@example.org' WHERE seq = {COPY}")
    assert named(verified(archived, **wanted)) == [(COPY, "sender")]


def test_a_rebuilt_ledger_is_sound_again(archived: Collector) -> None:
    """The index is made of the bytes; what was found before is not told again."""
    tamper(archived, f"UPDATE envelopes SET sender = 'x@example.org' WHERE seq = {COPY}")
    steps = iter([False] * 2)
    settings = load(archived.home / "collector.toml")
    stopped = verify(settings, Wanted(), lambda _d, _t: None, lambda: next(steps, True))
    assert (stopped.finished, named(stopped)) == (False, [(COPY, "sender")])
    assert archived.run("rebuild").code == 0
    assert verified(archived).problems == []


def test_a_run_that_goes_on_tells_what_was_found(archived: Collector) -> None:
    """Once, though the bytes are not read again."""
    tamper(archived, f"UPDATE envelopes SET sender = 'x@example.org' WHERE seq = {COPY}")
    steps = iter([False] * 2)
    settings = load(archived.home / "collector.toml")
    verify(settings, Wanted(), lambda _d, _t: None, lambda: next(steps, True))
    told = verified(archived)
    assert (told.resumed > 0, named(told)) == (True, [(COPY, "sender")])


def test_other_settings_are_no_damage(archived: Collector) -> None:
    """What was read under those before is told apart; what comes under the new ones is not."""
    tamper(archived, f"UPDATE envelopes SET sender = 'x@example.org' WHERE seq = {REPORT}")
    archived.configure(MAILBOX + 'format = "exchange"\n')
    done = archived.run("verify", "--json")
    told = done.json()
    assert (done.code, told["broken"]) == (0, 0), "not yet in effect, and not in the log"
    assert told["index"] == {"otherwise": 4, "otherwise_seqs": [1, 2, 3, 8], "uncompared": 0}
    text = archived.run("verify").text
    assert "note: ledger.db: 4 entries taken in under other settings" in text
    assert "seq 1, 2, 3, 8; `collector rebuild` derives all anew" in text
    with open_house(load(archived.home / "collector.toml")) as house:
        take(house, 20, [plain(20), plain(21)])
    tamper(archived, "UPDATE envelopes SET sender = 'x@example.org' WHERE seq = 10")
    told = verified(archived)
    assert named(told) == [(10, "sender")]
    assert told.otherwise.seqs == [1, 2, 3, 8]


def test_settings_that_are_back_excuse_nothing(archived: Collector) -> None:
    """Only what was taken in meanwhile was read under others."""
    archived.configure(MAILBOX + 'format = "exchange"\n')
    with open_house(load(archived.home / "collector.toml")) as house:
        take(house, 20, [plain(20)])
    archived.configure(MAILBOX)
    with open_house(load(archived.home / "collector.toml")):
        pass
    tamper(archived, f"UPDATE envelopes SET sender = 'x@example.org' WHERE seq IN ({REPORT}, 8)")
    told = verified(archived)
    assert named(told) == [(REPORT, "sender"), (8, "sender")]
    assert told.otherwise.seqs == [9]
    assert archived.run("rebuild").code == 0
    told = verified(archived)
    assert (told.problems, told.otherwise.count) == ([], 0)


def test_what_a_crash_left_is_read_by_the_next_run(archived: Collector) -> None:
    """Stored under some settings, adopted under others: these are what the log tells."""
    with suppress(KeyboardInterrupt), open_house(load(archived.home / "collector.toml")) as house:
        with house.intake.turn():
            house.intake.store(arrivals(house, 30, [plain(30)]), NOW)
        raise KeyboardInterrupt  # durable in the segment, and not in the ledger
    archived.configure(MAILBOX + 'format = "exchange"\n')
    with open_house(load(archived.home / "collector.toml")) as house:
        assert house.ledger.last_seq() == 9
    archived.configure(MAILBOX)
    with open_house(load(archived.home / "collector.toml")):
        pass
    told = verified(archived)
    assert (told.problems, told.otherwise.seqs) == ([], [9])


def test_another_version_is_no_damage(archived: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until the ledger is rebuilt by it: then all of the index is its own."""
    tamper(archived, f"UPDATE envelopes SET sender = 'x@example.org' WHERE seq = {REPORT}")
    monkeypatch.setattr("collector.service.assemble.__version__", "99.0")
    told = verified(archived)
    assert (told.problems, told.otherwise.seqs) == ([], [REPORT])
    from collector.service.rebuild import rebuild

    rebuild(load(archived.home / "collector.toml"), lambda _count: None)
    tamper(archived, f"UPDATE envelopes SET sender = 'x@example.org' WHERE seq = {COPY}")
    assert named(verified(archived)) == [(COPY, "sender")]


def test_an_event_that_is_not_in_the_log_excuses_nothing(archived: Collector) -> None:
    """Somebody who changes the index writes an excuse behind the last event."""
    tamper(
        archived,
        f"UPDATE envelopes SET sender = 'x@example.org' WHERE seq = {REPORT};"
        "INSERT INTO events SELECT 1 + (SELECT MAX(id) FROM events), at, name, mailbox,"
        " json_set(keys, '$.version', '0') FROM events WHERE name = 'index.derived';",
    )
    assert named(verified(archived, bodies=True)) == [(REPORT, "sender")]


def test_changed_events_do_not_stop_the_verification(archived: Collector) -> None:
    """They are named themselves."""
    tamper(archived, "UPDATE events SET keys = '{' WHERE name = 'index.derived'")
    problems = [each.what for each in verified(archived).problems]
    assert any("is not what was logged: its row was changed" in each for each in problems)


def test_an_unreadable_row_does_not_hide_others(archived: Collector) -> None:
    """It is named, and what comes behind it is compared."""
    tamper(
        archived,
        "UPDATE receipts SET fetch_flags = '[' WHERE seq = 1;"
        f"UPDATE envelopes SET sender = 'x@example.org' WHERE seq = {COPY};",
    )
    for wanted in ({}, {"sample": 8}, {"since": NOW}):
        told = verified(archived, **wanted)
        assert named(told) == [(COPY, "sender")]
        assert 1 in {each.seq for each in told.problems}


def test_a_large_message_that_cannot_be_laid_out_is_told(archived: Collector) -> None:
    """The rest is compared; somebody should see to it."""
    (archived.archive / "spool").rmdir()
    done = archived.run("verify", "--json")
    told = done.json()
    assert (done.code, told["broken"], told["index"]["uncompared"]) == (4, 0, 1)
    assert "large messages was not compared: seq 7" in archived.run("verify").text


def test_rows_without_an_entry_are_found(archived: Collector) -> None:
    """They belong to no message that is archived."""
    tamper(
        archived,
        "INSERT INTO recipients SELECT 99, position, envelope, address, kind, via, source,"
        f" derived, level, undisclosed FROM recipients WHERE seq = {REPORT};",
    )
    problems = [each.what for each in verified(archived).problems]
    assert any(each.startswith("table recipients") for each in problems)
