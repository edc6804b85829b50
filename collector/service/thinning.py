"""The job that keeps the directory of checkpoints small.

Rule: beside the cycles, once a day, and a little at a time; nothing waits for it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import structlog

from collector.config import Settings
from collector.custody.anchored import Anchored
from collector.custody.intake import DAY, Intake
from collector.custody.thinning import THINNED_MAX, Thinning
from collector.custody.watch import utc_now
from collector.domain.errors import CycleError, IntegrityError
from collector.service.evidence import directory_of
from collector.service.outside import stamped_sizes
from collector.service.pulse import Pulse
from collector.store import durable

log = structlog.get_logger("collector.service")

AGAIN_S = 60.0
"""Rest when there is more to remove, or something could not be done now."""


@dataclass(slots=True)
class ThinningJob:
    """The job.

    Attributes:
        after: age at which a checkpoint may go.
    """

    directory: Path
    after: timedelta
    name: str = ":thinning"
    pulse: Pulse = field(default_factory=Pulse)

    def work(self, intake: Intake, stop: Callable[[], bool]) -> float:  # noqa: ARG002
        """Remove some old checkpoints; return seconds to rest."""
        pause_s = self._thin(intake)
        self.pulse.rest(pause_s)
        return pause_s

    def close(self) -> None:
        """Nothing is held open."""

    def _thin(self, intake: Intake) -> float:
        if intake.checkpoints is None:
            return DAY.total_seconds()
        now = utc_now()
        try:
            with intake.ledger.session(), Anchored(self.directory).frozen() as held:
                kept = held | stamped_sizes(self.directory)
                thinning = Thinning(self.directory, intake.checkpoints.keys, kept)
                removed = thinning.thin(intake.ledger, now - self.after, now)
        except durable.DurabilityError:
            raise
        except (CycleError, IntegrityError) as error:  # mail is collected all the same
            log.warning("checkpoints.unthinned", error=error.problem, hint=error.hint)
            return AGAIN_S if isinstance(error, CycleError) else DAY.total_seconds()
        if removed:
            log.info("checkpoints.thinned", removed_count=removed)
        return AGAIN_S if removed == THINNED_MAX else DAY.total_seconds()


def thinning_job(settings: Settings) -> ThinningJob:
    """Return the job of an archive."""
    after = timedelta(seconds=settings.evidence.thin_after_s)
    return ThinningJob(directory_of(settings.archive.path), after)
