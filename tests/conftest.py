"""For all rooms: real servers on loopback, one per test process; the program with a home."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from collector_program import Collector
from dovecot_server import DovecotServer, Options
from smtp_server import SmtpServer, running_smtp


@pytest.fixture(scope="session")
def dovecot_with() -> Iterator[Callable[..., DovecotServer]]:
    """Return a maker of Dovecots by their options; the same options give the same server."""
    servers: dict[Options, DovecotServer] = {}

    def make(**options) -> DovecotServer:
        wanted = Options(**options)
        if wanted not in servers:
            servers[wanted] = DovecotServer(wanted)
        return servers[wanted]

    yield make
    for server in servers.values():
        server.stop()


@pytest.fixture(scope="session")
def dovecot(dovecot_with: Callable[..., DovecotServer]) -> DovecotServer:
    """Return a running Dovecot; take a ``new_user()`` of it for every test."""
    return dovecot_with()


@pytest.fixture
def smtp_with() -> Iterator[Callable[..., SmtpServer]]:
    """Return a maker of SMTP servers by their options; they run as long as the test."""
    with ExitStack() as running:
        yield lambda **options: running.enter_context(running_smtp(**options))


@pytest.fixture
def smtp(smtp_with: Callable[..., SmtpServer]) -> SmtpServer:
    """Return a running SMTP server that asks nobody for a password."""
    return smtp_with()


@pytest.fixture
def collector(tmp_path: Path) -> Collector:
    """Return a program whose home is a fresh directory."""
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    return Collector(home)
