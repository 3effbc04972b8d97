"""The update thread: takes jobs one after the other, installs, reports."""

import logging
import threading
from typing import Protocol

from gustbed_core.package import PackageError
from gustbed_edge.cloud.aws.jobs import Execution, JobsUnavailableError
from gustbed_edge.jobs.job_log import JobLog, Outcome
from gustbed_edge.models.installer import Installer

log = logging.getLogger(__name__)

RETRY_SECONDS = 10.0
LOOK_SECONDS = 600.0
"""How often to ask without having been notified, should a notification get lost."""


class Jobs(Protocol):
    """What updates need of AWS IoT Jobs; ``gustbed_edge.jobs.JobsClient`` is the real one."""

    def start_next(self) -> Execution | None:
        """Raises ``JobsUnavailableError``."""

    def report(self, outcome: Outcome) -> bool:
        """Raises ``JobsUnavailableError``."""


class JobRunner:
    """Executes each job once, whatever the service delivers twice.

    An outcome is written down first and reported when that is possible; failing to report never
    undoes it.
    """

    def __init__(self, installer: Installer, job_log: JobLog) -> None:
        self.running: str | None = None
        """What is being installed and how far it is, for the heartbeat."""
        self._installer = installer
        self._job_log = job_log
        self._jobs: Jobs | None = None
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="updates", daemon=True)

    def start(self) -> None:
        """Begin to look for jobs in the background."""
        self._thread.start()

    def stop(self) -> None:
        """End; a job under way is taken up again at the next start."""
        self._stop.set()
        self._wake.set()
        self._thread.join(timeout=1)

    def use(self, jobs: Jobs | None) -> None:
        """Talk to the service through this from now on; None while there is no connection."""
        self._jobs = jobs

    def wake(self) -> None:
        """Look for a job soon: a notification has come, or the connection."""
        self._wake.set()

    def turn(self) -> None:
        """Report what is unreported and execute what waits. Raises ``JobsUnavailableError``."""
        jobs = self._jobs
        if jobs is None:
            return
        self._report(jobs)
        last: tuple[str, int] | None = None
        while not self._stop.is_set():
            execution = jobs.start_next()
            if execution is None or (execution.job, execution.number) == last:
                return
            last = (execution.job, execution.number)
            self._job_log.record(self._outcome(execution))
            self._report(jobs)

    def _run(self) -> None:
        pause = LOOK_SECONDS
        while True:
            self._wake.wait(pause)
            self._wake.clear()
            if self._stop.is_set():
                return
            pause = LOOK_SECONDS
            try:
                self.turn()
            except JobsUnavailableError as error:
                log.info("jobs: %s; trying again", error)
                pause = RETRY_SECONDS
            except Exception:
                log.exception("looking for jobs failed")
                pause = RETRY_SECONDS

    def _report(self, jobs: Jobs) -> None:
        for outcome in self._job_log.unreported():
            jobs.report(outcome)
            self._job_log.reported(outcome)

    def _outcome(self, execution: Execution) -> Outcome:
        known = self._job_log.find(execution.job, execution.number)
        if known is not None:
            # Delivered again, for instance because the report got lost: say it again.
            return Outcome(known.job, known.execution, known.status, known.details)
        try:
            release = self._installer.install(
                execution.job, execution.document, lambda text: setattr(self, "running", text)
            )
        except PackageError as error:
            log.warning("job %s failed: %s: %s", execution.job, error.reason, error.detail)
            details = {"reason": error.reason, "detail": error.detail}
            return Outcome(execution.job, execution.number, "FAILED", details)
        except Exception as error:
            log.exception("job %s failed", execution.job)
            details = {"reason": "internal", "detail": type(error).__name__}
            return Outcome(execution.job, execution.number, "FAILED", details)
        finally:
            self.running = None
        does = "serves" if release.role == "serve" else "runs in shadow"
        log.warning("job %s: %s %s %s", execution.job, release.name, release.version, does)
        details = {"name": release.name, "version": release.version}
        if release.role != "serve":
            details["role"] = release.role
        return Outcome(execution.job, execution.number, "SUCCEEDED", details)
