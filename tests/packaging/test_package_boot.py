"""The package on a Debian that boots in a container, from installing to purging.

Needs root, systemd-nspawn and debootstrap; the root file system is kept for the next time
in ``~/.cache/journal-collector-tests``.  It has the network of this machine, so the service
in it collects from the Dovecot of the tests.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from sample_mail import plain
from throwaway import found, missing

BOOT_S_MAX = 240
PACKAGES = "systemd,systemd-sysv,dbus,python3,ca-certificates"
SCRIPT = Path(__file__).with_name("boot.sh")
UNIT = """\
[Unit]
After=multi-user.target
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'bash /root/boot.sh >/root/out 2>&1; systemctl --no-block poweroff'
[Install]
WantedBy=graphical.target
"""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900), pytest.mark.dovecot]


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """Return the root of a fresh Debian of this machine's release."""
    if os.geteuid() != 0:
        missing("root", "only root boots containers")
    for program, name in (("systemd-nspawn", "systemd-container"), ("debootstrap", "debootstrap")):
        found(program, f"apt-get install {name}")
    release = platform.freedesktop_os_release()
    if release["ID"] != "debian":
        missing("Debian", "the package is for the release it is built on")
    kept = cached(release["VERSION_CODENAME"])
    root = tmp_path / "root"
    subprocess.run(["cp", "-a", "--reflink=auto", kept, root], check=True)  # devices, owners
    return root


def cached(codename: str) -> Path:
    """Return the root file system of a release, made when it is not there."""
    place = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    kept = place / "journal-collector-tests" / f"root-{codename}"
    if not kept.exists():
        fresh = kept.with_suffix(".new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.parent.mkdir(parents=True, exist_ok=True)
        command = ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", codename, fresh]
        done = subprocess.run(command, capture_output=True, check=False, text=True)
        if done.returncode:
            missing(f"a Debian {codename}", f"debootstrap: {done.stdout.splitlines()[-1:]}")
        fresh.rename(kept)
    return kept


def booted(root: Path, **variables: str) -> dict[str, list[str]]:
    """Boot, run the script, power off; return what each section of it said."""
    settings = "".join(f"{name}={value}\n" for name, value in variables.items())
    script = settings + SCRIPT.read_text(encoding="utf-8")
    (root / "etc/hosts").write_text("127.0.0.1 localhost\n", encoding="utf-8")
    (root / "root/boot.sh").write_text(script, encoding="utf-8")
    unit = root / "etc/systemd/system/boot-test.service"
    unit.write_text(UNIT, encoding="utf-8")
    wanted = root / "etc/systemd/system/graphical.target.wants"
    wanted.mkdir(parents=True, exist_ok=True)
    (wanted / unit.name).symlink_to(f"/{unit.relative_to(root)}")
    command = ["systemd-nspawn", "--quiet", "-D", root, "--register=no", "--keep-unit", "--boot"]
    done = subprocess.run(
        command, capture_output=True, check=False, stdin=subprocess.DEVNULL, timeout=BOOT_S_MAX
    )
    out = root / "root/out"
    if not out.exists():
        told = (done.stdout + done.stderr).decode(errors="replace")
        missing("a container that boots", told[-400:])
    sections = re.split(r"^== (\w+)$", out.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {
        name: text.strip().splitlines()
        for name, text in zip(sections[1::2], sections[2::2], strict=True)
    }


def test_a_package_lives_on_a_real_system(machine: Path, package: Path, dovecot) -> None:
    """Installed idle, configured by five answers, collecting, upgraded, purged: the mail stays."""
    user = dovecot.new_user()
    user.append(*(plain(number) for number in range(3)))
    shutil.copy(package, machine / "root/journal-collector.deb")
    shutil.copy(user.ca, machine / "root/ca.pem")
    (machine / "root/password").write_text(user.password, encoding="utf-8")
    said = booted(machine, PORT=str(user.port), USERNAME=user.name)
    assert said == {
        "install": ["disabled", "inactive"],
        "configure": ["750 root collector", "640 root collector"],
        "start": ["active", "Type=notify", "NRestarts=0", "User=collector", "700 collector"],
        "processes": ["3", "cycle.finished"],  # all three live in the sandbox
        "secret": ["Permission denied"],
        "archive": ["verified 3 entries, in full, 0 broken", "entries 3"],
        "reload": ["active"],
        "upgrade": ["active"],
        "stop": ["Result=success", "ExecMainStatus=0"],
        "purge": [
            "journal-collector: /var/lib/collector stays as it is",
            "journal-collector: /etc/collector stays as it is",
            "000001.tar.zst",
            "2",
            "inactive",
        ],
    }
    assert user.messages() == {}
