"""Applies a seeded mistake, and says loudly where this machine cannot make the disks needed."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from dovecot_server import DovecotServer
from throwaway import missing

sys.path.insert(0, str(Path(__file__).resolve().parent))

import mutants
from disks import DisksUnavailableError, require_disks, scratch_directory
from fault_server import serving
from forked_program import Program
from scenarios import Server, Stage, new_stage
from trouble import MESSAGES

mutants.apply_from_environment()


@pytest.fixture(scope="session")
def disks() -> None:
    """Block devices and file systems of all kinds; in CI their absence is a failure."""
    try:
        require_disks()
    except DisksUnavailableError as error:
        missing("what power cuts and failing disks need", str(error))


@pytest.fixture(scope="session")
def server(dovecot: DovecotServer) -> Server:
    """The Dovecot that is collected from, and its mailboxes as files."""
    return serving(dovecot)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """The real program, ready to run."""
    if shutil.which("strace") is None:
        missing("strace", "apt-get install strace")
    with Program(tmp_path_factory.mktemp("program")) as program:
        yield program


@pytest.fixture
def scratch() -> Iterator[Path]:
    """A directory in memory."""
    with scratch_directory() as directory:
        yield directory


@pytest.fixture
def stage(server: Server, scratch: Path) -> Stage:
    """A filled mailbox and no archive."""
    stage = new_stage(server, scratch / "stage")
    stage.deliver(MESSAGES)
    return stage
