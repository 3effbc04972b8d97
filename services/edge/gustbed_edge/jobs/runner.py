"""The worker that takes jobs one after the other, lets their operation do them, and reports."""

import logging
from collections.abc import Mapping

from gustbed_core.package import PackageError
from gustbed_core.worker import Worker
from gustbed_edge.cloud.ports import Execution, JobOutcome, Jobs, JobsUnavailableError
from gustbed_edge.jobs.job_log import JobLog
from gustbed_edge.plugins import JobFailedError, JobOperation

log = logging.getLogger(__name__)

RETRY_SECONDS = 10.0
LOOK_SECONDS = 600.0
"""How often to ask without having been notified, should a notification get lost."""


class JobRunner(Worker):
    """Executes each job once, whatever the service delivers twice.

    An outcome is written down first and reported when that is possible; failing to report never
    undoes it. ``operations`` are by the name that a job's document gives in ``operation``.
    """

    retry_seconds = RETRY_SECONDS

    def __init__(self, jobs: Jobs, operations: Mapping[str, JobOperation], job_log: JobLog) -> None:
        super().__init__("jobs")
        self.running: str | None = None
        """What is being done and how far it is, for the heartbeat."""
        self._jobs = jobs
        self._operations = operations
        self._job_log = job_log

    def turn(self) -> float:
        """Report what is unreported and execute what waits."""
        if not self._jobs.connected:
            return LOOK_SECONDS
        try:
            self._report()
            self._execute()
        except JobsUnavailableError as error:
            log.info("jobs: %s; trying again", error)
            return RETRY_SECONDS
        return LOOK_SECONDS

    def _execute(self) -> None:
        last: tuple[str, int] | None = None
        while not self.stopping:
            execution = self._jobs.start_next()
            if execution is None or (execution.job, execution.number) == last:
                return
            last = (execution.job, execution.number)
            self._job_log.record(self._outcome(execution))
            self._report()

    def _report(self) -> None:
        for outcome in self._job_log.unreported():
            self._jobs.report(outcome)
            self._job_log.reported(outcome)

    def _outcome(self, execution: Execution) -> JobOutcome:
        job, number = execution.job, execution.number
        known = self._job_log.find(job, number)
        if known is not None:
            # Delivered again, for instance because the report got lost: say it again.
            return JobOutcome(known.job, known.execution, known.status, known.details)
        try:
            details = dict(self._operate(execution))
        except (JobFailedError, PackageError) as error:
            log.warning("job %s failed: %s: %s", job, error.reason, error.detail)
            return JobOutcome(
                job, number, "FAILED", {"reason": error.reason, "detail": error.detail}
            )
        except Exception as error:
            log.exception("job %s failed", job)
            return JobOutcome(
                job, number, "FAILED", {"reason": "internal", "detail": type(error).__name__}
            )
        finally:
            self.running = None
        return JobOutcome(job, number, "SUCCEEDED", details)

    def _operate(self, execution: Execution) -> Mapping[str, str]:
        document = execution.document
        if not isinstance(document, dict) or not isinstance(document.get("operation"), str):
            raise JobFailedError("bad_document", "it names no operation")
        name = document["operation"]
        operation = self._operations.get(name)
        if operation is None:
            raise JobFailedError("wrong_operation", f"operation {name[:60]!r}")
        return operation.run(execution.job, document, lambda text: setattr(self, "running", text))
