"""Commands are known by name, and loaded one by one."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import typer

import collector.cli
from collector.cli.main import COMMANDS, app

HEAVY = (
    "apscheduler", "cryptography.x509", "http.client", "rfc3161_client", "rich", "urllib.request",
)  # fmt: skip
"""What `run`, `verify`, `check-proof` and terminals need, and collecting does not."""
LATER = ("asyncio", "collector.config", "collector.ledger", "peewee", "pydantic", "structlog")
"""What commands need, and printing the version does not."""


def test_every_command_of_the_package_is_listed() -> None:
    """No module with a command was forgotten, and each name leads to one."""
    names = [each.name for each in iter_modules(collector.cli.__path__) if each.name != "main"]
    modules = {name: import_module(f"collector.cli.{name}") for name in names}
    found = {
        name.rstrip("_").replace("_", "-")
        for name, module in modules.items()
        if hasattr(module, "command") or hasattr(module, "app")
    }
    assert sorted(COMMANDS) == sorted(found)
    commands = typer.main.get_command(app).commands
    assert [commands[name].name for name in commands] == list(COMMANDS)
    assert "nothing" not in commands


def test_collect_does_not_load_what_others_need() -> None:
    """Its start and its memory do not grow with commands that are not asked for."""
    program = (
        "import sys, typer; from collector.__main__ import cli;"
        "typer.main.get_command(cli.app).commands['collect'];"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert ran.stdout == b"[]\n"


def test_no_plugin_is_loaded_with_the_configuration(tmp_path: Path) -> None:
    """What other packages bring for pydantic has no say in what settings mean."""
    (tmp_path / "plug-1.dist-info").mkdir()
    (tmp_path / "plug-1.dist-info" / "METADATA").write_text("Name: plug\nVersion: 1\n")
    (tmp_path / "plug-1.dist-info" / "entry_points.txt").write_text("[pydantic]\nplug = plug:one\n")
    (tmp_path / "plug.py").write_text("print('loaded')\none = type('', (), {})()\n")
    program = "import collector.__main__, collector.config, pydantic.plugin._loader as p; {}"
    for also, told in (("", b""), ("os.environ.clear(); p.get_plugins()", b"loaded\n")):
        ran = subprocess.run(
            [sys.executable, "-c", f"import os; {program.format(also)}"],
            env={"PYTHONPATH": str(tmp_path)},
            capture_output=True,
            check=True,
        )
        assert ran.stdout == told


def test_all_threads_share_one_heap() -> None:
    """What one thread has freed another can take; glibc alone gives each its own."""
    program = (
        "import ctypes, threading; {}"
        "one = lambda: (kept.append(bytes(100_000)), gate.wait());"
        "kept = []; gate = threading.Barrier(4);"
        "threads = [threading.Thread(target=one) for _ in range(4)];"
        "[each.start() for each in threads]; [each.join() for each in threads];"
        "ctypes.CDLL(None).malloc_stats()"
    )
    for first, is_alone in (("", False), ("import collector.__main__;", True)):
        ran = subprocess.run(
            [sys.executable, "-c", program.format(first)], capture_output=True, check=True
        )
        assert b"Arena 0:" in ran.stderr
        assert (b"Arena 1:" not in ran.stderr) is is_alone


def test_the_version_is_told_without_what_commands_need() -> None:
    """Neither the configuration nor the ledger is loaded for it."""
    program = (
        "import atexit, sys; from collector.__main__ import main;"
        f"atexit.register(lambda: print([name for name in {LATER} if name in sys.modules]));"
        "sys.argv = ['collector', '--version']; main()"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert ran.stdout.splitlines()[1:] == [b"[]"]
