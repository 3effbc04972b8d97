"""Jobs: each executed once, in order, its outcome written down first and reported when possible."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from gustbed_core.jobs import Release
from gustbed_core.package import PackageError
from gustbed_edge.cloud.ports import Execution, JobOutcome, JobsUnavailableError
from gustbed_edge.jobs.job_log import FILE, KEPT, JobLog
from gustbed_edge.jobs.runner import LOOK_SECONDS, RETRY_SECONDS, JobRunner
from gustbed_edge.models.installer import Progress
from gustbed_edge.models.update_operation import UpdateModel

UPDATE = {"operation": "update_model"}
RELEASE = Release("tiny", "1.1.0", 1, "0" * 64)


class FakeInstaller:
    """Counts installations; ``error`` makes them fail."""

    def __init__(self) -> None:
        self.installed: list[str] = []
        self.release = RELEASE
        self.error: Exception | None = None
        self.during: Callable[[], None] = lambda: None

    def install(self, job: str, document: object, progress: Progress) -> Release:
        del document
        self.installed.append(job)
        progress("tiny 1.1.0: testing")
        self.during()
        if self.error is not None:
            raise self.error
        return self.release


class FakeJobs:
    """A jobs service with a queue. ``away`` makes every call fail."""

    def __init__(self, *executions: Execution) -> None:
        self.queue = list(executions)
        self.reports: list[JobOutcome] = []
        self.away = False
        self.connected = True
        self.refuses = False
        self.redelivers = False

    def start_next(self) -> Execution | None:
        if self.away:
            raise JobsUnavailableError("away")
        return self.queue[0] if self.queue else None

    def report(self, outcome: JobOutcome) -> bool:
        if self.away:
            raise JobsUnavailableError("away")
        self.reports.append(outcome)
        if not self.redelivers:
            self.queue = [e for e in self.queue if (e.job, e.number) != key(outcome)]
        return not self.refuses


def key(outcome: JobOutcome) -> tuple[str, int]:
    return outcome.job, outcome.execution


class Edge:
    """Updater and journal on a disk that survives ``restart``."""

    def __init__(self, folder: Path, jobs: FakeJobs) -> None:
        self.folder = folder
        self.jobs = jobs
        self.installer = FakeInstaller()
        self.restart()

    def restart(self) -> None:
        """Stop and start the process."""
        self.job_log = JobLog(self.folder)
        update = UpdateModel(self.installer)  # type: ignore[arg-type]
        self.job_runner = JobRunner(self.jobs, {"update_model": update}, self.job_log)

    def turn(self) -> float:
        """What the thread does when it is woken."""
        return self.job_runner.turn()


@pytest.fixture
def jobs() -> FakeJobs:
    return FakeJobs(Execution("a", 1, UPDATE), Execution("b", 1, UPDATE))


@pytest.fixture
def edge(tmp_path: Path, jobs: FakeJobs) -> Edge:
    return Edge(tmp_path, jobs)


def test_jobs_are_executed_one_after_the_other_and_reported(edge: Edge, jobs: FakeJobs) -> None:
    edge.turn()
    assert edge.installer.installed == ["a", "b"]
    details = {"name": "tiny", "version": "1.1.0"}
    assert jobs.reports == [JobOutcome(job, 1, "SUCCEEDED", details) for job in ("a", "b")]


def test_a_shadow_models_report_says_its_role(edge: Edge, jobs: FakeJobs) -> None:
    edge.installer.release = replace(RELEASE, role="shadow")
    edge.turn()
    details = {"name": "tiny", "version": "1.1.0", "role": "shadow"}
    assert jobs.reports[0] == JobOutcome("a", 1, "SUCCEEDED", details)


@pytest.mark.promise("O2")
def test_a_refusal_is_reported_with_its_reason_and_the_next_job_goes_on(
    edge: Edge, jobs: FakeJobs
) -> None:
    edge.installer.error = PackageError("bad_signature", "does not verify")
    edge.turn()
    assert edge.installer.installed == ["a", "b"]
    assert jobs.reports[0].status == "FAILED"
    assert jobs.reports[0].details == {"reason": "bad_signature", "detail": "does not verify"}


def test_a_fault_of_ours_is_reported_too(edge: Edge, jobs: FakeJobs) -> None:
    edge.installer.error = ZeroDivisionError("secret path")
    edge.turn()
    assert jobs.reports[0].details == {"reason": "internal", "detail": "ZeroDivisionError"}


@pytest.mark.promise("O5")
def test_failing_to_report_undoes_nothing_and_the_report_follows(
    edge: Edge, jobs: FakeJobs
) -> None:
    edge.installer.during = lambda: setattr(jobs, "away", True)
    assert edge.turn() == RETRY_SECONDS
    assert edge.installer.installed == ["a"]
    assert edge.job_log.unreported() != []
    edge.installer.during = lambda: None
    jobs.away = False
    edge.turn()
    assert [key(report) for report in jobs.reports] == [("a", 1), ("b", 1)]
    assert edge.installer.installed == ["a", "b"]


@pytest.mark.promise("O5")
def test_the_report_follows_also_after_a_restart(edge: Edge, jobs: FakeJobs) -> None:
    edge.installer.during = lambda: setattr(jobs, "away", True)
    assert edge.turn() == RETRY_SECONDS
    edge.installer.during = lambda: None
    jobs.away = False
    edge.restart()
    edge.turn()
    assert edge.installer.installed == ["a", "b"]
    assert jobs.reports[0].status == "SUCCEEDED"


@pytest.mark.promise("O5")
def test_the_report_does_not_wait_for_the_job_to_be_delivered_again(
    edge: Edge, jobs: FakeJobs
) -> None:
    edge.job_log.record(JobOutcome("z", 1, "SUCCEEDED", {}))
    jobs.queue = []
    edge.turn()
    assert [key(report) for report in jobs.reports] == [("z", 1)]


@pytest.mark.promise("O6")
def test_a_job_delivered_again_is_reported_again_but_not_executed(
    edge: Edge, jobs: FakeJobs
) -> None:
    jobs.queue = jobs.queue[:1]
    jobs.redelivers = True
    edge.turn()
    edge.turn()
    edge.restart()
    edge.turn()
    assert edge.installer.installed == ["a"]
    assert len(jobs.reports) == 3
    assert len({report.status for report in jobs.reports}) == 1


def test_a_second_execution_of_a_job_is_executed(edge: Edge, jobs: FakeJobs) -> None:
    jobs.queue = [Execution("a", 1, UPDATE)]
    edge.turn()
    jobs.queue = [Execution("a", 2, UPDATE)]
    edge.turn()
    assert edge.installer.installed == ["a", "a"]


def test_a_report_that_is_refused_is_not_repeated_for_ever(edge: Edge, jobs: FakeJobs) -> None:
    jobs.refuses = True
    edge.turn()
    edge.turn()
    assert len(jobs.reports) == 2
    assert edge.job_log.unreported() == []


def test_what_runs_is_visible_while_it_runs(edge: Edge) -> None:
    seen: list[str | None] = []
    edge.installer.during = lambda: seen.append(edge.job_runner.running)
    edge.turn()
    assert seen == ["tiny 1.1.0: testing"] * 2
    assert edge.job_runner.running is None


def test_without_a_connection_nothing_happens(edge: Edge) -> None:
    edge.jobs.connected = False
    assert edge.turn() == LOOK_SECONDS
    assert edge.installer.installed == []


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ([], "bad_document"),
        ({}, "bad_document"),
        ({"operation": 3}, "bad_document"),
        ({"operation": "reboot"}, "wrong_operation"),
    ],
)
def test_what_no_operation_is_for_is_refused(
    edge: Edge, jobs: FakeJobs, document: object, reason: str
) -> None:
    jobs.queue = [Execution("a", 1, document)]
    edge.turn()
    assert (jobs.reports[0].status, jobs.reports[0].details["reason"]) == ("FAILED", reason)
    assert edge.installer.installed == []


def test_a_journal_that_cannot_be_read_starts_anew(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"[{]")
    job_log = JobLog(tmp_path)
    assert job_log.unreported() == []
    job_log.record(JobOutcome("a", 1, "FAILED", {}))
    assert JobLog(tmp_path).unreported() == [JobOutcome("a", 1, "FAILED", {})]


def test_the_journal_is_bounded(tmp_path: Path) -> None:
    job_log = JobLog(tmp_path)
    for i in range(KEPT + 5):
        job_log.record(JobOutcome(f"j{i}", 1, "SUCCEEDED", {}))
    assert job_log.find("j4", 1) is None
    assert JobLog(tmp_path).find("j5", 1) is not None
