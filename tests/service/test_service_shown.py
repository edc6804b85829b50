"""A checkpoint that somebody may have got is written down before, so a kill loses nothing."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from collector_program import Collector
from sample_mail import mixed
from taking import take
from throwaway import free_ports

from collector.config import load
from collector.custody.anchored import Anchored
from collector.custody.checkpoints import checkpoint_sizes
from collector.service.assemble import open_house


@contextmanager
def deadly(victims: list[int]) -> Iterator[int]:
    """Serve a webhook that kills ``victims`` once it has what they post; yield its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            for number in victims:
                os.kill(number, signal.SIGKILL)
            self.close_connection = True

        def log_message(self, *_arguments: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def mailbox() -> str:
    """Return the table of a mailbox that nobody serves."""
    (port,) = free_ports(1)
    keys = {"name": "journal", "host": "127.0.0.1", "username": "nobody"}
    keys |= {"password_env": "HOME", "security": "plain"}
    return "".join(f'{key} = "{value}"\n' for key, value in keys.items()) + f"port = {port}\n"


def test_a_kill_while_an_anchor_takes_a_checkpoint_leaves_a_note(collector: Collector) -> None:
    """It is not thinned; nor is it called anchored, for nobody said that it is."""
    victims: list[int] = []
    with deadly(victims) as port:
        collector.configure(mailbox())
        with (collector.home / "collector.toml").open("a") as file:
            file.write(f'\n[evidence]\nanchor_urls = ["http://127.0.0.1:{port}/hook"]\n')
        directory = collector.archive / "checkpoints"
        with open_house(load(collector.home / "collector.toml")):
            pass
        running = collector.start("run")
        victims.append(running.process.pid)
        assert running.end().code == -signal.SIGKILL
    anchored = Anchored(directory)
    assert anchored.kept() <= set(checkpoint_sizes(directory))
    assert (len(anchored.kept()), anchored.sizes()) == (1, set())
    assert anchored.newest("web:127.0.0.1") == 0


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is MISSING: no kill is made")
def test_a_kill_while_a_proof_is_written_leaves_a_note(
    collector: Collector, tmp_path: Path
) -> None:
    """Somebody may have got the checkpoint in it."""
    collector.configure(mailbox())
    with open_house(load(collector.home / "collector.toml")) as house:
        take(house, 1, mixed(2))
    proof = tmp_path / "proof"
    command = ["strace", "-f", "-o", "/dev/null", "-P", proof, "-e", "trace=mkdir"]
    kill = ["-e", "inject=mkdir:signal=SIGKILL"]
    done = subprocess.run(
        [*command, *kill, *collector.command("prove", "1", "-o", str(proof))],
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    assert not (proof / "checkpoint").exists()
    directory = collector.archive / "checkpoints"
    (size,) = Anchored(directory).kept()
    assert size in checkpoint_sizes(directory)
    assert collector.run("prove", "1", "-o", str(proof)).code == 0
    assert (proof / "checkpoint").read_text().splitlines()[1] == str(size)
