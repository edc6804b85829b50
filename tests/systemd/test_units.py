"""The units, checked by systemd's own tools and against the program."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import typer.main
from throwaway import found

from collector.cli.main import app
from collector.config import load
from collector.service.assemble import open_house
from collector.service.exit_code import ExitCode

ROOT = Path(__file__).resolve().parents[2]
UNITS = sorted((ROOT / "systemd").iterdir())
SERVICES = [unit for unit in UNITS if unit.suffix == ".service"]
PROGRAM = "/opt/collector/bin/collector"
EXPOSURE_TENTHS_MAX = 15


def name_of(unit: Path) -> str:
    """Return the name of a unit."""
    return unit.name


def values(unit: Path, key: str) -> list[str]:
    """Return what a unit says under ``key``, each time it does; continued lines are joined."""
    text = re.sub(r"\\\n\s*", "", unit.read_text(encoding="utf-8"))
    found = re.findall(rf"^{key}=(.*)$", text, re.MULTILINE)
    return [str(each) for each in found]


def systemd_analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run systemd's own check."""
    program = found("systemd-analyze", "apt-get install systemd")
    return subprocess.run(
        [program, *arguments], capture_output=True, text=True, timeout=60, check=False
    )


@pytest.fixture
def installed(tmp_path):
    """Return copies of the units that name a program which is there."""
    for unit in UNITS:
        text = unit.read_text(encoding="utf-8").replace(PROGRAM, "/bin/true")
        (tmp_path / unit.name).write_text(text, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("unit", UNITS, ids=name_of)
def test_systemd_understands_every_line(installed, unit):
    """``systemd-analyze verify`` has nothing to say."""
    done = systemd_analyze("verify", str(installed / unit.name))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("unit", SERVICES, ids=name_of)
def test_a_service_is_exposed_little(unit):
    """The exposure by systemd's own measure is 1.5 at most."""
    limit = f"--threshold={EXPOSURE_TENTHS_MAX}"
    done = systemd_analyze("security", "--offline=true", limit, str(unit))
    assert "Overall exposure level" in done.stdout
    assert done.returncode == 0, done.stdout.splitlines()[-1]


@pytest.mark.parametrize("unit", SERVICES, ids=name_of)
def test_all_services_are_hardened_alike(unit):
    """From the user down to the limits the units are the same."""
    first, mine = (
        each.read_text(encoding="utf-8").partition("User=collector\n")[2].partition("\n[")[0]
        for each in (SERVICES[0], unit)
    )
    assert mine
    assert mine.strip() == first.strip()


@pytest.mark.parametrize("unit", SERVICES, ids=name_of)
def test_a_service_starts_a_command_of_the_program(unit):
    """What a unit starts is a command that exists, with the configuration of the manual."""
    (line,) = values(unit, "ExecStart")
    arguments = line.partition(f"{PROGRAM} ")[2].split()
    assert arguments[:2] == ["--config", "/etc/collector/collector.toml"]
    assert arguments[2] in typer.main.get_command(app).commands


def test_a_broken_archive_stays_down():
    """After exit codes that a person must look at first, systemd does not start it again."""
    service, backfill = (
        ROOT / "systemd" / f"collector{kind}.service" for kind in ("", "-backfill")
    )
    codes = {int(code) for code in values(service, "RestartPreventExitStatus")[0].split()}
    assert codes == {ExitCode.USAGE, ExitCode.BROKEN}
    (afterwards,) = values(backfill, "ExecStopPost")
    assert f'"$$EXIT_STATUS" = {ExitCode.BROKEN:d} ||' in afterwards


@pytest.mark.parametrize("kind", ["backfill", "verify"])
def test_what_is_normal_is_no_failure(kind):
    """Work that goes on the next time, or that found something to look at, has not failed."""
    (codes,) = values(ROOT / "systemd" / f"collector-{kind}.service", "SuccessExitStatus")
    assert {int(code) for code in codes.split()} == {ExitCode.LATER, ExitCode.ATTENTION}


def test_the_verification_disturbs_nobody():
    """It reads when the disk has nothing else to do, and reaches no network."""
    unit = ROOT / "systemd" / "collector-verify.service"
    assert values(unit, "IOSchedulingClass") == ["idle"]
    assert values(unit, "CPUSchedulingPolicy") == ["idle"]
    assert values(unit, "IPAddressDeny") == ["any"]
    assert values(unit, "Conflicts") == []


def test_the_verification_is_a_command_line_the_program_takes(collector):
    """Weekly a sample; without any earlier one, everything."""
    collector.configure()
    with open_house(load(collector.home / "collector.toml")):
        pass
    (line,) = values(ROOT / "systemd" / "collector-verify.service", "ExecStart")
    arguments = line.partition(" verify ")[2].split()
    first, second = (collector.run("verify", "--json", *arguments) for _ in range(2))
    assert (first.code, first.json()["full"]) == (0, True)
    assert (second.code, second.json()["full"], second.json()["sample"]) == (0, False, 1000)


def test_the_credential_is_the_password_file_of_the_example():
    """The name that systemd hands over is the one the example looks up."""
    (credential,) = values(ROOT / "systemd" / "collector.service", "LoadCredential")
    name, _, path = credential.partition(":")
    assert path == f"/etc/collector/{name}"
    example = (ROOT / "collector.example.toml").read_text(encoding="utf-8")
    assert f'\npassword_file = "{name}"\n' in example
