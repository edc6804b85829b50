"""What an audit finds beside a process that writes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rooms import NOW, arrived, opened

from collector.custody.audit import Audit
from collector.custody.intake import Intake
from collector.domain.custody import PendingEntry


class Busy:
    """The ledger of an archive that commits a batch just when it is asked how far it is."""

    def __init__(self, intake: Intake, pending: Sequence[PendingEntry]) -> None:
        self._intake, self._pending = intake, pending

    def __getattr__(self, name: str):
        return getattr(self._intake.ledger, name)

    def last_seq(self) -> int:
        """Commit what is pending, and answer."""
        self._intake.commit(self._pending)
        self._pending = []
        return self._intake.ledger.last_seq()


def test_what_is_committed_while_it_is_looked_for_is_no_damage(scratch: Path) -> None:
    """A batch is stored first and named by the ledger afterwards; an audit may see both."""
    with opened(scratch / "archive") as intake, intake.turn():
        pending = intake.store([arrived(1, b"A: 1\r\n\r\n"), arrived(2, b"A: 2\r\n\r\n")], NOW)
        assert list(Audit(intake.archive, intake.ledger).segments()) == []
        assert list(Audit(intake.archive, Busy(intake, pending)).segments()) == []
        assert intake.ledger.last_seq() == 2
