"""Checkpoints shown to others: stamped, anchored, and compared when they come back."""

from __future__ import annotations

import errno
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from evidence_authority import serve as serve_authority
from evidence_samples import checkpoint_of
from evidence_servers import answering, nobody
from evidence_servers import serve as serve_speech
from smtp_server import SmtpServer

from collector.config import Settings, load
from collector.custody.watch import utc_now
from collector.domain.errors import ConfigError
from collector.domain.finding import Grade
from collector.service.assemble import open_house
from collector.service.check_outside import check_outside
from collector.service.outside import STAMP_SUFFIX, Place, authorities, outside_jobs
from collector.service.report import Report, report
from collector.service.report_document import document
from collector.service.report_text import text_lines
from collector.service.report_words import Language
from collector.service.selection import Wanted
from collector.service.verify import Verified, verify

NOW = datetime(2026, 3, 4, 5, 6, 7, 89, tzinfo=UTC)


@pytest.fixture
def settings_with(tmp_path: Path) -> Callable[..., Settings]:
    """Return a maker of configurations of one archive, by the lines of ``[evidence]``."""

    def make(*lines: str) -> Settings:
        path = tmp_path / "collector.toml"
        text = f'[archive]\npath = "{tmp_path / "archive"}"\n[evidence]\n'
        path.write_text(text + "\n".join(lines))
        return load(path)

    return make


def show(settings: Settings, rounds: int = 1) -> None:
    """Let the archive grow, and the job run once after each growth."""
    with open_house(settings) as house:
        (job,) = outside_jobs(settings)
        for _ in range(rounds):
            house.record("service.started")
            house.intake.attest(NOW)
            job.work(house.intake, lambda: False)


def problems(settings: Settings, *anchors: Path) -> list[str]:
    """Return what ``verify`` finds without reading bodies."""
    wanted = Wanted(bodies=False, anchors=anchors)
    return [each.what for each in verify(settings, wanted, lambda _done, _total: None).problems]


def test_the_newest_checkpoint_is_stamped_and_openssl_agrees(
    settings_with: Callable[..., Settings], authority, tmp_path: Path
) -> None:
    """One stamp an hour and authority, kept as it came; verify and openssl check it."""
    (tmp_path / "tsa.pem").write_bytes(authority.root)
    with serve_authority(authority) as url:
        settings = settings_with(f'stamp_urls = ["{url}"]', 'stamp_certificates = "tsa.pem"')
        show(settings, rounds=2)
    directory = settings.archive.path / "checkpoints"
    (stamp,) = directory.glob(f"*{STAMP_SUFFIX}")
    checkpoint = directory / f"{stamp.name[:12]}.checkpoint"
    command = ["openssl", "ts", "-verify", "-data", checkpoint, "-in", stamp]
    subprocess.run([*command, "-CAfile", tmp_path / "tsa.pem"], check=True, capture_output=True)
    assert problems(settings) == []
    newest = max(directory.glob("*.checkpoint"))
    shutil.copy(stamp, stamp.with_name(stamp.name.replace(stamp.name[:12], newest.name[:12])))
    assert len(problems(settings)) == 1


def test_an_authority_that_is_away_holds_nothing_up(
    settings_with: Callable[..., Settings], authority, tmp_path: Path
) -> None:
    """It rests for a while; anchors get the checkpoint all the same."""
    (tmp_path / "tsa.pem").write_bytes(authority.root)
    anchor = tmp_path / "elsewhere"
    with nobody() as port:
        settings = settings_with(
            f'stamp_urls = ["http://127.0.0.1:{port}/"]',
            'stamp_certificates = "tsa.pem"',
            f'anchor_files = ["{anchor}"]',
        )
        show(settings)
    newest = max((settings.archive.path / "checkpoints").glob("*.checkpoint"))
    assert anchor.read_bytes().strip() in {
        path.read_bytes().strip() for path in newest.parent.glob("*.checkpoint")
    }
    assert list(newest.parent.glob(f"*{STAMP_SUFFIX}")) == []
    assert problems(settings, anchor) == []


def test_a_webhook_gets_the_note(settings_with: Callable[..., Settings]) -> None:
    """The body is the checkpoint, byte for byte."""
    requests: list[bytes] = []
    answer = answering(b"HTTP/1.1 204 No Content\r\n\r\n", requests)
    with serve_speech(answer) as port:
        settings = settings_with(f'anchor_urls = ["http://127.0.0.1:{port}/hook"]')
        show(settings)
    notes = (settings.archive.path / "checkpoints").glob("*.checkpoint")
    assert any(requests[0].endswith(path.read_bytes()) for path in notes)


def test_an_anchor_shows_an_archive_that_was_rolled_back_with_its_checkpoints(
    settings_with: Callable[..., Settings], tmp_path: Path
) -> None:
    """Everything in the archive was put back as it was; what lies outside was not."""
    anchor = tmp_path / "elsewhere"
    settings = settings_with(f'anchor_files = ["{anchor}"]')
    show(settings)
    old = tmp_path / "old"
    shutil.copytree(settings.archive.path, old)
    show(settings)
    assert problems(settings, anchor) == []
    shutil.rmtree(settings.archive.path)
    old.rename(settings.archive.path)
    assert problems(settings) == []
    (found,) = problems(settings, anchor)
    assert "rolled back" in found


def looked(settings: Settings, *anchors: Path, **wanted: object) -> Verified:
    """Verify without bodies."""
    wanted = {"bodies": False, "anchors": anchors, **wanted}
    return verify(settings, Wanted(**wanted), lambda _done, _total: None)


def grow(settings: Settings, ago: timedelta) -> None:
    """Let the archive have an event of an earlier time, and a checkpoint over it."""
    with open_house(settings) as house:
        house.ledger.record_event("service.started", utc_now() - ago)
        house.intake.attest(NOW)


@pytest.fixture
def stamping(settings_with: Callable[..., Settings], authority, tmp_path: Path):
    """Return a configuration with a running authority, and one with nobody at its address."""
    (tmp_path / "tsa.pem").write_bytes(authority.root)
    with serve_authority(authority) as url, nobody() as port:
        away = f"http://127.0.0.1:{port}/"
        yield [
            settings_with(f'stamp_urls = ["{each}"]', 'stamp_certificates = "tsa.pem"')
            for each in (url, away)
        ]


def test_an_authority_that_was_away_for_hours_stamps_late(stamping: list[Settings]) -> None:
    """Told once, with how late and for which checkpoints; it is no problem of the archive."""
    settings, away = stamping
    grow(settings, timedelta(hours=5, minutes=2))
    with open_house(away) as house:
        (job,) = outside_jobs(away)
        job.work(house.intake, lambda: False)
    before = looked(settings)
    assert [(each.subject, bool(each.hint)) for each in before.remarks] == [("127.0.0.1", True)]
    assert "no time stamp for 5 h 2 min" in before.remarks[0].detail
    assert (before.outside.stamped, before.outside.late) == (0, 0)
    assert before.outside.missing == 1  # the others are as young as the run
    show(settings)
    after = looked(settings)
    (late,) = after.remarks
    assert re.search(r"late: it came 5 h [12] min after checkpoint \d+, the oldest of", late.detail)
    assert late.hint == ""
    assert (after.problems, after.outside.stamped, after.outside.late) == ([], 1, 1)
    assert after.outside.missing == 0


def reported(settings: Settings, today: datetime) -> Report:
    """Report the days around one, as the command does."""
    around = (today - timedelta(days=1), today + timedelta(days=1))
    return report(settings, *around, lambda _ledger: lambda *_name, **_keys: None)


def test_the_report_names_a_late_stamp(stamping: list[Settings]) -> None:
    """In its period, with how late; and a stamp that does not verify, as a problem."""
    settings, _away = stamping
    grow(settings, timedelta(hours=5, minutes=2))
    show(settings)
    today = utc_now()
    told = reported(settings, today)
    assert (told.outside.late, told.facts()["log"]["late"]) == (1, 1)
    text = "\n".join(text_lines(document(told, Language.ENGLISH)))
    assert "1 came late, 0 do not verify, 0 checkpoints are dated by none" in text
    assert re.search(r"late: it came 5 h [12] min after checkpoint", text)
    (stamp,) = (settings.archive.path / "checkpoints").glob(f"*{STAMP_SUFFIX}")
    stamp.write_bytes(b"nothing")
    lines = text_lines(document(reported(settings, today), Language.GERMAN))
    assert "it is not a TimeStampResp" in "\n".join(lines)


def test_the_limit_of_lateness_is_configured(
    settings_with: Callable[..., Settings], stamping: list[Settings]
) -> None:
    """With a longer one the same stamp is in time."""
    settings, _away = stamping
    grow(settings, timedelta(hours=5))
    show(settings)
    assert looked(settings).outside.late == 1
    (url,) = settings.evidence.stamp_urls
    longer = settings_with(
        f'stamp_urls = ["{url}"]', 'stamp_certificates = "tsa.pem"', 'stamp_late_after = "6h"'
    )
    assert (looked(longer).outside.late, looked(longer).remarks) == (0, [])


def test_a_stamp_from_before_the_log_s_own_time_is_told(stamping: list[Settings]) -> None:
    """The clock of this machine was ahead when it was recorded."""
    settings, _away = stamping
    with open_house(settings) as house:
        house.ledger.record_event("service.started", utc_now() + timedelta(minutes=10))
        house.intake.attest(NOW)
        (job,) = outside_jobs(settings)
        job.work(house.intake, lambda: False)
    (remark,) = looked(settings).remarks
    assert re.search(r"before the time in the log: this machine's clock was ahead", remark.detail)
    assert re.search(r"it came (10 min|9 min 5\d s) before", remark.detail)


def test_a_stamp_nobody_can_check_is_told(
    stamping: list[Settings], settings_with: Callable[..., Settings]
) -> None:
    """The authority was taken out of the configuration, with its certificates."""
    settings, _away = stamping
    show(settings)
    (remark,) = looked(settings_with()).remarks
    assert remark.detail == "1 time stamps were not checked: the authority is not configured"


MAIL = ("[evidence.mail]", 'recipients = ["auditor@example.org"]', 'host = "127.0.0.1"')


def test_a_checkpoint_is_mailed_and_compared_as_it_was_saved(
    settings_with: Callable[..., Settings], smtp: SmtpServer, tmp_path: Path
) -> None:
    """Once in its interval; a rolled back archive contradicts the saved mail."""
    settings = settings_with(*MAIL, f"port = {smtp.port}")
    show(settings, rounds=2)
    (mail,) = smtp.delivered
    assert mail.recipients == ("auditor@example.org",)
    saved = tmp_path / "saved"
    saved.mkdir()
    (saved / "1.eml").write_bytes(mail.raw)
    seen = looked(settings, saved)
    assert (seen.problems, seen.outside.agreed, seen.outside.anchored) == ([], 1, 1)
    newest = max((settings.archive.path / "checkpoints").glob("*.checkpoint"))
    (note,) = mail.message.iter_attachments()
    old = tmp_path / "old"
    shutil.copytree(settings.archive.path, old)
    assert note.get_content() in {path.read_bytes() for path in newest.parent.glob("*.checkpoint")}
    with open_house(settings) as house:
        house.record("service.started")
    show(settings)  # a new process, which shows what is new
    (saved / "2.eml").write_bytes(smtp.delivered[-1].raw)
    assert looked(settings, saved).outside.agreed == 2
    shutil.rmtree(settings.archive.path)
    old.rename(settings.archive.path)
    assert [each.what for each in looked(settings, saved).problems if "rolled back" in each.what]


def test_a_mail_server_that_is_away_is_tried_again(
    settings_with: Callable[..., Settings], smtp: SmtpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing waits for it, nothing is lost, and the password is read for each attempt."""
    smtp.login, smtp.refuse = ("journal", "secret"), {"MAIL"}
    monkeypatch.setenv("SMTP_SECRET", "wrong")
    login = ('username = "journal"', 'password_env = "SMTP_SECRET"')
    settings = settings_with(*MAIL, f"port = {smtp.port}", *login)
    with open_house(settings) as house:
        (job,) = outside_jobs(settings)
        for password, refuse in (("wrong", set()), ("secret", {"MAIL"}), ("secret", set())):
            monkeypatch.setenv("SMTP_SECRET", password)
            smtp.refuse = refuse
            assert smtp.delivered == []
            job.places[0]._again_s = 0.0  # the pause is over
            job.work(house.intake, lambda: False)
            assert (job.places[0]._again_s > 0) == (smtp.delivered == [])
    assert [each.user for each in smtp.delivered] == ["journal"]


def test_a_place_that_never_answers_holds_nobody_up(
    settings_with: Callable[..., Settings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mount that hangs is left alone after a while, and the next place has its turn."""
    monkeypatch.setattr("collector.service.outside.SHOW_S_MAX", 0.2)
    os.mkfifo(tmp_path / "hanging")
    settings = settings_with(f'anchor_files = ["{tmp_path}/hanging", "{tmp_path}/working"]')
    with open_house(settings) as house:
        (job,) = outside_jobs(settings)
        began_s = time.monotonic()
        job.work(house.intake, lambda: False)
        assert time.monotonic() - began_s < 5
        hanging, working = job.places
        assert (hanging.shown, working.shown > 0) == (0, True)
        hanging._again_s = 0.0
        job.work(house.intake, lambda: False)
        assert hanging.shown == 0
        with (tmp_path / "hanging").open("rb"):  # it comes back, and takes what it was shown
            assert hanging._attempt is not None
            hanging._attempt.join(5)
        assert not hanging._attempt.is_alive()


def test_an_anchor_s_disk_that_fails_does_not_stop_the_service(
    settings_with: Callable[..., Settings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failed fsync elsewhere says nothing of the archive's own disk."""
    settings = settings_with(f'anchor_files = ["{tmp_path}/elsewhere"]')
    with open_house(settings) as house:
        (job,) = outside_jobs(settings)
        real = os.fsync

        def failing(fd: int) -> None:
            if Path(f"/proc/self/fd/{fd}").readlink().name == "elsewhere":
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            real(fd)

        monkeypatch.setattr("os.fsync", failing)
        job.work(house.intake, lambda: False)
        assert job.places[0].shown == 0
        monkeypatch.undo()
        job.places[0]._again_s = 0.0
        job.work(house.intake, lambda: False)
        assert job.places[0].shown > 0


def test_what_was_anchored_is_known_after_a_restart(
    settings_with: Callable[..., Settings], tmp_path: Path
) -> None:
    """It is not shown twice; a line that a crash cut off hides no other."""
    settings = settings_with(f'anchor_files = ["{tmp_path}/else where"]')
    show(settings)
    record = settings.archive.path / "checkpoints" / "anchored.txt"
    (shown,) = outside_jobs(settings)[0].places
    assert shown.shown > 0
    line = rf"{shown.shown} file:{tmp_path}/else%20where \d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
    assert re.fullmatch(rf"{line} intended\n{line}\n", record.read_text())
    with record.open("a") as file:
        file.write("99999 file:/torn")
    show(settings)
    (again,) = outside_jobs(settings)[0].places
    assert shown.shown < again.shown < 99999


def test_places_of_one_interval_get_the_same_checkpoint() -> None:
    """The day is divided into turns; in each a place is shown one."""
    shown: list[int] = []
    place = Place("here", lambda signed: shown.append(signed.checkpoint.size), 3600.0)
    noon = datetime(2026, 3, 4, 12, tzinfo=UTC)
    for minutes, size in ((5, 1), (6, 2), (59, 3), (60, 4), (61, 5), (3000, 5)):
        place.bring(checkpoint_of([b"x"] * size), noon + timedelta(minutes=minutes))
    assert shown == [1, 4, 5]


def test_check_asks_everybody_outside(
    settings_with: Callable[..., Settings], authority, smtp: SmtpServer, tmp_path: Path
) -> None:
    """Authority, file and mail server, in this order; nobody gets a checkpoint by it."""
    (tmp_path / "tsa.pem").write_bytes(authority.root)
    with serve_authority(authority) as url:
        settings = settings_with(
            f'stamp_urls = ["{url}"]',
            'stamp_certificates = "tsa.pem"',
            'anchor_files = ["here", "no/such/folder"]',
            *MAIL,
            f"port = {smtp.port}",
        )
        first = list(check_outside(settings))
        smtp.refuse = {"RCPT"}
        (tmp_path / "tsa.pem").write_bytes((authority.home / "server.crt").read_bytes())
        second = list(check_outside(settings))
    ok, warning = Grade.OK, Grade.WARNING
    assert [each.grade for each in first] == [ok, ok, warning, ok]
    assert [each.grade for each in second] == [warning, ok, warning, warning]
    assert all(each.hint for each in second if each.grade is warning)
    assert (smtp.delivered, (tmp_path / "here").exists()) == ([], False)
    assert list(check_outside(settings_with())) == []


def test_stamps_need_certificates(settings_with: Callable[..., Settings]) -> None:
    """A stamp is worth nothing without a certificate that came from elsewhere."""
    with pytest.raises(ConfigError, match="certificates of the time-stamp authorities"):
        authorities(settings_with('stamp_urls = ["http://tsa.example.net/"]'))
    with pytest.raises(ConfigError, match="certificates cannot be read"):
        authorities(
            settings_with('stamp_urls = ["http://a.example/"]', 'stamp_certificates = "none.pem"')
        )
    assert outside_jobs(settings_with()) == []
