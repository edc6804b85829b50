"""The Debian package: what is in it, what it needs, and what it does to a machine."""

from __future__ import annotations

import gzip
import re
import subprocess
from pathlib import Path

import pytest

from collector import __version__

ROOT = Path(__file__).resolve().parents[2]
PREFIX = "usr/lib/journal-collector"
SCRIPTS = ("postinst", "postrm", "prerm")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def output_of(*command: str | Path) -> str:
    """Run a program that must succeed."""
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout


@pytest.fixture(scope="module")
def unpacked(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the directory that holds the files of the package, and its control files."""
    place = tmp_path_factory.mktemp("unpacked")
    output_of("dpkg-deb", "--raw-extract", package, place)
    return place


def test_the_package_is_bound_to_the_python_it_was_built_with(package: Path) -> None:
    """Compiled libraries fit one minor version; the next one is refused by dpkg."""
    minor = int(output_of("/usr/bin/python3", "-c", "import sys; print(sys.version_info.minor)"))
    fields = dict(
        line.split(": ", 1)
        for line in output_of("dpkg-deb", "--field", package).splitlines()
        if re.match(r"[A-Z][\w-]*: ", line)
    )
    assert fields["Package"] == "journal-collector"
    assert fields["Version"] == f"{__version__}~py3.{minor}"
    assert f"python3 (>= 3.{minor}), python3 (<< 3.{minor + 1})" in fields["Depends"]
    assert package.name == f"journal-collector_{fields['Version']}_{fields['Architecture']}.deb"


def test_everything_belongs_to_root_and_nobody_else_may_write(package: Path) -> None:
    """Modes and owners of every file and directory; nothing lies in /etc or /var."""
    lines = output_of("dpkg-deb", "--contents", package).splitlines()
    assert len(lines) > 500
    usual = re.compile(r"(l.{9}|[d-]rw[x-]r-[x-]r-[x-]) root/root +\d+ \S+ \S+ \./(usr/.*)?")
    assert [line for line in lines if not usual.fullmatch(line)] == []


def test_no_path_of_the_building_machine_is_in_it(unpacked: Path) -> None:
    """Neither the checkout nor a temporary directory is named by any file of ours."""
    texts = [
        *(unpacked / PREFIX).glob("bin/*"),
        unpacked / PREFIX / "pyvenv.cfg",
        *(unpacked / "usr/lib/systemd/system").iterdir(),
        *(unpacked / PREFIX).rglob("*.dist-info/*"),
    ]
    named = [
        path
        for path in texts
        if path.is_file()
        and not path.is_symlink()
        and re.search(rb"/tmp/|" + re.escape(bytes(ROOT)), path.read_bytes())
    ]
    assert len(texts) > 50
    assert named == []


def test_what_is_installed_runs(unpacked: Path) -> None:
    """Its own interpreter finds program and libraries, of this version, and nothing else."""
    python = unpacked / PREFIX / "bin" / "python3"
    assert output_of(python, "-IB", "-m", "collector", "--version") == f"collector {__version__}\n"
    imports = "import msal, pymap, zstandard; print(zstandard.__file__)"
    where = output_of(python, "-IB", "-c", imports)
    assert where.startswith(str(unpacked))
    assert not (unpacked / PREFIX / "bin" / "pip").exists()


def test_the_command_starts_the_installed_interpreter(unpacked: Path) -> None:
    """Whatever PYTHONPATH and the user's own libraries say."""
    command = unpacked / "usr/bin/collector"
    assert command.readlink() == Path("../lib/journal-collector/bin/collector")
    assert command.read_text(encoding="utf-8").startswith(f"#!/{PREFIX}/bin/python3 -I\n")


def test_the_units_are_those_of_the_checkout(unpacked: Path) -> None:
    """But for the program they start."""
    for unit in sorted((ROOT / "systemd").iterdir()):
        packaged = (unpacked / "usr/lib/systemd/system" / unit.name).read_text(encoding="utf-8")
        expected = unit.read_text(encoding="utf-8")
        assert packaged == expected.replace("/opt/collector/bin/collector", "/usr/bin/collector")


def test_documents_come_with_it(unpacked: Path) -> None:
    """Copyright, changes, and the example of the configuration."""
    doc = unpacked / "usr/share/doc/journal-collector"
    changes = gzip.decompress((doc / "CHANGELOG.md.gz").read_bytes())
    assert changes == (ROOT / "CHANGELOG.md").read_bytes()
    example = doc / "examples" / "collector.example.toml"
    assert example.read_bytes() == (ROOT / "collector.example.toml").read_bytes()
    assert "Apache-2.0" in (doc / "copyright").read_text(encoding="utf-8")


def test_the_scripts_are_shell_and_stop_at_errors(unpacked: Path) -> None:
    """``sh -n`` reads each, and each sets ``-e``; the sums cover every file."""
    for name in SCRIPTS:
        script = unpacked / "DEBIAN" / name
        output_of("sh", "-n", script)
        assert "\nset -e\n" in script.read_text(encoding="utf-8")
    output_of("sh", "-c", f"cd {unpacked} && md5sum --quiet --check DEBIAN/md5sums")
    summed = len((unpacked / "DEBIAN/md5sums").read_text(encoding="utf-8").splitlines())
    files = [each for each in (unpacked / "usr").rglob("*") if each.is_file()]
    assert summed == len([each for each in files if not each.is_symlink()])


def test_the_scripts_start_nothing_and_remove_no_archive(unpacked: Path) -> None:
    """Only what ran before is started again; nothing is deleted but an empty directory."""
    text = "".join((unpacked / "DEBIAN" / name).read_text(encoding="utf-8") for name in SCRIPTS)
    lines = [line.strip() for line in text.splitlines()]
    commands = [line for line in lines if not line.startswith(("#", "echo"))]
    started = [line for line in commands if re.search(r"systemctl .*(start|enable)", line)]
    assert started == ["systemctl try-restart collector.service || true"]
    assert [line for line in commands if re.match(r"rm\b|userdel|deluser", line)] == []
