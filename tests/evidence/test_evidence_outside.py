"""Checkpoints shown to others: stamped, anchored, and compared when they come back."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from evidence_authority import serve as serve_authority
from evidence_servers import answering, nobody
from evidence_servers import serve as serve_speech

from collector.config import Settings, load
from collector.domain.errors import ConfigError
from collector.service.assemble import open_house
from collector.service.outside import STAMP_SUFFIX, authorities, outside_jobs
from collector.service.verify import Wanted, verify

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
    return [each.what for each in verify(settings, wanted, lambda _done, _total: None)[1]]


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


def test_stamps_need_certificates(settings_with: Callable[..., Settings]) -> None:
    """A stamp is worth nothing without a certificate that came from elsewhere."""
    with pytest.raises(ConfigError, match="certificates of the time-stamp authorities"):
        authorities(settings_with('stamp_urls = ["http://tsa.example.net/"]'))
    with pytest.raises(ConfigError, match="certificates cannot be read"):
        authorities(
            settings_with('stamp_urls = ["http://a.example/"]', 'stamp_certificates = "none.pem"')
        )
    assert outside_jobs(settings_with()) == []
