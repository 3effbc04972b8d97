"""What became of update jobs: written before it is reported, kept until it was."""

import logging
from dataclasses import replace
from pathlib import Path

import msgspec

from gustbed_edge.cloud.ports import JobOutcome
from gustbed_edge.files import write_atomic

log = logging.getLogger(__name__)

FILE = "updates.json"
KEPT = 50


class JobLog:
    """JobOutcomes by job and execution number. Used by the update thread only."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._outcomes = self._read()

    def find(self, job: str, execution: int) -> JobOutcome | None:
        """The outcome of an execution that has ended."""
        return self._outcomes.get((job, execution))

    def unreported(self) -> list[JobOutcome]:
        """JobOutcomes that the cloud does not know of yet, oldest first."""
        return [outcome for outcome in self._outcomes.values() if not outcome.reported]

    def record(self, outcome: JobOutcome) -> None:
        """Write an outcome down. Raises ``OSError`` if the disk refuses."""
        self._outcomes.pop((outcome.job, outcome.execution), None)
        self._outcomes[outcome.job, outcome.execution] = outcome
        while len(self._outcomes) > KEPT:
            del self._outcomes[next(iter(self._outcomes))]
        write_atomic(self._path, msgspec.json.encode(list(self._outcomes.values())))

    def reported(self, outcome: JobOutcome) -> None:
        """The cloud has taken an outcome, or will never."""
        self.record(replace(outcome, reported=True))

    def _read(self) -> dict[tuple[str, int], JobOutcome]:
        try:
            outcomes = msgspec.json.decode(self._path.read_bytes(), type=list[JobOutcome])
        except FileNotFoundError:
            return {}
        except (OSError, msgspec.MsgspecError) as error:
            log.error("%s: %s; starting a new one", self._path, error)  # noqa: TRY400
            return {}
        return {(outcome.job, outcome.execution): outcome for outcome in outcomes}
